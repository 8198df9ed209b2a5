"""Is a data set fit to train on? python -m data.check DIR [--dataset NAME]

In:  a data set's folder.
Out: on stdout what was recognised, faces a class and split, how much the crowd agrees, every fault with file and line;
     exit code 1 where there are faults.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data.datasets import Format, find_format
from data.face_set import FaceSet
from data.faults import Fault, FaultyData, counted
from data.tables import SPLITS
from support import FAILED, UserError, command, run_and_exit, setting


@dataclass
class Settings:
    """Arguments of `python -m data.check`."""

    folder: str = setting("", "the data set's folder", metavar="DIR", positional=True)
    dataset: str = setting("", "format of the data set; recognised by its layout where left out")


def run(settings: Settings) -> int:
    """Print the report; 0 where the data set has no fault, else 1."""
    import pandas as pd  # here, so that where it is missing `command` says what to install

    folder = Path(settings.folder)
    module = find_format(folder, name=settings.dataset)
    about = (module.__doc__ or "").partition("\n")[0]
    print(f"{folder} is laid out like {module.NAME}: {about}")
    columns: dict[str, dict[str, str]] = {}
    faults: dict[Fault, None] = {}
    for split in SPLITS:
        columns[split], found = examine(module, folder, split)
        faults |= dict.fromkeys(found)  # a table for all splits tells each of its faults three times
    print(pd.DataFrame(columns).to_string(na_rep="-"))
    for fault in faults:
        print(fault)
    print(counted(list(faults)) if faults else "no faults")
    return FAILED if faults else 0


def examine(module: Format, folder: Path, split: str) -> tuple[dict[str, str], tuple[Fault, ...]]:
    """A column of the report from the usable faces of `split`, by row name; and the faults of the others."""
    try:
        return column(module.load(folder, split)), ()
    except FaultyData as error:
        faults = error.faults
    try:
        return column(module.load(folder, split, skip_bad=True)), faults
    except UserError:  # no face is left, and the faults say why
        return {}, faults


def column(faces: FaceSet) -> dict[str, str]:
    """What the report tells of one split, by row name."""
    counts = np.bincount(faces.labels, minlength=len(faces.class_names))
    rows = {name: str(count) for name, count in zip(faces.class_names, counts, strict=True)}
    rows["all"] = str(len(faces))
    if not faces.has_votes:
        return rows | {"votes": "labels only"}
    agreeing = (faces.votes.argmax(axis=1) == faces.labels).mean()
    surprise = np.log(1 / np.where(faces.votes > 0, faces.votes, 1))  # entropy = -sum p log p: 0 where all people agree
    entropy = (faces.votes * surprise).sum(axis=1).mean()
    return rows | {"vote entropy": f"{entropy:.3f} nats", "label is top vote": f"{agreeing:.1%}"}


main = command(Settings, run, prog="python -m data.check", doc=__doc__)

if __name__ == "__main__":
    run_and_exit(main)
