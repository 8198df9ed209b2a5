"""Score checkpoints on a data set: python -m evaluation.classification --weights A [B ...] --data-path DIR --split test --out DIR

In:  a checkpoint (the shipped one where left out), or several, which make an unweighted ensemble; a data set's folder.
Out: DIR/scores.json, the table of it on stdout, and pictures: confusion.png, reliability.png, per_class.png,
     mistakes.png.

Scores are counted over the whole split. Intervals are the bootstrap's, 95 %; they tell how far the split's luck goes,
not how another data set would turn out.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

from matplotlib.figure import Figure

from data.datasets import find_format, load_faces
from data.face_set import FaceSet
from data.tables import SPLITS
from evaluation.classification.mistakes import mistakes_figure
from evaluation.classification.scores import Evaluation, evaluate
from evaluation.plots import class_figure, confusion_figure, reliability_figure
from models.checkpoint import SHIPPED, load_checkpoint
from support import UserError, command, notify, pick_device, run_and_exit, setting, write_json
from support.figures import save_figure


@dataclasses.dataclass
class Settings:
    """Flags of `python -m evaluation.classification`."""

    weights: list[str] = setting([], "checkpoints; several make an ensemble; left out: the shipped one", metavar="FILE")
    dataset: str = setting("", "format of the data set; recognised by its layout where left out")
    data_path: str = setting("data/raw", "the data set's folder", metavar="DIR")
    split: str = setting("test", "which faces", choices=SPLITS)
    out: str = setting("runs/evaluation", "where scores.json and the pictures go", metavar="DIR")
    tta: bool = setting(False, "read every face together with its mirror image")
    skip_bad: bool = setting(False, "leave out rows of the data set that cannot be used")
    device: str = setting("auto", "auto, cpu, mps, cuda or cuda:N")


def run(settings: Settings) -> int:
    """Parse flags, evaluate, write, print."""
    evaluation = evaluated(settings)
    write(evaluation, Path(settings.out))
    for line in table(evaluation.scores):
        print(line)
    return 0


def evaluated(settings: Settings) -> Evaluation:
    """What the checkpoints make of the split; its scores tell data set, split, protocol and weights, too."""
    paths, device = settings.weights or [str(SHIPPED)], pick_device(settings.device)
    checkpoints = [load_checkpoint(path) for path in paths]
    layout = find_format(settings.data_path, name=settings.dataset)
    dataset = layout.NAME
    faces = load_faces(settings.data_path, settings.split, name=dataset, skip_bad=settings.skip_bad)
    train = None if settings.split == "train" else training_faces(settings.data_path, dataset)
    notify(f"{len(paths)} network{'s' * (len(paths) > 1)} on {len(faces):,} faces, on {device}")
    evaluation = evaluate(checkpoints, faces, train=train, tta=settings.tta, device=device)
    about = {
        "dataset": dataset,
        "split": settings.split,
        "protocol": getattr(layout, "PROTOCOL", "every face of the split"),
        "weights": paths,
        "tta": settings.tta,
    }
    return dataclasses.replace(evaluation, scores=about | evaluation.scores)


def training_faces(folder: str, dataset: str) -> FaceSet | None:
    """The faces of the train split, in which duplicates are looked for; None, with a note, where it cannot be read."""
    try:
        return load_faces(folder, "train", name=dataset, skip_bad=True)
    except UserError as error:
        notify(f"duplicates in train are not looked for: {error}")
        return None


def figures(evaluation: Evaluation) -> dict[str, Figure]:
    """The pictures of what `evaluated` gave, by name."""
    faces, scores = evaluation.faces, evaluation.scores
    what = f"{scores['dataset']} {scores['split']}"
    right = f"{what}: {scores['correct']:,} of {scores['n']:,} right, {scores['accuracy']:.1%}"
    return {
        "confusion": confusion_figure(evaluation.confusion, faces.class_names, title=right),
        "reliability": reliability_figure(faces.labels, evaluation.crowd, evaluation.calibrated, title=what),
        "per_class": class_figure(scores["per_class"], title=f"{what}: macro-F1 {scores['macro_f1']:.3f}"),
        "mistakes": mistakes_figure(evaluation, title=f"{what}: the mistakes that the network was surest of"),
    }


def write(evaluation: Evaluation, folder: Path) -> None:
    """scores.json and one PNG a picture in `folder`, each whole or not at all."""
    write_json(evaluation.scores, folder / "scores.json")
    for name, figure in figures(evaluation).items():
        save_figure(figure, folder / f"{name}.png")
    notify(f"scores.json and pictures are in {folder}")


def table(scores: dict) -> Iterator[str]:
    """The lines that a person reads of scores.json."""
    yield f"{scores['dataset']} {scores['split']}: {scores['protocol']}"
    yield ", ".join(scores["weights"]) + (", with mirror images" if scores["tta"] else "")
    yield ""
    yield f"accuracy           {hits(scores)}"
    for path, member in zip(scores["weights"], scores.get("members", []), strict=False):
        yield f"  one member       {hits(member)}: {path}"
    others = scores.get("without_train_twins", {})
    if others.get("duplicates") and "n" in others:
        yield f"  no train duplicates   {hits(others)}"
    yield f"balanced accuracy  {scores['balanced_accuracy']:.1%}"
    low, high = scores["macro_f1_interval"]
    yield f"macro-F1           {scores['macro_f1']:.3f}, 95% interval {low:.3f} to {high:.3f}"
    if "macro_f1_7" in scores:
        yield f"  no contempt      {scores['macro_f1_7']:.3f}"
    yield f"weighted F1        {scores['weighted_f1']:.3f}"
    yield f"KL, JS             {scores['kl']:.3f}, {scores['js']:.3f} nats to {scores['readings']['kl, js are to']}"
    yield f"calibration error  {scores['ece']:.1%} (of the crowd's shares: {scores['ece_temperature_1']:.1%})"
    yield ""
    yield f"{'class':<16}{'precision':>10}{'recall':>10}{'F1':>10}{'faces':>10}"
    for name, row in scores["per_class"].items():
        yield f"{name:<16}{row['precision']:>10.3f}{row['recall']:>10.3f}{row['f1']:>10.3f}{row['support']:>10,}"
    for attribute, groups in scores.get("groups", {}).items():
        yield ""
        for value, group in groups.items():
            yield f"{attribute + ' ' + value:<24}{hits(group)}"


def hits(scores: dict) -> str:
    """How many are right, as in "2,640 of 3,137 = 84.2%, 95% interval 82.9% to 85.4%"."""
    low, high = scores["accuracy_interval"]
    share = f"{scores['correct']:,} of {scores['n']:,} = {scores['accuracy']:.1%}"
    return f"{share}, 95% interval {low:.1%} to {high:.1%}"


main = command(Settings, run, prog="python -m evaluation.classification", doc=__doc__)

if __name__ == "__main__":
    run_and_exit(main)
