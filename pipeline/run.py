"""EmotionPipeline: pictures in; boxes, landmarks, probabilities and heatmaps out. The Python API.

In:  frames (H, W, 3) uint8 RGB, which may differ in size.
Out: a `FrameResult` for each; `pipeline.overlay.draw` paints one.

    pipeline = EmotionPipeline.from_files()
    result = pipeline([frame_rgb])[0]
    for face in result.faces:
        print(face.label, face.confidence, face.box_xyxy)

All faces of all frames go through the classifier in one batch; where heat is wanted, probabilities and heatmaps come
from that one forward pass and one gradient through the layers above the explained one.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gradcam import EXPLAINERS, explain
from models.classifier import Classifier
from pipeline.crops import crop_faces
from pipeline.tracking import Track, Tracker
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
    """

    face: Face
    probabilities: np.ndarray
    label: str
    confidence: float
    heatmap: np.ndarray | None
    explained: str | None
    to_crop: np.ndarray
    track: int = 0

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
    """A frame (H, W, 3) uint8 RGB as it came, its faces, and the K names of their probabilities."""

    frame_rgb: np.ndarray
    faces: tuple[FaceResult, ...]
    class_names: tuple[str, ...]


class EmotionPipeline:
    """Detector, classifier and explainer in one call.

    explainer: a key of `gradcam.EXPLAINERS`, or None for no heatmaps.
    explain_class: the class that heatmaps are for; None: each face's most probable one.
    tracker: numbers and smooths faces from call to call; None (the default) takes every frame for itself.
    """

    def __init__(
        self,
        detector: Detector,
        classifier: Classifier,
        *,
        explainer: str | None = "gradcam",
        explain_class: str | None = None,
        tracker: Tracker | None = None,
    ) -> None:
        if explainer is not None and explainer not in EXPLAINERS:
            raise UserError(f"there is no explainer {explainer!r}; the explainers are {', '.join(EXPLAINERS)}.")
        if explain_class is not None and explain_class not in classifier.class_names:
            names = ", ".join(classifier.class_names)
            raise UserError(f"this network knows no class {explain_class!r}; its classes are {names}.")
        self.detector, self.classifier = detector, classifier
        self.explainer, self.explain_class, self.tracker = explainer, explain_class, tracker

    @classmethod
    def from_files(
        cls,
        *,
        weights: str | Path | None = None,
        detector_weights: str | Path | None = None,
        device: torch.device | str = "cpu",
        score_threshold: float = 0.5,
        max_faces: int | None = None,
        calibrated: bool = False,
        **options: object,
    ) -> EmotionPipeline:
        """The pipeline with a checkpoint and detector weights (the shipped ones where left out) on one device.

        `calibrated` is `Classifier`'s, `options` are those of the pipeline itself.
        """
        detector = RetinaFace.from_file(
            detector_weights, device=device, score_threshold=score_threshold, max_faces=max_faces
        )
        return cls(detector, Classifier.from_file(weights, device=device, calibrated=calibrated), **options)

    def __call__(self, frames: Sequence[np.ndarray], *, time_s: float = 0.0) -> list[FrameResult]:
        """What every frame shows; `time_s`, the frame's time in seconds, matters to a tracker only.

        With a tracker the frames of one call are successive frames of one camera or film; give one a call.
        """
        found = self.detector(frames)
        tracks: list[Track] = []
        if self.tracker:
            followed = [self.tracker.follow(faces, time_s) for faces in found]
            found = [faces for faces, _ in followed]
            tracks = [track for _, some in followed for track in some]
        size = self.classifier.preprocess.size_hw[0]
        cut = [crop_faces(frame, faces, size=size) for frame, faces in zip(frames, found, strict=True)]
        crops = np.concatenate([crops for crops, _ in cut]) if cut else np.empty((0, size, size, 3), np.uint8)
        matrices = [matrix for _, some in cut for matrix in some]
        readings = iter(self._read(crops, matrices, [face for faces in found for face in faces], tracks))
        return [
            FrameResult(frame, tuple(itertools.islice(readings, len(faces))), self.classifier.class_names)
            for frame, faces in zip(frames, found, strict=True)
        ]

    def _read(
        self, crops: np.ndarray, matrices: list[np.ndarray], faces: list[Face], tracks: list[Track]
    ) -> Iterator[FaceResult]:
        """The result of every crop (N, S, S, 3) uint8 RGB, from one batch."""
        names = self.classifier.class_names
        if self.explainer is None:
            probabilities = self._smoothed(self.classifier.logits(crops), tracks)
            heatmaps, explained = [None] * len(crops), [None] * len(crops)
        else:
            smoothed: list[np.ndarray] = []

            def choose(logits: Tensor) -> Tensor:
                """The class to explain: the one asked for, or that which the face will be labelled with."""
                smoothed.append(self._smoothed(logits, tracks))
                if self.explain_class is not None:
                    return torch.full((len(logits),), names.index(self.explain_class))
                return torch.from_numpy(smoothed[0].argmax(axis=1))

            explanation = explain(
                self.classifier.network,
                self.classifier.explain_layer,
                self.classifier.prepare(crops),
                class_index=choose,
                method=self.explainer,
            )
            probabilities = smoothed[0]
            heatmaps = list(explanation.heatmaps.cpu().numpy())
            explained = [names[index] for index in explanation.class_index.tolist()]
        numbers = [track.number for track in tracks] or [0] * len(crops)
        columns = (faces, probabilities, heatmaps, explained, matrices, numbers)
        return (self._face(*row) for row in zip(*columns, strict=True))

    def _smoothed(self, logits: Tensor, tracks: list[Track]) -> np.ndarray:
        """(N, K) float32 probabilities, smoothed along the tracks where there are any."""
        probabilities = self.classifier.to_probabilities(logits).cpu().numpy()
        return self.tracker.smooth(tracks, probabilities) if self.tracker else probabilities

    def _face(self, face, probabilities, heatmap, explained, to_crop, track) -> FaceResult:
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
        )
