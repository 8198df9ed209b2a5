"""Measure speed, lag, start-up and memory: python -m evaluation.speed [--compare batch-face] [--out DIR]

In:  synthetic videos with 1, 5 and 20 moving faces in three sizes, made in memory (synthetic_video.py).
Out: milliseconds a stage, frames a second of the live loop and of a file, lag under a camera that is too fast, start-up
     and memory of live.py: as a table on stdout, DIR/benchmark.json and DIR/benchmark.png.

Medians and 95th percentiles after a warm-up, each over --seconds, beside machine, load and versions. Under three
minutes on two idle cores. Other programs change the results: close them.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as live.py: before numpy and torch are imported
os.environ.setdefault("GOMP_SPINCOUNT", "0")

from evaluation.speed.benchmark import Settings, run
from support import command, run_and_exit

main = command(Settings, run, prog="python -m evaluation.speed", doc=__doc__)

if __name__ == "__main__":
    run_and_exit(main)
