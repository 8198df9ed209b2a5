"""train.py with the network `PLAIN` of helpers/tiny_runs.py, as a script for torchrun.

In:  the flags of train.py.
Out: a run.
"""

from __future__ import annotations

import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS.parent), str(TESTS)]

from helpers.tiny_runs import PLAIN

import train
from models.spec import all_specs

if __name__ == "__main__":
    all_specs()["plain"] = PLAIN
    sys.exit(train.main())
