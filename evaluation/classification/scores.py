"""All scores of one network, or of several as an ensemble, on one split.

In:  checkpoints, a `FaceSet`, and the training faces where duplicates are to be looked for.
Out: `Evaluation`: probabilities in two readings, and `scores`, plain JSON values by name.

A network trained on votes gives the shares of a crowd, the plain softmax: KL and JS are of these. Which label the
majority gave, and how likely that is, it says with the bias and the temperature that were fitted on validation
(models/training/calibration.py): accuracy, F1 and the calibration error (ece) are of that reading.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from data.face_set import FaceSet, without_duplicates
from models.checkpoint import Checkpoint
from models.classifier import Classifier, softmax
from models.ensemble import Ensemble
from support import UserError
from support.metrics import (
    accuracy,
    bootstrap_interval,
    confusion_matrix,
    expected_calibration_error,
    js_divergence,
    kl_divergence,
    macro_f1,
    per_class,
    score,
)

RARE = "contempt"  # 15 of 3,137 FER+ test faces: one of them moves macro-F1 by about a point


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What the networks made of N faces of K classes.

    crowd: (N, K) float32, the plain softmax; calibrated: (N, K) float32, with the fitted bias and temperature; rows
        sum to 1.
    scores: n, correct, accuracy ... per_class, without_train_twins, groups, members, readings.
    """

    faces: FaceSet
    crowd: np.ndarray
    calibrated: np.ndarray
    scores: dict

    @property
    def predicted(self) -> np.ndarray:
        """(N,) int64: the most likely label."""
        return self.calibrated.argmax(axis=1)

    @property
    def confusion(self) -> np.ndarray:
        """(K, K) int64: row = label, column = prediction."""
        return confusion_matrix(self.faces.labels, self.predicted, classes=len(self.faces.class_names))


def evaluate(
    checkpoints: Sequence[Checkpoint],
    faces: FaceSet,
    *,
    train: FaceSet | None = None,
    tta: bool = False,
    device: torch.device | str = "cpu",
) -> Evaluation:
    """Classify `faces` with every checkpoint and score the unweighted mean of their probabilities.

    train: faces among which byte-identical duplicates are looked for. tta: read every face and its mirror image.
    Raises `UserError` where a class of `faces` is unknown to a network.
    """
    crowd, calibrated = read_by_each(checkpoints, faces, tta=tta, device=device)
    columns = (faces.labels, faces.votes, crowd.mean(axis=0), calibrated.mean(axis=0))

    def scored(rows: np.ndarray | slice = slice(None)) -> dict:
        return summary(*(column[rows] for column in columns), class_names=faces.class_names)

    scores = scored()
    if train is not None:
        rows = without_duplicates(faces, train)
        scores["without_train_twins"] = {"duplicates": int((~rows).sum()), **(scored(rows) if rows.any() else {})}
    if faces.attributes:
        scores["groups"] = {
            name: {value: scored(values == value) for value in sorted(set(values) - {None})}
            for name, values in faces.attributes.items()
        }
    if len(checkpoints) > 1:
        scores["members"] = [
            {"network": checkpoint.network, **summary(*columns[:2], *own, class_names=faces.class_names)}
            for checkpoint, *own in zip(checkpoints, crowd, calibrated, strict=True)
        ]
    scores["readings"] = {
        "kl, js": "the plain softmax: the shares of a crowd",
        "accuracy, F1, ece, confidence": "with the fitted bias and temperature: the probability of the label",
        "temperatures": [checkpoint.temperature for checkpoint in checkpoints],
        "kl, js are to": "the crowd's votes" if faces.has_votes else "the labels, one-hot: there are no votes",
    }
    return Evaluation(faces, *columns[2:], scores)


def read_by_each(
    checkpoints: Sequence[Checkpoint], faces: FaceSet, *, tta: bool, device: torch.device | str
) -> tuple[np.ndarray, np.ndarray]:
    """(M, N, K) float32 at temperature 1 and at the fitted ones: what each of the M networks says of the faces.

    Classes are joined by name: those that `faces` lack are dropped, and the others scaled to sum to 1.
    """
    wanted = {"device": device, "calibrated": True, "threads": os.cpu_count()}
    classifiers = [Classifier(checkpoint, **wanted) for checkpoint in checkpoints]
    ensemble = Ensemble(classifiers)
    columns = class_columns(ensemble.class_names, faces.class_names)
    crowd, calibrated = zip(*(read(classifier, faces.images, tta=tta) for classifier in classifiers), strict=True)
    return scaled(ensemble.aligned(crowd)[:, :, columns]), scaled(ensemble.aligned(calibrated)[:, :, columns])


def class_columns(known: Sequence[str], wanted: Sequence[str]) -> list[int]:
    """Where each of the `wanted` class names stands among those `known`; `UserError` where one does not."""
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise UserError(
            f"the data set has the class {', '.join(unknown)}, which the network does not know; its classes are "
            f"{', '.join(known)}. Name another checkpoint, or one trained on this data set."
        )
    return [known.index(name) for name in wanted]


def scaled(probabilities: np.ndarray) -> np.ndarray:
    """(..., K) float32, rows scaled to sum to 1."""
    return probabilities / probabilities.sum(axis=-1, keepdims=True)


def read(classifier: Classifier, images: Sequence[np.ndarray], *, tta: bool) -> tuple[np.ndarray, np.ndarray]:
    """(N, K) float32 at temperature 1 and at the classifier's own, from the same forward passes."""
    views = [classifier.logits(images)]
    if tta:
        views.append(classifier.logits([image[:, ::-1] for image in images]))
    crowd = np.stack([softmax(logits) for logits in views])
    calibrated = np.stack([classifier.to_probabilities(logits) for logits in views])
    return crowd.mean(axis=0), calibrated.mean(axis=0)


def unseen_in(faces: FaceSet, train: FaceSet) -> np.ndarray:
    """(N,) bool: the faces without a byte-identical picture in `train`."""
    alone = set(without_duplicates(faces, train).names)
    return np.array([name in alone for name in faces.names])


def summary(
    labels: np.ndarray, votes: np.ndarray, crowd: np.ndarray, calibrated: np.ndarray, *, class_names: Sequence[str]
) -> dict:
    """The scores of some faces. labels (N,) int; votes, crowd, calibrated (N, K) float; N at least 1."""
    confusion = confusion_matrix(labels, calibrated.argmax(axis=1), classes=len(class_names))
    occurring = np.unique(labels)  # a draw that misses one of them must not score the better for it
    scores = score(labels, calibrated, votes)
    scores |= {"kl": kl_divergence(votes, crowd), "js": js_divergence(votes, crowd)}
    scores["ece_temperature_1"] = expected_calibration_error(labels, crowd)
    scores["accuracy_crowd"] = float((crowd.argmax(axis=1) == labels).mean())
    scores["accuracy_interval"] = bootstrap_interval(confusion, accuracy)
    scores["macro_f1_interval"] = bootstrap_interval(confusion, partial(macro_f1, classes=occurring))
    if RARE in class_names and len(class_names) == 8:
        common = [index for index in occurring if class_names[index] != RARE]
        scores["macro_f1_7"] = macro_f1(confusion, classes=common)
    table = per_class(confusion)
    scores["per_class"] = {
        name: {column: values[row].item() for column, values in table.items()} for row, name in enumerate(class_names)
    }
    return scores
