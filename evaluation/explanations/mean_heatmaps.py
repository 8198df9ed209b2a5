"""Where does the network look for each expression? python -m evaluation.explanations.mean_heatmaps --weights F --data-path DIR --out DIR

In:  a checkpoint (the shipped one where left out), faces of a data set that fill their pictures as FER+'s do.
Out: DIR/mean_heat.json, its table on stdout, and mean_heat.png: the mean heatmap of each expression on its mean face.

Every face is explained for its label; the faces that the network reads rightly count. The share of heat in a region, and
the probability that is lost where the region is made grey (evaluation/explanations/face_regions.py), are means over faces; intervals are the
bootstrap's, 95 %.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from support import command, run_and_exit, setting


@dataclasses.dataclass
class Settings:
    """Flags of `python -m evaluation.explanations.mean_heatmaps`."""

    weights: str | None = setting(None, "checkpoint (default: the shipped one)", metavar="FILE")
    dataset: str = setting("", "format of the data set; recognised by its layout where left out")
    data_path: str = setting("data/raw", "the data set's folder", metavar="DIR")
    split: str = setting("test", "which faces", choices=["train", "validation", "test"])
    explainer: str = setting("gradcam", "which, of gradcam.EXPLAINERS", metavar="NAME")
    out: str = setting("runs/mean_heat", "where mean_heat.json and the picture go", metavar="DIR")
    skip_bad: bool = setting(False, "leave out rows of the data set that cannot be used")
    device: str = setting("auto", "auto, cpu, mps, cuda or cuda:N")


def run(settings: Settings) -> int:
    """Parse flags, explain, write, print."""
    from evaluation.explanations.mean_heatmaps_report import averaged, table, write

    expressions, report = averaged(settings)
    write(expressions, report, Path(settings.out))
    for line in table(report):
        print(line)
    return 0


main = command(Settings, run, prog="python -m evaluation.explanations.mean_heatmaps", doc=__doc__)

if __name__ == "__main__":
    run_and_exit(main)
