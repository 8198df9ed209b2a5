"""The command `python -m evaluation.speed`: what it does is in benchmark.py."""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as live.py: before numpy and torch are imported
os.environ.setdefault("GOMP_SPINCOUNT", "0")

from evaluation.speed.benchmark import main
from support import run_and_exit

if __name__ == "__main__":
    run_and_exit(main)
