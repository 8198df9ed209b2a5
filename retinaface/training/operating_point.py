"""Make trained detector weights ready to ship: python -m retinaface.training.operating_point --annotations A.jsonl --images DIR

In:  trained weights, annotated pictures of which some show no face.
Out: float16 weights in which a score of 0.5 is the operating point: on the face-free validation pictures at most one
     false face in `--pictures-per-false-face`.

How sure a detector says it is depends on how often faces were on its training scenes, which is not how often they are
before a camera. Lowering the bias of the face logit moves every score by one monotone curve: which detection beats
which, and so the AP, stays what it was.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch

from retinaface.detector import FORMAT, SHIPPED, RetinaFace, read_weights
from retinaface.metrics import LOWEST_SCORE
from retinaface.network import RetinaFaceNetwork
from retinaface.training.annotations import Picture, read_annotations, read_pictures, split_of
from support import UserError, command, notify, pick_device, run_and_exit, setting
from support.weights import load_strictly, save_tensors

FACE = 1  # of the two class logits [background, face]


@dataclass
class Settings:
    """Flags of `python -m retinaface.training.operating_point`."""

    weights: str = setting("runs/detector/weights.safetensors", "trained weights", metavar="FILE")
    annotations: str = setting("", "annotations with face-free validation pictures", metavar="FILE.jsonl")
    images: str = setting("", "the folder that their picture names start from", metavar="DIR")
    pictures_per_false_face: int = setting(40, "the operating point, on face-free validation pictures")
    out: str = setting(str(SHIPPED), "where the weights go", metavar="FILE.safetensors")
    device: str = setting("auto", "auto, cpu, mps, cuda or cuda:N")


def run(settings: Settings) -> int:
    """Parse, find the operating point, write."""
    rows = [row for row in read_annotations(settings.annotations) if not row["boxes"] and split_of(row) == "val"]
    if len(rows) < settings.pictures_per_false_face:
        raise UserError(
            f"{settings.annotations} has {len(rows)} face-free validation pictures, fewer than "
            f"{settings.pictures_per_false_face}: too few to find a operating point."
        )
    network = RetinaFaceNetwork()
    load_strictly(network, read_weights(settings.weights), what=settings.weights)
    detector = RetinaFace(network.to(pick_device(settings.device)), score_threshold=LOWEST_SCORE, longest_side=None)
    score = operating_score(
        detector, read_pictures(rows, settings.images), allowed=len(rows) // settings.pictures_per_false_face
    )
    move_score(network, score)
    header = {"format": FORMAT, "working_score_before": score}
    save_tensors(settings.out, network.state_dict(), header=header, half=True)
    notify(f"{settings.out}: what was scored {score:.3f} is now scored 0.5")
    return 0


def operating_score(detector: RetinaFace, pictures: Iterable[Picture], *, allowed: int) -> float:
    """The score above which `detector` reports at most `allowed` faces on face-free `pictures`; 0.5 at the least."""
    scores = sorted((face.score for p in pictures for face in detector([p.image])[0]), reverse=True)
    highest_refused = scores[allowed] if len(scores) > allowed else 0.0
    return max(0.5, float(np.nextafter(np.float32(highest_refused), np.float32(1))))


@torch.no_grad()
def move_score(network: RetinaFaceNetwork, score: float) -> None:
    """Change the biases of the class heads, in place, so that what was scored `score` is scored 0.5."""
    shift = np.log(score / (1 - score))
    for head in network.ClassHead:
        head.conv1x1.bias.view(-1, 2)[:, FACE] -= shift


main = command(Settings, run, prog="python -m retinaface.training.operating_point", doc=__doc__)

if __name__ == "__main__":
    run_and_exit(main)
