"""Calibrate a trained network anew: python -m evaluation.classification.calibrate --weights X --data-path DIR

In:  a checkpoint; the data set of its training, on whose validation split all is fitted.
Out: the checkpoint with its temperatures, class bias, class prior and tau, and its .onnx file beside it; what each
     --confidence and --prior score on that validation split, on stdout.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from data.datasets import find_format
from data.face_set import FaceSet, with_labels_for_votes
from data.loader import row_weights
from evaluation.commands import DataSettings
from models.checkpoint import SHIPPED, Checkpoint, load_checkpoint, save_checkpoint
from models.classifier import CONFIDENCES, PRIORS, Classifier
from models.export import export_checkpoint
from models.training import calibration
from support import UserError, command, notify, pick_device, run_and_exit, setting
from support.columns.one_hot import one_hot, weighted_mean
from support.metrics import score
from support.weights import check_name, is_half


@dataclasses.dataclass
class Settings(DataSettings):
    """Flags of `python -m evaluation.classification.calibrate`."""

    weights: str = setting(str(SHIPPED), "the checkpoint", metavar="FILE.safetensors")
    out: str = setting("", "where the calibrated one goes; left out: in the place of the old one", metavar="FILE")


def run(settings: Settings) -> None:
    """Fit, write, export, print."""
    out = Path(settings.out or settings.weights)
    check_name(out)
    checkpoint = load_checkpoint(settings.weights)
    if checkpoint.settings.get("folds"):
        raise UserError(f"{settings.weights} is of a cross-validation, which trained on validation faces; use another.")
    layout = find_format(settings.data_path, name=settings.dataset)
    train = in_order(settings.load_split("train", layout, check=False), checkpoint)  # of which only labels are wanted
    validation = in_order(settings.load_split("validation", layout), checkpoint)
    if len(validation) < calibration.FEWEST_FACES:  # those that it has now are better than none
        raise UserError(
            f"calibration wants {calibration.FEWEST_FACES} validation faces at least, not {len(validation)}; "
            "nothing was written."
        )
    logits = Classifier(checkpoint, device=pick_device(settings.device)).logits(validation.images)
    calibrated = calibrated_on(checkpoint, logits, train, validation)
    save_checkpoint(out, calibrated, half=is_half(settings.weights))
    lacking = calibrated.scores.get("not_calibrated")
    notify(
        f"{out} and {export_checkpoint(out)} are {'written, and not calibrated in full' if lacking else 'calibrated'}"
    )
    print(*table(calibrated, logits, validation), sep="\n")


def calibrated_on(checkpoint: Checkpoint, logits: np.ndarray, train: FaceSet, validation: FaceSet) -> Checkpoint:
    """`checkpoint` calibrated on its `logits` of `validation`.

    How often its training showed each class is counted in `train` where it does not say so itself. Both have the
    classes of the checkpoint in its order (`in_order`). What could not be fitted is said.
    """
    balance = float(checkpoint.settings.get("balance", 0))
    targets = with_labels_for_votes(train) if checkpoint.settings.get("loss") == "cross_entropy" else train
    shares = np.array(checkpoint.class_prior or weighted_mean(targets.votes, row_weights(train.labels, balance)))
    scores = {key: value for key, value in checkpoint.scores.items() if key != "not_calibrated"}
    checkpoint = dataclasses.replace(checkpoint, scores=scores)
    found = calibration.calibrate(checkpoint, logits, validation.labels, validation.votes, class_shares=shares)
    calibration.tell_doubts(found)
    return found


def in_order(faces: FaceSet, checkpoint: Checkpoint) -> FaceSet:
    """`faces` with its classes in the order of the checkpoint's; `UserError` where they are others."""
    names = checkpoint.class_names
    if set(names) != set(faces.class_names):
        raise UserError(
            f"the network is calibrated on the classes it was trained on, {', '.join(names)}, but the data set has "
            f"{', '.join(faces.class_names)}; name the data set of its training."
        )
    columns = [faces.class_names.index(name) for name in names]
    labels = np.argsort(columns)[faces.labels]
    votes = faces.votes[:, columns] if faces.has_votes else one_hot(labels, len(names))
    return dataclasses.replace(faces, class_names=names, votes=votes, labels=labels)


def table(checkpoint: Checkpoint, logits: np.ndarray, validation: FaceSet) -> Iterator[str]:
    """What each confidence and prior score on the validation split."""
    yield (
        f"temperature {checkpoint.temperature:.3f}, of the crowd's shares {checkpoint.crowd_temperature:.3f}; "
        f"tau {checkpoint.prior_tau:.2f}"
    )
    yield f"{'--confidence':<14}{'--prior':<10}{'accuracy':>10}{'balanced':>10}{'macro-F1':>10}{'KL':>8}{'ECE':>8}"
    for prior in PRIORS:
        classifier = Classifier(checkpoint, prior=prior)
        for confidence in CONFIDENCES:
            found = score(
                validation.labels, classifier.to_probabilities(logits, confidence=confidence), validation.votes
            )
            numbers = (found[name] for name in ("accuracy", "balanced_accuracy", "macro_f1"))
            yield (
                f"{confidence:<14}{prior:<10}"
                + "".join(f"{value:>10.3f}" for value in numbers)
                + (f"{found['kl']:>8.3f}{100 * found['ece']:>6.1f} %")
            )


main = command(Settings, run, prog="python -m evaluation.classification.calibrate", doc=__doc__)

if __name__ == "__main__":
    run_and_exit(main)
