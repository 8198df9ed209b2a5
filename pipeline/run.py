"""EmotionPipeline: pictures in; boxes, landmarks, probabilities and heatmaps out. The Python API.

In:  frames (H, W, 3) uint8 RGB, which may differ in size.
Out: a `FrameResult` for each; `pipeline.drawing.overlay.draw` paints one.

    pipeline = EmotionPipeline.from_files()
    result = pipeline([frame_rgb])[0]
    for face in result.faces:
        print(face.label, face.confidence, face.box_xyxy)

All faces of all frames go through the classifier in one batch; where heatmaps are wanted, they come from that same
forward pass. A call is `detect` and then `predict`, which may run apart: faces of one frame are detected while those of
the frame before are classified.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from data.sources.sample import sample_frame
from models.classifier import Classifier
from models.ensemble import Ensemble, classifier_from_files
from models.prediction import EnsemblePrediction, NetworkPrediction
from pipeline.crops import crop_faces, points_in_frame
from pipeline.options import PredictOptions
from pipeline.scene import SceneCut
from pipeline.tracking import Observation, Tracker
from retinaface.defaults import CONF, IMGSZ
from retinaface.detector import RetinaFace
from retinaface.face import Detector, Face, Faces
from support import UserError

if TYPE_CHECKING:
    import torch

CAMERA_SIZES_HW = ((480, 640), (720, 1280))  # of nearly all cameras, once larger ones are reduced to --imgsz
REDUCED_SAID = 2.0  # a frame made more than so many times smaller loses faces that a person sees at once: it is said


@dataclass(frozen=True, eq=False)
class FaceResult:
    """One face of a frame, predicted and explained.

    face: the detector's box, landmarks and score, smoothed where a tracker is used.
    probabilities: (K,) float32, sum to 1, in the order of the frame's `class_names`.
    label: the most probable class. confidence: its probability.
    heatmap: (S, S) float32 in [0, 1] over the crop, or None where none was asked for. explained: the class it is for.
    to_crop: (2, 3) float64, from the frame's pixels to the crop's.
    track: the person's number between frames, from 1; 0 without tracking.
    window_xy: (4, 2) float64, pixels of the frame: the part of the crop that a network which warps its input saw,
        clockwise from the upper left of the warped picture; None without heat, for other networks and for ensembles.
    """

    face: Face
    probabilities: np.ndarray
    label: str
    confidence: float
    heatmap: np.ndarray | None
    explained: str | None
    to_crop: np.ndarray
    track: int = 0
    window_xy: np.ndarray | None = None

    @property
    def box_xyxy(self) -> np.ndarray:
        """(4,) float32, pixels of the frame."""
        return self.face.box_xyxy

    @property
    def landmarks_xy(self) -> np.ndarray:
        """(5, 2) float32, pixels of the frame."""
        return self.face.landmarks_xy


@dataclass(frozen=True, eq=False)
class FrameResult:
    """A frame (H, W, 3) uint8 RGB as it came, its faces, the K names of their probabilities, and the explainer.

    left_out: faces that were found beyond the `max_faces` best; nothing else is known of them.
    reduced: the frame was searched made so many times smaller by `imgsz`; 1.0: at its own size.
    """

    frame_rgb: np.ndarray
    faces: tuple[FaceResult, ...]
    class_names: tuple[str, ...]
    explainer: str | None = None
    left_out: tuple[Face, ...] = ()
    reduced: float = 1.0

    @property
    def limits(self) -> dict[str, str]:
        """What the search may have missed, as sentences for the person: flag -> "20 of 37 faces; --max-faces"."""
        longer, shown = max(self.frame_rgb.shape[:2]), len(self.faces)
        said = {}
        if self.left_out:
            said["--max-faces"] = f"{shown} of {shown + len(self.left_out)} faces; --max-faces"
        if self.reduced > REDUCED_SAID:
            said["--imgsz"] = f"searched at {round(longer / self.reduced)} of {longer} px; --imgsz"
        return said


class EmotionPipeline:
    """Detector, classifier and explainer in one call.

    tracker: numbers and smooths faces from frame to frame; None (the default): each frame is on its own.
    options: how faces are predicted and explained where a call gives none.
    Raises `UserError` where the network does not know `options.explain_class`.
    """

    def __init__(
        self,
        detector: Detector,
        classifier: Classifier | Ensemble,
        *,
        tracker: Tracker | None = None,
        options: PredictOptions | None = None,
    ) -> None:
        self.detector, self.classifier, self.tracker = detector, classifier, tracker
        self.options = options or PredictOptions()
        self._cut = SceneCut()
        self._check_class(self.options.explain_class)

    @classmethod
    def from_files(
        cls,
        *,
        weights: str | Path | Sequence[str | Path] = (),
        detector_weights: str | Path | None = None,
        detector: Detector | None = None,
        device: torch.device | str = "cpu",
        engine: str = "auto",
        threads: int = 2,
        conf: float = CONF,
        max_faces: int | None = None,
        imgsz: int | None = IMGSZ,
        confidence: str = "crowd",
        prior: str = "balanced",
        tracker: Tracker | None = None,
        options: PredictOptions | None = None,
    ) -> EmotionPipeline:
        """The pipeline with a checkpoint and detector weights (the shipped ones where left out) on one device.

        Several checkpoints make an `Ensemble`: probabilities and heatmaps are the mean of its members'. `conf`,
        `max_faces` and `imgsz` are `RetinaFace`'s, `confidence` and `prior` are `Classifier`'s, `engine` and `threads`
        are of both. detector: another one, which is used as it is.
        """
        paths = [weights] if isinstance(weights, (str, Path)) else weights
        detector = detector or RetinaFace.from_file(
            detector_weights, device=device, engine=engine, threads=threads, conf=conf, max_faces=max_faces, imgsz=imgsz
        )
        classifier = classifier_from_files(
            paths, device=device, confidence=confidence, prior=prior, engine=engine, threads=threads
        )
        return cls(detector, classifier, tracker=tracker, options=options)

    def warm_up(self, sizes_hw: Iterable[tuple[int, int]] = CAMERA_SIZES_HW, *, amp: bool = True) -> None:
        """Prepare fast passes for frames of these sizes on a device, in threads. amp: as for `Classifier.warm_up`."""
        self.detector.warm_up(sizes_hw, amp=amp, trial=functools.partial(sample_frame, 0))
        self.classifier.warm_up(amp=amp)

    @property
    def computing(self) -> list[str]:
        """How each network computes on a card, once `warm_up` has found the fastest way."""
        parts = (("faces", self.detector), ("expressions", self.classifier))
        return [f"{what}: {how}" for what, part in parts if (how := getattr(part, "computing", ""))]

    def close(self) -> None:
        """End the threads of the detector; more than once is fine."""
        self.detector.close()

    def __call__(
        self,
        frames: Sequence[np.ndarray],
        *,
        time_s: float | Sequence[float] | None = None,
        options: PredictOptions | None = None,
    ) -> list[FrameResult]:
        """What every frame shows; `time_s` and `options` as in `predict`."""
        return self.predict(frames, self.detect(frames), time_s=time_s, options=options)

    def detect(self, frames: Sequence[np.ndarray], *, imgsz: Sequence[int | None] | None = None) -> list[Faces]:
        """The faces of every frame; frames are independent of each other. imgsz: as for `retinaface.face.Detector`."""
        return self.detector(frames) if imgsz is None else self.detector(frames, imgsz=imgsz)

    def predict(
        self,
        frames: Sequence[np.ndarray],
        faces: Sequence[Sequence[Face] | None],
        *,
        time_s: float | Sequence[float] | None = None,
        options: PredictOptions | None = None,
        new_scene: bool | Sequence[bool] = False,
    ) -> list[FrameResult]:
        """What the faces that `detect` gave show.

        time_s: when the frames were taken, a time each, in seconds; of one frame a number will do. Only a tracker asks:
            they are then successive frames of one camera or film, in order. Left out, no track is updated.
        faces: None for a frame stands for the faces of the frame before, where they were; this needs a tracker.
        options: left out, those of the pipeline.
        new_scene: for all or each: True where a frame does not follow from the one before: tracks end, as at cuts.
        """
        options = options or self.options
        tracked = [some if isinstance(some, Faces) else Faces(some or ()) for some in faces]
        observations: list[Observation] = []
        if self.tracker and time_s is not None:
            if faces and not (np.size(time_s) == len(faces) and np.isfinite(time_s).all()):
                raise UserError(f"time_s wants one time a frame, {len(faces)} in all, each finite, not {time_s}.")
            times_s, cuts = (np.broadcast_to(given, len(faces)).tolist() for given in (time_s, new_scene))
            smooth = options.smooth_s > 0
            for i, (frame, now_s, told) in enumerate(zip(frames, times_s, cuts, strict=True)):
                cut = self._cut.is_cut(frame, first=told)
                tracked[i], seen = self.tracker.update(faces[i], now_s, smooth=smooth, new_scene=cut, frame_rgb=frame)
                observations += seen
        crops, matrices = self._crops(frames, tracked)
        prediction = self.classifier.forward(crops, tta=options.tta)
        probabilities = prediction.probabilities
        if self.tracker and observations:
            probabilities = self.tracker.smooth(observations, probabilities, smooth_s=options.smooth_s)
        tracks = [observation.track.number for observation in observations] or [0] * len(crops)
        names, explainer = self.classifier.class_names, options.explainer
        results = [
            FaceResult(face, row, names[row.argmax()], float(row.max()), None, None, to_crop, track)
            for face, row, to_crop, track in zip(
                itertools.chain(*tracked), probabilities, matrices, tracks, strict=True
            )
        ]
        if explainer is not None:
            results = self._explained(results, prediction, explainer, options.explain_class)
        rest = iter(results)
        return [
            FrameResult(frame, tuple(itertools.islice(rest, len(some))), names, explainer, some.left_out, some.reduced)
            for frame, some in zip(frames, tracked, strict=True)
        ]

    def mirror(self, width: int) -> None:
        """The next frames, `width` pixels wide, are mirror images of what would follow: their people stay the same."""
        self._cut.mirror()
        if self.tracker:
            self.tracker.mirror(width)

    def explain(self, result: FrameResult, options: PredictOptions) -> FrameResult:
        """The same result with heatmaps of this explainer for these classes; probabilities stay what they were."""
        explainer, faces = options.explainer, list(result.faces)
        wanted = [options.explain_class or face.label if explainer else None for face in faces]
        if explainer == result.explainer and wanted == [face.explained for face in faces]:
            return result
        if explainer is None:
            faces = [dataclasses.replace(face, heatmap=None, explained=None, window_xy=None) for face in faces]
        else:
            crops, _ = self._crops([result.frame_rgb], [[face.face for face in faces]])
            prediction = self.classifier.forward(crops, tta=options.tta)
            faces = self._explained(faces, prediction, explainer, options.explain_class)
        return dataclasses.replace(result, faces=tuple(faces), explainer=explainer)

    def _explained(
        self,
        faces: list[FaceResult],
        prediction: NetworkPrediction | EnsemblePrediction,
        explainer: str,
        explain_class: str | None,
    ) -> list[FaceResult]:
        """The faces with heatmaps from the forward pass over their crops."""
        self._check_class(explain_class)
        class_names, names = self.classifier.class_names, [explain_class or face.label for face in faces]
        index = np.array([class_names.index(name) for name in names], np.int64)
        heatmaps = prediction.heatmaps(index, explainer)
        windows = [None] * len(faces) if prediction.windows is None else prediction.windows
        return [
            dataclasses.replace(
                face,
                heatmap=heatmap,
                explained=name,
                window_xy=None if window is None else points_in_frame(window, face.to_crop),
            )
            for face, heatmap, name, window in zip(faces, heatmaps, names, windows, strict=True)
        ]

    def _crops(
        self, frames: Sequence[np.ndarray], faces: Sequence[Sequence[Face]]
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        """Crops (N, S, S, 3) uint8 RGB of all faces of all frames, and the matrix of each."""
        size = self.classifier.size_hw[0]
        cut = [crop_faces(frame, some, size=size) for frame, some in zip(frames, faces, strict=True)]
        crops = np.concatenate([crops for crops, _ in cut]) if cut else np.empty((0, size, size, 3), np.uint8)
        return crops, [matrix for _, some in cut for matrix in some]

    def _check_class(self, class_name: str | None) -> None:
        """`UserError` where the network does not know the class."""
        names = self.classifier.class_names
        if class_name is not None and class_name not in names:
            raise UserError(f"this network knows no class {class_name!r}; its classes are {', '.join(names)}.")
