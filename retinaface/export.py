"""The deployable form of detector weights: python -m retinaface.export --weights X.safetensors

In:  detector weights, ours or the public .pth.
Out: X.onnx beside them: frames (N, H, W, 3) uint8 RGB -> scores (N, A), boxes (N, A, 4) xyxy and landmarks
     (N, A, 5, 2) of all A anchors, in pixels of the frame; weights inside, and in the file's metadata all that a
     program needs to choose the faces among them (`metadata_of`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from retinaface.defaults import CONF
from retinaface.detector import BOX_POWER, CONTAINMENT, IOU_THRESHOLD, ONNX_FORMAT, SHIPPED, VOTING_IOU, VOTING_SHARE
from retinaface.face import LANDMARKS
from retinaface.near_faces import ALONE, NEAR, PART, POSSIBLE, SAME_IOU, WHOLE_SCORE
from support import command, run_and_exit, setting

OUTPUTS = ("scores", "boxes", "landmarks")


@dataclass
class Settings:
    """Flags of `python -m retinaface.export`."""

    weights: str = setting(str(SHIPPED), "detector weights, ours or the public .pth", metavar="FILE")
    out: str = setting("", "where the model goes; left out: beside the weights", metavar="FILE.onnx")


def run(settings: Settings) -> None:
    """Export, check, write; the file's name goes to stdout."""
    print(export_weights(settings.weights, settings.out or None))


def export_weights(path: str | Path, out: str | Path | None = None) -> Path:
    """Write the .onnx file of the weights at `path` to `out`, or beside them; where it went.

    Raises `UserError` where the weights cannot be read, the network cannot be exported, or `out` is no such name.
    """
    import torch

    from retinaface.checkpoint import FramesToFaces, load_network
    from support.onnx.export import export_file

    anchors = {0: "frames", 1: "anchors"}
    return export_file(
        path,
        out,
        FramesToFaces(load_network(path)).eval(),
        torch.randint(0, 256, (2, 90, 130, 3), dtype=torch.uint8),  # sides that no stride divides
        dynamic_axes={"input": {0: "frames", 1: "height", 2: "width"}} | dict.fromkeys(OUTPUTS, anchors),
        outputs=OUTPUTS,
        metadata=metadata_of(),
    )


def metadata_of() -> dict:
    """What a program has to know to choose the faces among the outputs, as plain JSON values.

    conf: the score from which a face is reported. iou_threshold, containment: of two boxes with a higher IoU, or of
        which one lies to that share inside the other, the better one stays. voting_iou, voting_share: anchors with
        that IoU to a face's best box, and that share of its score, vote on its landmarks, weighted by score, and on
        its box, weighted by the score to the power box_power.
    near, possible, whole_score, part, alone, same_iou: how a face that fills the frame is one face
        (`retinaface.near_faces.whole_faces`).
    """
    return {
        "format": ONNX_FORMAT,
        "landmarks": list(LANDMARKS),
        "conf": CONF,
        "iou_threshold": IOU_THRESHOLD,
        "containment": CONTAINMENT,
        "voting_iou": VOTING_IOU,
        "voting_share": VOTING_SHARE,
        "box_power": BOX_POWER,
        "near": NEAR,
        "possible": POSSIBLE,
        "whole_score": WHOLE_SCORE,
        "part": PART,
        "alone": ALONE,
        "same_iou": SAME_IOU,
    }


main = command(Settings, run, prog="python -m retinaface.export", doc=__doc__)

if __name__ == "__main__":
    run_and_exit(main)
