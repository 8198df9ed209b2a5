"""Do heatmaps point at what the network uses? python -m evaluation.explanations --weights F --data-path DIR --out DIR

In:  a checkpoint (the shipped one where left out), faces of a data set.
Out: DIR/faithfulness.json, its table on stdout, and pictures: curves.png, shuffled.png, shuffled_maps.png, checks.png,
     pairs.png, mirrored.png.

Every explainer meets the same faces, a seeded choice of the split, and is asked for the class that the network
predicts:
- deletion and insertion (evaluation/explanations/deletion_insertion.py), beside a random map and a blob in the middle;
- cascading randomisation (evaluation/explanations/parameter_randomisation.py);
- the pointing game with two faces in one picture (evaluation/explanations/pointing_game.py), for networks that take such a picture;
- agreement with the mirrored face, and from it how far maps lie off their place (evaluation/explanations/similarity.py);
- milliseconds a face (evaluation/explanations/cost.py), which mean something on an idle machine only.
Means are over faces, intervals the bootstrap's, 95 %. What is recommended follows from the rule in
evaluation/explanations/recommend.py. 512 faces take about three minutes on two idle cores.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from support import command, run_and_exit, setting


@dataclasses.dataclass
class Settings:
    """Flags of `python -m evaluation.explanations`."""

    weights: str | None = setting(None, "checkpoint (default: the shipped one)", metavar="FILE")
    dataset: str = setting("", "format of the data set; recognised by its layout where left out")
    data_path: str = setting("data/raw", "the data set's folder", metavar="DIR")
    split: str = setting("test", "which faces", choices=["train", "validation", "test"])
    limit: int = setting(512, "so many faces of the split, drawn by lot", within=(2, float("inf")))
    explainers: list[str] = setting([], "which, of gradcam.EXPLAINERS; left out: all", metavar="NAME")
    steps: int = setting(16, "steps of the deletion and insertion curves", within=(2, float("inf")))
    rounds: int = setting(30, "repetitions of the measurement of time", within=(1, float("inf")))
    seed: int = setting(0, "of the choice of faces, random maps, shuffles and pairs")
    out: str = setting("runs/faithfulness", "where faithfulness.json and the pictures go", metavar="DIR")
    skip_bad: bool = setting(False, "leave out rows of the data set that cannot be used")
    device: str = setting("auto", "auto, cpu, mps, cuda or cuda:N")


def run(settings: Settings) -> int:
    """Parse flags, examine, write, print."""
    from evaluation.explanations.report import examined, table, write

    results, report = examined(settings)
    write(results, report, Path(settings.out))
    for line in table(report):
        print(line)
    return 0


main = command(Settings, run, prog="python -m evaluation.explanations", doc=__doc__)

if __name__ == "__main__":
    run_and_exit(main)
