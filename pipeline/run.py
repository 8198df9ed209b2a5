"""EmotionPipeline: pictures in; boxes, landmarks, probabilities and heatmaps out. The Python API.

In:  frames (H, W, 3) uint8 RGB, which may differ in size.
Out: a `FrameResult` for each; `pipeline.drawing.overlay.draw` paints one.

    pipeline = EmotionPipeline.from_files()
    result = pipeline([frame_rgb])[0]
    for face in result.faces:
        print(face.label, face.confidence, face.box_xyxy)

All faces of all frames go through the classifier in one batch; where heat is wanted, probabilities and heatmaps come
from that one forward pass. A call is `find` and then `read`, which may run apart: one frame is searched for faces while
those of the frame before are read.
"""

from __future__ import annotations

import dataclasses
import itertools
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gradcam import EXPLAINERS
from models.classifier import Classifier
from models.ensemble import Ensemble, classifier_from_files
from pipeline.crops import crop_faces, points_in_frame
from pipeline.tracking import Sighting, Tracker
from retinaface.detector import RetinaFace
from retinaface.face import Face
from support import UserError

Detector = Callable[[Sequence[np.ndarray]], list[list[Face]]]


@dataclass(frozen=True, eq=False)
class FaceResult:
    """One face of a frame, read and explained.

    face: the detector's box, landmarks and score, steadied where a tracker is used.
    probabilities: (K,) float32, sum to 1, in the order of the frame's `class_names`.
    label: the most probable class. confidence: its probability.
    heatmap: (S, S) float32 in [0, 1] over the crop, or None where none was asked for. explained: the class it is for.
    to_crop: (2, 3) float64, from the frame's pixels to the crop's.
    track: the person's number between frames, from 1; 0 without tracking.
    window_xy: (4, 2) float64, pixels of the frame: the part of the crop that a network saw which warps its input,
        clockwise from the upper left of what it made of it; None without heat, for other networks and for several.
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
    """A frame (H, W, 3) uint8 RGB as it came, its faces, the K names of their probabilities, and who made the heat."""

    frame_rgb: np.ndarray
    faces: tuple[FaceResult, ...]
    class_names: tuple[str, ...]
    explainer: str | None = None


class EmotionPipeline:
    """Detector, classifier and explainer in one call.

    explainer: a key of `gradcam.EXPLAINERS`, or None for no heatmaps.
    explain_class: the class that heatmaps are for; None: each face's most probable one.
    tracker: numbers and smooths faces from frame to frame; None (the default) takes every frame for itself.
    tta: every face is read together with its mirror image; probabilities and heatmaps are the mean of both.
    """

    def __init__(
        self,
        detector: Detector,
        classifier: Classifier | Ensemble,
        *,
        explainer: str | None = "gradcam",
        explain_class: str | None = None,
        tracker: Tracker | None = None,
        tta: bool = False,
    ) -> None:
        if explainer is not None and explainer not in EXPLAINERS:
            raise UserError(f"there is no explainer {explainer!r}; the explainers are {', '.join(EXPLAINERS)}.")
        if explain_class is not None and explain_class not in classifier.class_names:
            names = ", ".join(classifier.class_names)
            raise UserError(f"this network knows no class {explain_class!r}; its classes are {names}.")
        self.detector, self.classifier = detector, classifier
        self.explainer, self.explain_class, self.tracker, self.tta = explainer, explain_class, tracker, tta
        self._alone = threading.Lock()  # torch explains with hooks, which another thread's pass would run into

    @classmethod
    def from_files(
        cls,
        *,
        weights: str | Path | Sequence[str | Path] | None = None,
        detector_weights: str | Path | None = None,
        device: object = "cpu",
        score_threshold: float = 0.5,
        max_faces: int | None = None,
        calibrated: bool = False,
        **options: object,
    ) -> EmotionPipeline:
        """The pipeline with a checkpoint and detector weights (the shipped ones where left out) on one device.

        Several checkpoints make an `Ensemble`: probabilities and heatmaps are the mean of its members'. `calibrated` is
        `Classifier`'s, `options` are those of the pipeline itself.
        """
        paths = [weights] if isinstance(weights, (str, Path)) else weights or []
        detector = RetinaFace.from_file(
            detector_weights, device=device, score_threshold=score_threshold, max_faces=max_faces
        )
        return cls(detector, classifier_from_files(paths, device=device, calibrated=calibrated), **options)

    def __call__(
        self, frames: Sequence[np.ndarray], *, time_s: float | Sequence[float] | None = None
    ) -> list[FrameResult]:
        """What every frame shows; `time_s` as in `read`."""
        return self.read(frames, self.find(frames), time_s=time_s)

    def find(self, frames: Sequence[np.ndarray]) -> list[list[Face]]:
        """The faces of every frame; frames do not matter to each other."""
        return self.detector(frames)

    def read(
        self,
        frames: Sequence[np.ndarray],
        found: Sequence[list[Face] | None],
        *,
        time_s: float | Sequence[float] | None = None,
    ) -> list[FrameResult]:
        """What the faces that `find` gave show.

        time_s: when the frames were seen, one time for all or one each, in seconds; only a tracker asks. The frames are
            then successive frames of one camera or film, in order. Left out, no track is followed.
        found: None for a frame stands for the faces of the frame before, where they were; this needs a tracker.
        """
        sightings: list[Sighting] = []
        if self.tracker and time_s is not None:
            times_s = np.broadcast_to(time_s, len(frames)).tolist()
            followed = [self.tracker.follow(faces, now_s) for faces, now_s in zip(found, times_s, strict=True)]
            found = [faces for faces, _ in followed]
            sightings = [sighting for _, some in followed for sighting in some]
        crops, matrices = self._crops(frames, found)
        explainer = self.explainer  # a key may change it meanwhile
        probabilities, heatmaps, explained, windows = self._classify(crops, sightings, explainer)
        numbers = [sighting.track.number for sighting in sightings] or [0] * len(crops)
        windows = _in_frame(windows, matrices)
        columns = (itertools.chain(*found), probabilities, heatmaps, explained, matrices, numbers, windows)
        readings = (self._face(*row) for row in zip(*columns, strict=True))
        return [
            FrameResult(frame, tuple(itertools.islice(readings, len(faces))), self.classifier.class_names, explainer)
            for frame, faces in zip(frames, found, strict=True)
        ]

    def explain(self, result: FrameResult) -> FrameResult:
        """The same result with the heat that is asked for now; what was read in the faces stays."""
        explainer, names = self.explainer, result.class_names
        wanted = [self.explain_class or face.label if explainer else None for face in result.faces]
        if explainer == result.explainer and wanted == [face.explained for face in result.faces]:
            return result
        heatmaps: Sequence = [None] * len(wanted)
        windows: Sequence = heatmaps
        if explainer is not None:
            crops, matrices = self._crops([result.frame_rgb], [[face.face for face in result.faces]])
            index = np.array([names.index(name) for name in wanted], np.int64)
            with self._alone:
                reading = self.classifier.read(crops, method=explainer, choose=lambda _: index, tta=self.tta)
            heatmaps, windows = reading.heatmaps, _in_frame(reading.windows, matrices)
        rows = zip(result.faces, heatmaps, wanted, windows, strict=True)
        faces = tuple(
            dataclasses.replace(face, heatmap=heat, explained=name, window_xy=window)
            for face, heat, name, window in rows
        )
        return dataclasses.replace(result, faces=faces, explainer=explainer)

    def _crops(self, frames: Sequence[np.ndarray], found: Sequence[list[Face]]) -> tuple[np.ndarray, list[np.ndarray]]:
        """Crops (N, S, S, 3) uint8 RGB of all faces of all frames, and the matrix of each."""
        size = self.classifier.size_hw[0]
        cut = [crop_faces(frame, faces, size=size) for frame, faces in zip(frames, found, strict=True)]
        crops = np.concatenate([crops for crops, _ in cut]) if cut else np.empty((0, size, size, 3), np.uint8)
        return crops, [matrix for _, some in cut for matrix in some]

    def _classify(
        self, crops: np.ndarray, sightings: list[Sighting], explainer: str | None
    ) -> tuple[np.ndarray, Sequence, Sequence, np.ndarray | None]:
        """Probabilities (N, K), heatmaps, the names of the classes they are for, and windows, from one batch."""
        names, explain_class = self.classifier.class_names, self.explain_class
        if explainer is None:
            nothing = [None] * len(crops)
            with self._alone:
                reading = self.classifier.read(crops, tta=self.tta)
            return self._smoothed(reading.probabilities, sightings), nothing, nothing, None
        smoothed: list[np.ndarray] = []

        def choose(probabilities: np.ndarray) -> np.ndarray:
            """The class to explain: the one asked for, or that which the face will be labelled with."""
            smoothed.append(self._smoothed(probabilities, sightings))
            if explain_class is not None:
                return np.full(len(probabilities), names.index(explain_class))
            return smoothed[0].argmax(axis=1)

        with self._alone:
            reading = self.classifier.read(crops, method=explainer, choose=choose, tta=self.tta)
        return smoothed[0], reading.heatmaps, [names[index] for index in reading.class_index], reading.windows

    def _smoothed(self, probabilities: np.ndarray, sightings: list[Sighting]) -> np.ndarray:
        """(N, K) float32, smoothed along the tracks where there are any."""
        return self.tracker.smooth(sightings, probabilities) if sightings else probabilities

    def _face(self, face, probabilities, heatmap, explained, to_crop, track, window_xy) -> FaceResult:
        best = int(probabilities.argmax())
        return FaceResult(
            face=face,
            probabilities=probabilities,
            label=self.classifier.class_names[best],
            confidence=float(probabilities[best]),
            heatmap=heatmap,
            explained=explained,
            to_crop=to_crop,
            track=track,
            window_xy=window_xy,
        )


def _in_frame(windows: np.ndarray | None, matrices: Sequence[np.ndarray]) -> list[np.ndarray | None]:
    """The windows (N, 4, 2) of crops in pixels of their frames; N times None where there are none."""
    if windows is None:
        return [None] * len(matrices)
    return [points_in_frame(window, matrix) for window, matrix in zip(windows, matrices, strict=True)]
