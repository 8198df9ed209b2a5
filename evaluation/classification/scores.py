"""All scores of one network, or of several as an ensemble, on one split.

In:  classifiers, a `FaceSet`, and the training faces among which duplicates are looked for.
Out: `Evaluation`: probabilities by both confidences, and `scores`, plain JSON values by name (docs/results.md).

A network trained on votes predicts the shares of a crowd (confidence "crowd"): KL and JS divergence are of these. The
label and how likely it is come with the class bias and temperature fitted on validation data (confidence "label",
models/training/calibration.py): accuracy, F1 and the calibration error (ece) are of these.

Where set and network have other classes, they are joined by name, and which figure is which is said: the main scores
choose among the classes of the set only (a closed set), `own_answers` among all that the network knows. Faces of a
class that the network lacks count, and are wrong; `known_classes` are the scores of the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from data.face_set import FaceSet, rows_without_duplicate
from models.classifier import Classifier
from models.ensemble import Ensemble
from support import UserError
from support.metrics import (
    accuracy,
    area_under_roc,
    bootstrap_interval,
    confusion_matrix,
    expected_calibration_error,
    js_divergence,
    kl_divergence,
    macro_f1,
    per_class,
    score,
    step_average_precision,
)

MOST_GROUPS = 50  # of an attribute that is scored by group: one with more values tells of single faces
RARE = "contempt"  # 15 of 3,137 FER+ test faces: one of them moves macro-F1 by about a point


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What the networks predict for N faces of K classes.

    crowd, label: (N, K) float64, by `Classifier`'s two confidences, each with its bias and temperature; rows sum to 1.
    scores: n, correct, accuracy, ... per_class, without_train_duplicates, groups, members.
    """

    faces: FaceSet
    crowd: np.ndarray
    label: np.ndarray
    scores: dict

    @property
    def confusion(self) -> np.ndarray:
        """(K, K) int64: row = label, column = prediction."""
        return confusion_matrix(self.faces.labels, self.label.argmax(axis=1), classes=len(self.faces.class_names))


def evaluate(
    classifiers: Sequence[Classifier], faces: FaceSet, *, train: FaceSet | None = None, tta: bool = False
) -> Evaluation:
    """Classify `faces` with every classifier and score the unweighted mean of their probabilities.

    train: faces among which byte-identical duplicates are looked for.
    tta: every face is predicted together with its mirror image.
    Raises `UserError` where set and networks share fewer than two classes.
    """
    ensemble = Ensemble(classifiers)
    network_names = ensemble.class_names
    known = np.isin(faces.class_names, network_names)
    if known.sum() < 2:
        raise UserError(
            f"the network and the data set share {known.sum()} class(es): the set has {', '.join(faces.class_names)}, "
            f"the network {', '.join(network_names)}. Name another checkpoint, or map the names (--classes FILE)."
        )
    open_crowd, open_label = predict_each(ensemble, faces, tta=tta)
    crowd, label = (closed(each, network_names, faces.class_names) for each in (open_crowd, open_label))
    columns = (faces.labels, np.asarray(faces.votes), crowd.mean(axis=0), label.mean(axis=0))

    def scores_of(rows: np.ndarray | slice) -> dict:
        return summary(*(column[rows] for column in columns), class_names=faces.class_names, known=known)

    scores = scores_of(slice(None))
    scores["classes"] = {
        "of_the_set": list(faces.class_names),
        "forbidden": [name for name in network_names if name not in faces.class_names],
        "unknown_to_the_network": [faces.class_names[row] for row in np.unique(faces.labels) if not known[row]],
    }
    if scores["classes"]["forbidden"]:
        answers = np.array(network_names)[open_label.mean(axis=0).argmax(axis=1)]
        scores["own_answers"] = share_right(answers == np.array(faces.class_names)[faces.labels])
    if not known.all():
        rows = known[faces.labels]
        scores["known_classes"] = scores_of(rows) if rows.any() else {"n": 0}
    if train is not None:
        kept = rows_without_duplicate(faces, train)
        scores["without_train_duplicates"] = {"duplicates": int((~kept).sum())} | (
            scores_of(kept) if kept.any() else {}
        )
    if faces.attributes:
        scores["groups"] = {
            name: {value or "(empty)": scores_of(values == value) for value in sorted(found)}
            for name, values in faces.attributes.items()
            if len(found := set(values) - {None}) <= MOST_GROUPS
        }
    if len(classifiers) > 1:
        scores["members"] = [
            {"network": classifier.name, **summary(*columns[:2], *own, class_names=faces.class_names, known=known)}
            for classifier, *own in zip(classifiers, crowd, label, strict=True)
        ]
    scores["prior"] = classifiers[0].prior
    scores["temperatures"] = [classifier.bias_and_temperature["label"][1] for classifier in classifiers]
    scores["kl_js_target"] = "the votes" if faces.has_votes else "the labels, one-hot: there are no votes"
    return Evaluation(faces, *columns[2:], scores)


def predict_each(ensemble: Ensemble, faces: FaceSet, *, tta: bool) -> tuple[np.ndarray, np.ndarray]:
    """(M, N, K) float64 twice: the crowd and the label probabilities of each of the M networks, from the same passes.

    K are the ensemble's classes, in its order.
    """
    crowd: list[np.ndarray] = []
    label: list[np.ndarray] = []
    for classifier in ensemble.members:
        views = [classifier.logits(faces.images)]
        if tta:
            views.append(classifier.logits(image[:, ::-1] for image in faces.images))
        logits = np.stack(views).astype(np.float64)  # in which a class keeps a share beside one that is far ahead
        for rows, confidence in ((crowd, "crowd"), (label, "label")):
            rows.append(np.mean([classifier.to_probabilities(each, confidence=confidence) for each in logits], axis=0))
    return ensemble.aligned(crowd), ensemble.aligned(label)


def closed(probabilities: np.ndarray, known: Sequence[str], wanted: Sequence[str]) -> np.ndarray:
    """(M, N, K) over the classes `known` -> (M, N, L) over those `wanted`, scaled to sum to 1; of one not known, 0."""
    columns = [probabilities[:, :, known.index(name)] if name in known else None for name in wanted]
    zeros = np.zeros(probabilities.shape[:2], probabilities.dtype)
    kept = np.stack([zeros if column is None else column for column in columns], axis=2)
    total = kept.sum(axis=2, keepdims=True)
    return np.divide(kept, total, out=np.zeros_like(kept), where=total > 0)


def share_right(right: np.ndarray) -> dict:
    """n, correct, accuracy and its interval of (N,) bool."""
    correct, n = int(right.sum()), len(right)
    interval = bootstrap_interval(np.array([[correct, n - correct], [0, 0]]), accuracy)
    return {"n": n, "correct": correct, "accuracy": correct / n, "accuracy_interval": interval}


def class_columns(known: Sequence[str], wanted: Sequence[str]) -> list[int]:
    """Where each of the `wanted` class names stands among those `known`; `UserError` where one does not."""
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise UserError(
            f"the data set has the class {', '.join(unknown)}, which the network does not know; its classes are "
            f"{', '.join(known)}. Name another checkpoint, or one trained on this data set."
        )
    return [known.index(name) for name in wanted]


def summary(
    labels: np.ndarray,
    votes: np.ndarray,
    crowd: np.ndarray,
    label: np.ndarray,
    *,
    class_names: Sequence[str],
    known: np.ndarray | None = None,
) -> dict:
    """The scores of some faces. labels (N,) int; votes, crowd, label (N, K) float; N at least 1.

    known: (K,) bool, classes that the network knows; KL and JS are of the votes for these (None without any).
    """
    known = np.ones(len(class_names), bool) if known is None else known
    confusion = confusion_matrix(labels, label.argmax(axis=1), classes=len(class_names))
    occurring = np.unique(labels)  # a resample in which one of them is missing must not score the better for it
    scores: dict = score(labels, label, votes)
    rows = votes[:, known].sum(axis=1) > 0
    target, predicted = votes[rows][:, known], crowd[rows][:, known]
    target = target / target.sum(axis=1, keepdims=True)
    for name, divergence in (("kl", kl_divergence), ("js", js_divergence)):
        scores[name] = divergence(target, predicted) if len(target) else None
    scores["ece_crowd"] = expected_calibration_error(labels, crowd)
    scores["accuracy_crowd"] = float((crowd.argmax(axis=1) == labels).mean())
    scores["accuracy_interval"] = bootstrap_interval(confusion, accuracy)
    scores["macro_f1_interval"] = bootstrap_interval(confusion, partial(macro_f1, classes=occurring))
    if RARE in class_names and len(class_names) == 8:
        common = [index for index in occurring if class_names[index] != RARE]
        scores["macro_f1_7"] = macro_f1(confusion, classes=common) if common else None
    table = per_class(confusion)
    scores["per_class"] = {
        name: {column: values[row].item() for column, values in table.items()} for row, name in enumerate(class_names)
    }
    for place, name in enumerate(class_names):
        hits = labels == place
        if 0 < hits.sum() < len(hits):
            scores["per_class"][name] |= {
                "auroc": area_under_roc(label[:, place], hits),
                "average_precision": step_average_precision(label[:, place], hits),
            }
    return scores
