"""Who is who between frames: faces keep a number, boxes do not jitter, labels do not flicker.

In:  the faces of one frame, later their probabilities, and the frame's time.
Out: the same faces, steadied, each with its track's number, and probabilities smoothed along the track.

For the few faces before a camera, overlap is enough: a face goes on with the track whose last box it overlaps most
(greedy, best pairs first; Bochinski et al. 2017, "IOU tracker"). A track that is not seen waits `MEMORY_S`.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from retinaface.anchors import iou
from retinaface.face import Face

SAME_FACE_IOU = 0.25
MEMORY_S = 0.7  # a face that looks away for a moment comes back as itself


@dataclass
class OneEuroFilter:
    """The 1-euro filter (Casiez et al. 2012): smooths strongly what stands still, hardly what moves.

    slowest_hz: cut-off frequency at rest. speed_gain: how much faster the cut-off rises with speed, per unit a second.
    """

    slowest_hz: float = 1.0
    speed_gain: float = 4.0
    speed_hz: float = 1.0
    value: np.ndarray | None = None
    speed: np.ndarray | float = 0.0

    def __call__(self, value: np.ndarray, *, passed_s: float, unit: float = 1.0) -> np.ndarray:
        """The smoothed value, `passed_s` after the one before; `unit` is what a speed of 1 is measured in (pixels)."""
        if self.value is None or passed_s <= 0:
            self.value = value.astype(np.float64) if self.value is None else self.value
            return self.value
        raw_speed = (value - self.value) / passed_s / unit
        self.speed = self.speed + share_of_new(self.speed_hz, passed_s) * (raw_speed - self.speed)
        cutoff_hz = self.slowest_hz + self.speed_gain * np.abs(self.speed)
        self.value = self.value + share_of_new(cutoff_hz, passed_s) * (value - self.value)
        return self.value


def share_of_new(cutoff_hz: np.ndarray | float, passed_s: float) -> np.ndarray | float:
    """How much of a new value an exponential filter with that cut-off takes (Casiez et al. 2012, eq. 4 and 5)."""
    turn = 2 * np.pi * cutoff_hz * passed_s
    return turn / (turn + 1)


@dataclass
class Track:
    """One person as long as they are seen: last box and when it was detected, filter, smoothed probabilities (K,)."""

    number: int
    box_xyxy: np.ndarray
    detected_s: float
    geometry: OneEuroFilter = field(default_factory=OneEuroFilter)
    probabilities: np.ndarray | None = None
    classified_s: float = 0.0  # when the probabilities were


class Observation(NamedTuple):
    """A track in the frame of `time_s`: frames may wait between being tracked and being classified."""

    track: Track
    time_s: float


class Tracker:
    """Numbers and smooths faces. `smooth_s`: time constant in seconds of probabilities; 0: nothing is smoothed."""

    def __init__(self) -> None:
        self.tracks: list[Track] = []
        self._numbers = itertools.count(1)
        self._last: list[tuple[Face, Track]] = []

    def update(
        self, faces: Sequence[Face] | None, time_s: float, *, smooth_s: float = 0.4
    ) -> tuple[list[Face], list[Observation]]:
        """The faces, steadied, and the track of each; faces nobody has seen start a track.

        None where nobody searched the frame: the faces of the frame before, where they were.
        """
        if faces is not None:
            self.tracks = [track for track in self.tracks if time_s - track.detected_s <= MEMORY_S]
            pairs = zip(faces, self._assign(faces, time_s), strict=True)
            self._last = [(self._steady(face, track, time_s, smooth=smooth_s > 0), track) for face, track in pairs]
        return [face for face, _ in self._last], [Observation(track, time_s) for _, track in self._last]

    def smooth(
        self, observations: Sequence[Observation], probabilities: np.ndarray, *, smooth_s: float = 0.4
    ) -> np.ndarray:
        """Probabilities (N, K) of the faces observed -> smoothed along each track, rows still sum to 1."""
        smoothed = np.empty_like(probabilities)
        for row, (track, time_s) in enumerate(observations):
            before = track.probabilities if track.probabilities is not None else probabilities[row]
            share = 1 - np.exp(-(time_s - track.classified_s) / smooth_s) if smooth_s > 0 else 1.0
            track.probabilities = smoothed[row] = before + share * (probabilities[row] - before)
            track.classified_s = time_s
        return smoothed

    def _assign(self, faces: Sequence[Face], time_s: float) -> list[Track]:
        """The track of each face: pairs by falling overlap, each track and each face once; then new tracks."""
        owner: dict[int, Track] = {}
        if faces and self.tracks:
            overlap = iou(np.stack([f.box_xyxy for f in faces]), np.stack([t.box_xyxy for t in self.tracks]))
            for flat in np.argsort(-overlap, axis=None, kind="stable"):
                row, column = np.unravel_index(flat, overlap.shape)
                if overlap[row, column] < SAME_FACE_IOU:
                    break
                if row not in owner and self.tracks[column] not in owner.values():
                    owner[int(row)] = self.tracks[column]
        for row, face in enumerate(faces):
            if row not in owner:
                owner[row] = Track(next(self._numbers), face.box_xyxy, detected_s=time_s)
                self.tracks.append(owner[row])
        return [owner[row] for row in range(len(faces))]

    def _steady(self, face: Face, track: Track, time_s: float, *, smooth: bool) -> Face:
        """Box and landmarks through the track's filter, speed measured in face sizes a second."""
        passed_s, track.detected_s, track.box_xyxy = time_s - track.detected_s, time_s, face.box_xyxy
        if not smooth:
            return face
        values = np.concatenate([face.box_xyxy, face.landmarks_xy.ravel()])
        values = track.geometry(values, passed_s=passed_s, unit=max(face.size, 1.0)).astype(np.float32)
        return dataclasses.replace(face, box_xyxy=values[:4], landmarks_xy=values[4:].reshape(5, 2))
