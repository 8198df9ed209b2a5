"""Set the operating point of a detector: python -m retinaface.training.operating_point --annotations A --images DIR

In:  trained weights, of several runs where one went on from another; annotated pictures of which some show no face.
Out: float16 weights, and an .onnx file beside them, in which a score of 0.5 is the operating point: at most one false
     face in `--pictures-per-false-face` validation pictures without a face.

A detector's scores depend on how often faces occur in its training windows, which is not how often they occur before a
camera. A constant added to the face logits changes every score by one monotone function: the order of anchors stays.
Boxes and landmarks, which are means weighted by scores (`retinaface.detector.vote`), and what is searched for from a
score on (`retinaface.near_faces`), change a little, and so may the AP.

Of several weights the mean is taken (Wortsman et al. 2022, model soups, arXiv 2203.05482).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch

from retinaface.anchors import ANCHORS
from retinaface.checkpoint import FORMAT, load_network
from retinaface.detector import SHIPPED, RetinaFace
from retinaface.export import export_weights
from retinaface.metrics import LOWEST_SCORE
from retinaface.network import RetinaFaceNetwork
from retinaface.training.annotations import Detect, Picture, is_face_free, read_annotations, read_pictures, split_of
from support import UserError, command, notify, pick_device, run_and_exit, setting
from support.weights import as_stored, check_name, save_tensors


@dataclass
class Settings:
    """Flags of `python -m retinaface.training.operating_point`."""

    weights: list[str] = setting(
        ["runs/detector/weights.safetensors"], "trained weights; of several the mean", metavar="FILE"
    )
    annotations: list[str] = setting([], "annotations with validation pictures without a face", metavar="FILE.jsonl")
    images: list[str] = setting([], "for each of them the folder that its picture names start from", metavar="DIR")
    pictures_per_false_face: int = setting(
        40, "the operating point, on validation pictures without a face", within=(1, math.inf)
    )
    out: str = setting(str(SHIPPED), "where the weights go", metavar="FILE.safetensors")
    device: str = setting("auto", "auto, cpu, mps, cuda or cuda:N")


def run(settings: Settings) -> int:
    """Find the operating point, write the weights."""
    check_name(settings.out)
    if not settings.annotations or len(settings.annotations) != len(settings.images):
        raise UserError("--annotations FILE.jsonl ... and --images DIR ... are both needed, one folder for each file.")
    chosen = [
        [row for row in read_annotations(file) if split_of(row) == "val" and is_face_free(row)]
        for file in settings.annotations
    ]
    count = sum(map(len, chosen))
    if count < settings.pictures_per_false_face:
        raise UserError(
            f"--annotations have {count} validation pictures without a face, fewer than "
            f"{settings.pictures_per_false_face}: too few to find an operating point; add some, or lower "
            "--pictures-per-false-face."
        )
    network = mean_network(settings.weights).to(pick_device(settings.device))
    round_to_half(network)
    detector = RetinaFace(network, conf=LOWEST_SCORE, imgsz=None)
    pictures = chain.from_iterable(map(read_pictures, chosen, settings.images))
    score = find_threshold(detector, pictures, allowed=count // settings.pictures_per_false_face)
    shift_scores(network, score)
    header = {"format": FORMAT, "score_threshold_before": score}
    save_tensors(settings.out, network.state_dict(), header=header, half=True)
    notify(f"{settings.out}: what was scored {score:.3f} is now scored 0.5")
    export_weights(settings.out)
    return 0


def mean_network(paths: Sequence[str]) -> RetinaFaceNetwork:
    """The network with the mean of the weights, and of the batch norms' statistics, at `paths`."""
    networks = [load_network(path) for path in paths]
    for path, network in zip(paths, networks, strict=True):
        if not isinstance(network, RetinaFaceNetwork):
            raise UserError(f"--weights takes weights that python -m retinaface.training made, not {path}.")
    states = [network.state_dict() for network in networks]
    mean = RetinaFaceNetwork().eval()
    mean.load_state_dict({key: torch.stack([s[key].double() for s in states]).mean(dim=0) for key in states[0]})
    return mean


def find_threshold(detector: Detect, pictures: Iterable[Picture], *, allowed: int) -> float:
    """The lowest score threshold, at least 0.5, with at most `allowed` faces on `pictures` that show none.

    Raises `UserError` where there is none below 1.
    """
    scores = sorted((face.score for p in pictures for face in detector([p.image])[0]), reverse=True)
    highest_refused = scores[allowed] if len(scores) > allowed else 0.0
    threshold = max(0.5, float(np.nextafter(np.float32(highest_refused), np.float32(1))))
    if threshold >= 1:
        raise UserError(f"more than {allowed} false faces are scored 1, or next to it; train for longer.")
    return threshold


@torch.no_grad()
def round_to_half(network: RetinaFaceNetwork) -> None:
    """Give parameters and statistics the values, in place, that their file will hold."""
    for tensor in network.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(torch.from_numpy(as_stored(tensor.cpu().numpy(), half=True)))


@torch.no_grad()
def shift_scores(network: RetinaFaceNetwork, score: float) -> None:
    """Change the logits' biases, in place, so that what was scored `score` is scored 0.5, or less by their rounding."""
    shift = float(np.log(score / (1 - score)))
    for head in network.heads:
        bias = head.get_submodule("out").get_parameter("bias")[:ANCHORS]
        bias -= shift
        bias.copy_((bias - bias.abs() * torch.finfo(torch.half).eps).half())


main = command(Settings, run, prog="python -m retinaface.training.operating_point", doc=__doc__)

if __name__ == "__main__":
    run_and_exit(main)
