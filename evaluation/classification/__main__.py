"""The command `python -m evaluation.classification`: what it does is in report.py."""

from evaluation.classification.report import main
from support import run_and_exit

if __name__ == "__main__":
    run_and_exit(main)
