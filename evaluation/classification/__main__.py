"""Score checkpoints on a data set: python -m evaluation.classification --weights A [B ...] --data-path DIR --out DIR

In:  a checkpoint (left out: the shipped one), or several, which make an unweighted ensemble; a data set's folder.
Out: DIR/scores.json, its table on stdout, and pictures: confusion.png, reliability.png, per_class.png, mistakes.png.

Scores are counted over the whole split. Intervals are 95 % bootstrap intervals over faces; they say nothing about
another data set.
"""

from __future__ import annotations

from evaluation.classification.report import Settings, run
from support import command, run_and_exit

main = command(Settings, run, prog="python -m evaluation.classification", doc=__doc__)

if __name__ == "__main__":
    run_and_exit(main)
