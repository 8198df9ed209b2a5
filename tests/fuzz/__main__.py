"""Thousands of hostile inputs, none of which may break the programs: make fuzz, or python -m fuzz in tests/

In:  how many, or one kind and number (--case), or kinds (--kinds).
Out: a table of what became of them, and each failure's signature with the case that repeats it; exit code 1 where
     there is one.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from fuzz.cases import all_kinds, generator_of, numbers_of
from fuzz.supervisor import Outcome, tables, try_cases
from fuzz.worker import MARKER

REPORT_EVERY = 500


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--count", type=int, default=12_000, help="how many cases (default: 12000)")
    parser.add_argument("--kinds", nargs="*", default=[], help="only these kinds")
    parser.add_argument("--first", type=int, default=0, help="number of the first case of each kind (default: 0)")
    parser.add_argument("--workers", type=int, default=2, help="processes (default: 2)")
    parser.add_argument("--case", nargs=2, metavar=("KIND", "NUMBER"), help="one case, in this process, with traceback")
    given = parser.parse_args()
    if given.case:
        kind, number = given.case[0], int(given.case[1])
        folder, shared = (Path(tempfile.mkdtemp(prefix="fuzz-")) for _ in range(2))
        print(f"its files are in {folder}", file=sys.stderr)
        os.chdir(folder)
        os.environ["FUZZ_MARKER"] = str(folder / MARKER)
        print(all_kinds()[kind].make(generator_of(kind, number), folder, shared)())
        return 0
    cases = [(kind, number + given.first) for kind, number in numbers_of(given.count)]
    cases = [case for case in cases if not given.kinds or case[0] in given.kinds]
    outcomes: list[Outcome] = []
    for outcome in try_cases(cases, workers=given.workers):
        outcomes.append(outcome)
        if outcome.outcome == "failed":
            print(f"{outcome.signature} (--case {outcome.kind} {outcome.number})", file=sys.stderr, flush=True)
        if len(outcomes) % REPORT_EVERY == 0:
            failed = sum(one.outcome == "failed" for one in outcomes)
            print(f"{len(outcomes)} of {len(cases)} tried, {failed} failed", file=sys.stderr, flush=True)
    print(tables(outcomes))
    return int(any(outcome.outcome == "failed" for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
