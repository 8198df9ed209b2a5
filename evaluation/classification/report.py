"""Score checkpoints on a data set: python -m evaluation.classification --weights A [B ...] --data-path DIR --out DIR

In:  a checkpoint (left out: the shipped one), or several, which make an unweighted ensemble; a data set's folder.
Out: DIR/scores.json (docs/results.md tells of its fields), its table on stdout and in report.txt, table.tex for LaTeX,
     predictions.csv, confusion.csv and curves.csv, and pictures: confusion, reliability, per_class, curves, mistakes.
     With --compare A B: DIR/comparison.json, are two of them different on the same faces?

Scores are counted over the whole split. Intervals are 95 % bootstrap intervals over faces; they say nothing about
another data set.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from data.datasets import Format
from data.face_set import FaceSet
from data.tables import ALL
from evaluation.classification.compare import compare, comparison_lines
from evaluation.classification.predictions import Predictions, curves_table, read_predictions, write_predictions
from evaluation.classification.scores import MOST_GROUPS, Evaluation, evaluate
from evaluation.classification.tables import latex_table, table
from evaluation.commands import SplitSettings, publish
from evaluation.plots import confusion_figure, curves_figure, per_class_figure, reliability_figure
from evaluation.sheets import mistakes_figure
from models.checkpoint import SHIPPED
from models.classifier import PRIORS, Classifier
from support import UserError, command, count, notify, pick_device, setting, write_file
from support.csv_cells import harmless, original
from support.onnx.session import available_threads


@dataclasses.dataclass
class Settings(SplitSettings):
    """Flags of `python -m evaluation.classification`."""

    weights: list[str] = setting([], "checkpoints; several make an ensemble; left out: the shipped one", metavar="FILE")
    out: str = setting("runs/evaluation", "where scores.json and the pictures go", metavar="DIR")
    compare: list[str] = setting(
        [], "two of them, or their predictions.csv: is the second better than the first?", metavar="FILE"
    )
    tta: bool = setting(False, "predict every face together with its mirror image")
    prior: str = setting(
        "dataset", "how frequent expressions are taken to be: as in the training data set, or all alike", choices=PRIORS
    )


def run(settings: Settings) -> int:
    """Evaluate, write, print."""
    if settings.compare:
        return run_comparison(settings)
    evaluation = evaluate_split(settings)
    lines = list(table(evaluation.scores))
    write_predictions(settings.out, evaluation)
    for name, text in (("report.txt", lines), ("table.tex", latex_table(evaluation.scores))):
        write_file(Path(settings.out) / name, "\n".join(text) + "\n")
    publish(settings.out, "scores", evaluation.scores, figures(evaluation), lines)
    return 0


def run_comparison(settings: Settings) -> int:
    """Compare two networks, or two predictions.csv, face by face."""
    if len(settings.compare) != 2 or settings.weights:
        raise UserError("--compare takes two files, A and B, checkpoints or predictions.csv, and no --weights.")
    both: list[Predictions] = []
    about: list[dict | None] = []
    for path in settings.compare:
        if path.endswith(".csv"):
            both.append(read_predictions(path))
            about.append(None)
        else:
            evaluation = evaluate_split(dataclasses.replace(settings, weights=[path], compare=[]))
            both.append(predictions_of(evaluation))
            about.append({name: evaluation.scores[name] for name in ("dataset", "split", "protocol")})
    found = {"compared": settings.compare, "about": about} | compare(*both)
    publish(settings.out, "comparison", found, {}, comparison_lines(found))
    return 0


def predictions_of(evaluation: Evaluation) -> Predictions:
    """The predictions of an evaluation, by class name; names are as predictions.csv gives them back."""
    faces = evaluation.faces
    files, classes = ([original(harmless(name)) for name in names] for names in (faces.names, faces.class_names))
    names = np.array(classes)
    return Predictions(tuple(files), names[faces.labels], names[evaluation.label.argmax(axis=1)])


def evaluate_split(settings: Settings) -> Evaluation:
    """Evaluate the checkpoints on the split; the scores also name data set, split, protocol and weights."""
    paths, device = settings.weights or [str(SHIPPED)], pick_device(settings.device)
    threads = available_threads()
    classifiers = [
        Classifier.from_file(path, device=device, confidence="label", prior=settings.prior, threads=threads)
        for path in paths
    ]
    for path in (path for path, classifier in zip(paths, classifiers, strict=True) if classifier.settings.get("folds")):
        notify(f"{path} is of a cross-validation, which trained on faces of all splits; its scores are in folds.json.")
    layout, faces = settings.load()
    train = None if settings.split in ("train", ALL) else load_train(settings, layout)
    notify(f"{count(len(paths), 'network')} on {len(faces):,} faces, on {device}")
    evaluation = evaluate(classifiers, faces, train=train, tta=settings.tta)
    if many := sorted(faces.attributes.keys() - evaluation.scores.get("groups", {}).keys()):
        notify(f"no scores by {', '.join(many)}: of more than {MOST_GROUPS} values most have few faces")
    about = {
        "dataset": layout.NAME,
        "split": settings.split,
        "protocol": getattr(layout, "PROTOCOL", "every face of the split") + closed_words(evaluation.scores["classes"]),
        "weights": paths,
        "tta": settings.tta,
    }
    return dataclasses.replace(evaluation, scores=about | evaluation.scores)


def closed_words(classes: dict) -> str:
    """What the protocol has to say where set and network have other classes; nothing where they have the same."""
    words, known = "", len(classes["of_the_set"])
    if classes["forbidden"]:
        words += f"; closed set: answers only among its {known} classes, never {', '.join(classes['forbidden'])}"
    if classes["unknown_to_the_network"]:
        words += (
            f"; the network does not know {', '.join(classes['unknown_to_the_network'])}: such faces count as wrong"
        )
    return words


def load_train(settings: Settings, layout: Format) -> FaceSet | None:
    """The faces of the train split, in which duplicates are looked for; None, and a notice, where it cannot be read."""
    try:
        # compared by the bytes of their files: none is decoded
        return dataclasses.replace(settings, skip_bad=True).load_split("train", layout, check=False)
    except UserError as error:
        notify(f"duplicates in train are not looked for: {error}")
        return None


def figures(evaluation: Evaluation) -> dict[str, Figure]:
    """The pictures of an evaluation that `evaluate_split` gave, by name."""
    faces, scores = evaluation.faces, evaluation.scores
    split = f"{scores['dataset']} {scores['split']}"
    correct = f"{split}: {scores['correct']:,} of {scores['n']:,} right, {100 * scores['accuracy']:.1f} %"
    return {
        "curves": curves_figure(curves_table(evaluation), title=split),
        "confusion": confusion_figure(evaluation.confusion, faces.class_names, title=correct),
        "reliability": reliability_figure(faces.labels, evaluation.crowd, evaluation.label, title=split),
        "per_class": per_class_figure(scores["per_class"], title=f"{split}: macro-F1 {scores['macro_f1']:.3f}"),
        "mistakes": mistakes_figure(faces, evaluation.label, title=f"{split}: the most confident mistakes"),
    }


main = command(Settings, run, prog="python -m evaluation.classification", doc=__doc__)
