"""Set the operating point of a detector: python -m retinaface.training.operating_point --annotations A --images DIR

In:  trained weights, annotated pictures of which some show no face.
Out: float16 weights, and an .onnx file beside them, in which a score of 0.5 is the operating point: at most one false
     face in `--pictures-per-false-face` validation pictures without a face.

A detector's scores depend on how often faces occur in its training scenes, which is not how often they occur before a
camera. A constant added to the face logits changes every score by one monotone function: the order of detections, and
so the AP, stays the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch

from retinaface.detector import FORMAT, SHIPPED, RetinaFace, load_network
from retinaface.export import export_weights
from retinaface.metrics import LOWEST_SCORE
from retinaface.network import RetinaFaceNetwork
from retinaface.training.annotations import Detect, Picture, read_annotations, read_pictures, split_of
from retinaface.training.loss import FACE
from support import UserError, command, notify, pick_device, run_and_exit, setting
from support.weights import save_tensors


@dataclass
class Settings:
    """Flags of `python -m retinaface.training.operating_point`."""

    weights: str = setting("runs/detector/weights.safetensors", "trained weights", metavar="FILE")
    annotations: str = setting("", "annotations with validation pictures without a face", metavar="FILE.jsonl")
    images: str = setting("", "the folder that their picture names start from", metavar="DIR")
    pictures_per_false_face: int = setting(
        40, "the operating point, on validation pictures without a face", within=(1, math.inf)
    )
    out: str = setting(str(SHIPPED), "where the weights go", metavar="FILE.safetensors")
    device: str = setting("auto", "auto, cpu, mps, cuda or cuda:N")


def run(settings: Settings) -> int:
    """Find the operating point, write the weights."""
    rows = [row for row in read_annotations(settings.annotations) if not row["boxes"] and split_of(row) == "val"]
    if len(rows) < settings.pictures_per_false_face:
        raise UserError(
            f"{settings.annotations} has {len(rows)} validation pictures without a face, fewer than "
            f"{settings.pictures_per_false_face}: too few to find an operating point."
        )
    network = load_network(settings.weights, RetinaFaceNetwork).to(pick_device(settings.device))
    detector = RetinaFace(network, conf=LOWEST_SCORE, imgsz=None)
    allowed = len(rows) // settings.pictures_per_false_face
    score = find_threshold(detector, read_pictures(rows, settings.images), allowed=allowed)
    shift_scores(network, score)
    header = {"format": FORMAT, "score_threshold_before": score}
    save_tensors(settings.out, network.state_dict(), header=header, half=True)
    notify(f"{settings.out}: what was scored {score:.3f} is now scored 0.5")
    export_weights(settings.out)
    return 0


def find_threshold(detector: Detect, pictures: Iterable[Picture], *, allowed: int) -> float:
    """The lowest score threshold, at least 0.5, with at most `allowed` faces on `pictures` that show none."""
    scores = sorted((face.score for p in pictures for face in detector([p.image])[0]), reverse=True)
    highest_refused = scores[allowed] if len(scores) > allowed else 0.0
    return max(0.5, float(np.nextafter(np.float32(highest_refused), np.float32(1))))


@torch.no_grad()
def shift_scores(network: RetinaFaceNetwork, score: float) -> None:
    """Change the biases of the class heads, in place, so that what was scored `score` is scored 0.5."""
    shift = float(np.log(score / (1 - score)))
    for head in network.ClassHead:
        head.get_parameter("conv1x1.bias").view(-1, 2)[:, FACE] -= shift


main = command(Settings, run, prog="python -m retinaface.training.operating_point", doc=__doc__)

if __name__ == "__main__":
    run_and_exit(main)
