"""Where does the network look for each expression? python -m evaluation.mean_heat --weights F --data-path DIR --out DIR

In:  a checkpoint (the shipped one where left out), faces of a data set that fill their pictures as FER+'s do.
Out: DIR/mean_heat.json, its table on stdout, and mean_heat.png: the mean heatmap of each expression on its mean face.

Every face is explained for its label; the faces that the network reads rightly count. The share of heat in a band, and
the probability that is lost where the band is made grey (evaluation/bands.py), are means over faces; intervals are the
bootstrap's, 95 %.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from support import add_flags, run_door, setting


@dataclasses.dataclass
class Settings:
    """Flags of `python -m evaluation.mean_heat`."""

    weights: str | None = setting(None, "checkpoint (default: the shipped one)", metavar="FILE")
    dataset: str = setting("", "format of the data set; recognised by its layout where left out")
    data_path: str = setting("data/raw", "the data set's folder", metavar="DIR")
    split: str = setting("test", "which faces", choices=["train", "validation", "test"])
    explainer: str = setting("gradcam", "which, of gradcam.EXPLAINERS", metavar="NAME")
    out: str = setting("runs/mean_heat", "where mean_heat.json and the picture go", metavar="DIR")
    skip_bad: bool = setting(False, "leave out rows of the data set that cannot be used")
    device: str = setting("auto", "auto, cpu, mps, cuda or cuda:N")


def main(argv: list[str] | None = None) -> int:
    """Parse flags, explain, write, print."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.mean_heat", description=__doc__.split("\n")[0])
    add_flags(parser, Settings)
    settings = Settings(**vars(parser.parse_args(argv)))
    from evaluation.mean_heat_report import averaged, table, write

    expressions, report = averaged(settings)
    write(expressions, report, Path(settings.out))
    for line in table(report):
        print(line)
    return 0


if __name__ == "__main__":
    run_door(main)
