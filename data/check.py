"""Is a data set fit to train on? python -m data.check DIR [--dataset NAME]

In:  a data set's folder, its .zip, or a list in a .csv.
Out: on stdout what was recognised; faces a class and split, how much the crowd agrees, pictures that stand in two
     splits; every fault with file and line, and every doubt whether the data set is what it claims; exit code 1 where
     there are faults or doubts. Pictures that stand in two splits are no fault: training leaves them out.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from data.datasets import Format, find_folder, find_format, load_faces
from data.doubts import find_doubts, vote_order
from data.face_set import FaceSet, NoFaces, rows_without_duplicate
from data.faults import Fault, FaultyData, without_warning
from data.pictures.store import Storage
from data.sources.files import printable
from data.tables import SPLITS
from support import FAILED, command, count, run_and_exit, setting
from support.emotions import is_name


@dataclass
class Settings:
    """Arguments of `python -m data.check`."""

    folder: str = setting("", "the data set's folder, its .zip, or a list in a .csv", metavar="DIR", positional=True)
    dataset: str = setting("", "format of the data set; recognised by its layout where left out")
    classes: str = setting("", "file of `name,class` rows that maps class names to others", metavar="FILE")
    memory: float = setting(
        0.5, "share of the free memory that pictures may take; the others stay on disk", within=(0, 1)
    )


def run(settings: Settings) -> int:
    """Print the report; 0 where the data set has no fault and no doubt, else 1."""
    import pandas as pd  # here, so that where it is missing `command` says what to install

    module = find_format(settings.folder, name=settings.dataset)
    about = (module.__doc__ or "").partition("\n")[0]
    print(f"{settings.folder} is laid out like {module.NAME}: {about}")
    parts: dict[str, FaceSet] = {}
    faults: dict[Fault, None] = {}
    for split in SPLITS:
        faces, found = examine(settings, module, split)
        faults |= dict.fromkeys(found)  # a table for all splits tells each of its faults three times
        if faces is not None:
            parts[split] = faces
    columns = {split: column(parts[split]) | shared_with(split, parts) if split in parts else {} for split in SPLITS}
    if parts:
        print(pd.DataFrame(columns).to_string(na_rep="-"))
    for remark in remarks(parts):
        print(remark)
    if sentence := getattr(module, "left_out", lambda folder: "")(find_folder(settings.folder)):
        print(sentence)
    for fault in faults:
        print(fault)
    published = {} if settings.classes else getattr(module, "PUBLISHED", {})
    doubts = find_doubts(parts["train"], published) if "train" in parts else []
    for split in (name for name in parts if name != "train"):
        doubts += vote_order(parts[split], split)
    for doubt in doubts:
        print(doubt)
    print(count(len(faults), "fault") if faults else "no faults")
    return FAILED if faults or doubts else 0


def examine(settings: Settings, module: Format, split: str) -> tuple[FaceSet | None, tuple[Fault, ...]]:
    """The usable faces of `split`, None where there are none; and the faults of the others."""
    faults: tuple[Fault, ...] = ()
    storage = Storage(settings.memory / len(SPLITS))
    load = partial(load_faces, settings.folder, split, name=module.NAME, classes=settings.classes, storage=storage)
    try:
        return load(), ()
    except NoFaces as error:
        return None, (Fault(find_folder(settings.folder), None, str(error)),) if split == "train" else ()
    except FaultyData as error:
        faults = error.faults
    try:
        with without_warning():  # nothing is left out here
            return load(skip_bad=True), faults
    except NoFaces:  # and the faults say why
        return None, faults


def column(faces: FaceSet) -> dict[str, str]:
    """What the report tells of one split, by row name."""
    counts = np.bincount(faces.labels, minlength=len(faces.class_names))
    rows = {printable(name): f"{count:,}" for name, count in zip(faces.class_names, counts, strict=True)}
    rows["all"] = f"{len(faces):,}"
    if faces.persons is not None:
        rows["people"] = f"{len(set(faces.persons.tolist())):,}"
    if not faces.has_votes:
        return rows | {"votes": "labels only"}
    agreeing = (faces.votes.argmax(axis=1) == faces.labels).mean()
    surprise = -np.log(np.where(faces.votes > 0, faces.votes, 1))  # entropy = -sum p log p: 0 where all people agree
    entropy = (faces.votes * surprise).sum(axis=1).mean()
    return rows | {"vote entropy": f"{entropy:.3f} nats", "label is top vote": f"{100 * agreeing:.1f} %"}


def shared_with(split: str, parts: dict[str, FaceSet]) -> dict[str, str]:
    """How many pictures of `split` stand, byte for byte, in one of the other splits too."""
    others = [faces for name, faces in parts.items() if name != split]
    return {"in another split too": f"{(~rows_without_duplicate(parts[split], *others)).sum():,}"}


def remarks(parts: dict[str, FaceSet]) -> list[str]:
    """What is worth knowing and no fault: people in two splits, classes without a face, or with odd names."""
    if "train" not in parts:
        return []
    train, lines = parts["train"], []
    people = {name: set(faces.persons.tolist()) for name, faces in parts.items() if faces.persons is not None}
    for name in people.keys() - {"train"}:
        if both := people.get("train", set()) & people[name]:
            lines.append(f"{len(both)} people are in train and in {name}")
    missing = [name for row, name in enumerate(train.class_names) if not (train.labels == row).any()]
    if missing:
        lines.append(f"no training face is labelled {', '.join(missing)}")
    if odd := [printable(name) for name in train.class_names if not is_name(name)]:
        lines.append(f"no network can be trained on the name {', '.join(odd)}; rename it, or map it (--classes FILE)")
    if all(name.isdecimal() for name in train.class_names):
        lines.append("the class names are numbers; --classes FILE says which expression each of them is")
    return lines


main = command(Settings, run, prog="python -m data.check", doc=__doc__)

if __name__ == "__main__":
    run_and_exit(main)
