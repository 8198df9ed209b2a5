"""Score checkpoints on a data set: python -m evaluation.classification --weights A [B ...] --data-path DIR --out DIR

In:  a checkpoint (left out: the shipped one), or several, which make an unweighted ensemble; a data set's folder.
Out: DIR/scores.json, its table on stdout, and pictures: confusion.png, reliability.png, per_class.png, mistakes.png.

Scores are counted over the whole split. Intervals are 95 % bootstrap intervals over faces; they say nothing about
another data set.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from matplotlib.figure import Figure

from data.datasets import load_faces
from data.face_set import FaceSet
from evaluation.classification.scores import Evaluation, evaluate
from evaluation.commands import SplitSettings, publish
from evaluation.plots import confusion_figure, per_class_figure, reliability_figure
from evaluation.sheets import mistakes_figure
from models.checkpoint import SHIPPED
from models.classifier import Classifier
from support import UserError, command, notify, pick_device, setting
from support.onnx.session import available_threads


@dataclasses.dataclass
class Settings(SplitSettings):
    """Flags of `python -m evaluation.classification`."""

    weights: list[str] = setting([], "checkpoints; several make an ensemble; left out: the shipped one", metavar="FILE")
    out: str = setting("runs/evaluation", "where scores.json and the pictures go", metavar="DIR")
    tta: bool = setting(False, "predict every face together with its mirror image")


def run(settings: Settings) -> int:
    """Evaluate, write, print."""
    evaluation = evaluate_split(settings)
    publish(settings.out, "scores", evaluation.scores, figures(evaluation), table(evaluation.scores))
    return 0


def evaluate_split(settings: Settings) -> Evaluation:
    """Evaluate the checkpoints on the split; the scores also name data set, split, protocol and weights."""
    paths, device = settings.weights or [str(SHIPPED)], pick_device(settings.device)
    threads = available_threads()
    classifiers = [Classifier.from_file(path, device=device, confidence="label", threads=threads) for path in paths]
    layout, faces = settings.load()
    train = None if settings.split == "train" else load_train(settings.data_path, layout.NAME)
    notify(f"{len(paths)} network{'s' * (len(paths) > 1)} on {len(faces):,} faces, on {device}")
    evaluation = evaluate(classifiers, faces, train=train, tta=settings.tta)
    about = {
        "dataset": layout.NAME,
        "split": settings.split,
        "protocol": getattr(layout, "PROTOCOL", "every face of the split"),
        "weights": paths,
        "tta": settings.tta,
    }
    return dataclasses.replace(evaluation, scores=about | evaluation.scores)


def load_train(folder: str, dataset: str) -> FaceSet | None:
    """The faces of the train split, in which duplicates are looked for; None, and a notice, where it cannot be read."""
    try:
        return load_faces(folder, "train", name=dataset, skip_bad=True)
    except UserError as error:
        notify(f"duplicates in train are not looked for: {error}")
        return None


def figures(evaluation: Evaluation) -> dict[str, Figure]:
    """The pictures of an evaluation that `evaluate_split` gave, by name."""
    faces, scores = evaluation.faces, evaluation.scores
    split = f"{scores['dataset']} {scores['split']}"
    correct = f"{split}: {scores['correct']:,} of {scores['n']:,} right, {scores['accuracy']:.1%}"
    return {
        "confusion": confusion_figure(evaluation.confusion, faces.class_names, title=correct),
        "reliability": reliability_figure(faces.labels, evaluation.crowd, evaluation.label, title=split),
        "per_class": per_class_figure(scores["per_class"], title=f"{split}: macro-F1 {scores['macro_f1']:.3f}"),
        "mistakes": mistakes_figure(faces, evaluation.label, title=f"{split}: the most confident mistakes"),
    }


def table(scores: dict) -> Iterator[str]:
    """scores.json as lines of text."""
    yield f"{scores['dataset']} {scores['split']}: {scores['protocol']}"
    yield ", ".join(scores["weights"]) + (", with mirror images" if scores["tta"] else "")
    yield ""
    yield f"accuracy           {accuracy_text(scores)}"
    for path, member in zip(scores["weights"], scores.get("members", []), strict=False):
        yield f"  one member       {accuracy_text(member)}: {path}"
    without = scores.get("without_train_duplicates", {})
    if without.get("duplicates") and "n" in without:
        yield f"  no duplicates    {accuracy_text(without)}, less {without['duplicates']:,} that train holds too"
    yield f"balanced accuracy  {scores['balanced_accuracy']:.1%}"
    low, high = scores["macro_f1_interval"]
    yield f"macro-F1           {scores['macro_f1']:.3f}, 95% interval {low:.3f} to {high:.3f}"
    if "macro_f1_7" in scores:
        yield f"  no contempt      {scores['macro_f1_7']:.3f}"
    yield f"weighted F1        {scores['weighted_f1']:.3f}"
    yield f"KL, JS             {scores['kl']:.3f}, {scores['js']:.3f} nats from {scores['kl_js_target']}"
    yield f"calibration error  {scores['ece']:.1%} (of the plain softmax: {scores['ece_crowd']:.1%})"
    yield ""
    yield f"{'class':<16}{'precision':>10}{'recall':>10}{'F1':>10}{'faces':>10}"
    for name, row in scores["per_class"].items():
        yield f"{name:<16}{row['precision']:>10.3f}{row['recall']:>10.3f}{row['f1']:>10.3f}{row['support']:>10,}"
    for attribute, groups in scores.get("groups", {}).items():
        yield ""
        for value, group in groups.items():
            yield f"{attribute + ' ' + value:<24}{accuracy_text(group)}"


def accuracy_text(scores: dict) -> str:
    """An accuracy as in "2,640 of 3,137 = 84.2%, 95% interval 82.9% to 85.4%"."""
    low, high = scores["accuracy_interval"]
    share = f"{scores['correct']:,} of {scores['n']:,} = {scores['accuracy']:.1%}"
    return f"{share}, 95% interval {low:.1%} to {high:.1%}"


main = command(Settings, run, prog="python -m evaluation.classification", doc=__doc__)
