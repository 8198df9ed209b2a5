"""Test what heatmaps show: python -m evaluation.explanations --weights F --data-path DIR --out DIR

In:  a checkpoint (left out: the shipped one), faces of a data set.
Out: DIR/faithfulness.json, its table on stdout, and pictures: curves.png, randomisation.png, randomised_maps.png,
     checks.png, pairs.png, mirrored.png.

Every explainer is tested on the same faces, a seeded sample of the split, for the class that the network predicts:
- deletion and insertion (deletion_insertion.py), beside two baselines: a random map and a blob in the centre;
- cascading parameter randomisation (parameter_randomisation.py);
- the pointing game with two faces in one picture (pointing_game.py), for networks that take such a picture;
- agreement with the heatmap of the mirrored face, and from it how far heatmaps are displaced (similarity.py);
- milliseconds a face (cost.py), which mean something on an idle machine only.
Means are over faces, intervals are 95 % bootstrap intervals. The recommendation follows the rule in recommend.py. 512
faces take about three minutes on two idle cores.
"""

from __future__ import annotations

from evaluation.explanations.report import Settings, run
from support import command, run_and_exit

main = command(Settings, run, prog="python -m evaluation.explanations", doc=__doc__)

if __name__ == "__main__":
    run_and_exit(main)
