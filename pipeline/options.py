"""What a person may choose: how faces are predicted, and what a session does with the results.

In:  flags, keys.
Out: immutable options. A key makes new ones, which go with the next batch; those of a batch never change.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from retinaface.defaults import CONF, IMGSZ
from support import UserError, setting


@dataclass(frozen=True)
class PredictOptions:
    """How the faces of a batch are predicted and explained.

    explainer: a key of `gradcam.EXPLAINERS`, or None for no heatmaps.
    explain_class: the class that heatmaps are for; None: each face's most probable one.
    tta: every face is predicted together with its mirror image; probabilities and heatmaps are the mean of both.
    smooth_s: time constant in seconds over which probabilities are smoothed along a track. Boxes
        are smoothed by a filter of their own (`pipeline.motion`); 0: neither is.
    Raises `UserError` where there is no such explainer or time constant.
    """

    explainer: str | None = "gradcam"
    explain_class: str | None = None
    tta: bool = False
    smooth_s: float = 0.4

    def __post_init__(self) -> None:
        from gradcam import EXPLAINERS  # imports cv2, which --help does without

        if self.explainer is not None and self.explainer not in EXPLAINERS:
            names = ", ".join(EXPLAINERS)
            raise UserError(
                f"there is no explainer {self.explainer!r}; the explainers are {names}; for no heatmaps live.py takes "
                "--explainer none."
            )
        if not 0 <= self.smooth_s < math.inf:
            raise UserError(f"smooth_s is 0 or more seconds, not {self.smooth_s}.")


@dataclass(frozen=True)
class AnalysisOptions:
    """The networks, and how they detect and predict: flags of live.py and of an archive."""

    detector_weights: str | None = setting(None, "detector weights, ours or the public .pth", metavar="FILE")
    imgsz: int | None = setting(
        None, "detect faces in the frame reduced to so many pixels on its longer side; 0: never reduced "
        f"(default: {IMGSZ} for cameras and films, 0 for pictures)",
        metavar="PX", within=(0, math.inf),
    )  # fmt: skip
    conf: float = setting(CONF, "leave out faces that the detector is less sure of, 0 to 1", within=(0, 1))
    max_faces: int = setting(20, "the most faces of a frame, the surest first", within=(1, math.inf))
    weights: list[str] = setting(
        [], "emotion checkpoints; several make an ensemble; left out: the shipped one", metavar="FILE"
    )
    confidence: str = setting(
        "crowd", "what percentages say: the share of a crowd's votes that it would get, or how likely the label is",
        choices=["crowd", "label"],
    )  # fmt: skip
    prior: str = setting(
        "balanced", "how frequent expressions are taken to be: all alike, or as in the training data set",
        choices=["balanced", "dataset"],
    )  # fmt: skip
    tta: bool = setting(PredictOptions.tta, "predict every face together with its mirror image")
    smooth_s: float = setting(
        PredictOptions.smooth_s, "seconds over which probabilities are smoothed; 0: neither they nor boxes are",
        metavar="SECONDS", within=(0, math.inf),
    )  # fmt: skip


@dataclass(frozen=True)
class SessionOptions:
    """What a session does with the results: flags of live.py, and the same in the speed measurement."""

    every: int = setting(
        1, "detect faces in every N-th frame only; between these they are taken to be where they were", metavar="N",
        within=(1, math.inf),
    )  # fmt: skip
    alpha: float = setting(0.55, "how strongly heatmaps are painted, 0 to 1", within=(0, 1))
    mirror: bool | None = setting(
        None, "turn each frame into its mirror image before it is analysed: boxes, crops and the log are of that "
        "(default: cameras yes, files no)",
    )  # fmt: skip
    show: bool = setting(True, "open a window")
    save: str | None = setting(
        None, "keep the annotated frames: in one film, or a folder with each film and picture of the source",
        metavar="FILE.mp4|.webm|.avi|FOLDER/",
    )  # fmt: skip
    log: str | None = setting(
        None, "write one row a face and frame, and one for each without a face", metavar="FILE.csv|.jsonl"
    )
    crops: str | None = setting(None, "keep the aligned crops of all faces, 224 pixels a side", metavar="FOLDER")
    report: str | None = setting(None, "write a page that sums up the session: index.html", metavar="FOLDER")
    report_faces: bool = setting(False, "let pictures of faces into the report")
    quiet: bool = setting(False, "print no predictions")
    ask: bool = setting(False, "show a notice first, until a key is pressed; the camera opens after that")
    blur: bool = setting(False, "blur the faces in recordings, saved pictures and snapshots")
