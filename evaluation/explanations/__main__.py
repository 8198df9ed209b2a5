"""The command `python -m evaluation.explanations`: what it does is in report.py."""

from evaluation.explanations.report import main
from support import run_and_exit

if __name__ == "__main__":
    run_and_exit(main)
