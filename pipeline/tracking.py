"""Who is who between frames: faces keep a number, boxes do not jitter, labels do not flicker.

In:  the faces of one frame, later their probabilities, and the frame's time.
Out: the same faces, smoothed, each with its track's number, and probabilities smoothed along the track.

A face continues the track of least cost (greedy, best pairs first): its distance, in place and size, from where that
track's motion predicts it, plus a cost for the time out of sight. The distance allowed grows with the time that has
passed, so that a source of one frame a second keeps its people, and someone who was hidden for two seconds comes back
as the same person. Where the frame's pixels are given, a face that does not look like that of a moment ago starts a
track. A cut ends all tracks. All of this stays in memory, and a track is forgotten when it has not been seen for a
while.

Smoothing goes by seconds, not by frames: at 30 frames a second 0.4 s are twelve frames; at one frame a second
exp(-1 / 0.4), 8 %, of a frame's probabilities is left in the next, which is nearly no smoothing, and none would be
right over longer gaps: a face that was away for some frames starts afresh.
"""

from __future__ import annotations

import collections
import dataclasses
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from pipeline.appearance import face_patch, likeness
from pipeline.motion import Motion, OneEuroFilter
from retinaface.face import Face, Faces

MEMORY_S, MEMORY_FRAMES = 2.5, 3  # how long a track is kept unseen: the longer of the two
REACH, REACH_PER_S, FARTHEST = 0.6, 1.0, 2.0  # how far off a face may be, in face sizes: at once, a second, at most
SIZE_RATIO, SIZE_RATIO_PER_S, LARGEST_RATIO = 1.6, 0.4, 2.2  # the same of how much larger or smaller
UNSEEN_COST = 0.5  # face sizes that a second out of sight counts as
RESTART_FRAMES = 3  # what was unseen for more frames than this, and for longer than `RESTART_S`, is smoothed afresh
RESTART_S = 0.25
ALIKE, ALIKE_S = 0.6, 0.15  # likeness of a face to itself, and seconds within which it can be asked for
INTERVALS = 15  # the last so many intervals between frames tell the source's rate


@dataclass
class Track:
    """One person as long as they are seen: motion, filter, last patch, smoothed probabilities (K,)."""

    number: int
    motion: Motion
    patch: np.ndarray | None = None
    geometry: OneEuroFilter = field(default_factory=OneEuroFilter)
    probabilities: np.ndarray | None = None
    classified_s: float = 0.0  # when the probabilities were


class Observation(NamedTuple):
    """A track in the frame of `time_s`: frames may wait between being tracked and being classified.

    fresh: its probabilities are not smoothed with those of before, which are too long ago.
    """

    track: Track
    time_s: float
    fresh: bool = False


class Tracker:
    """Numbers and smooths the faces of one source after the other."""

    def __init__(self) -> None:
        self.tracks: list[Track] = []
        self._numbers = itertools.count(1)
        self._last: tuple[Faces, list[Track]] = Faces(), []
        self._detected_s: float | None = None
        self._intervals_s: collections.deque[float] = collections.deque(maxlen=INTERVALS)

    @property
    def interval_s(self) -> float:
        """The usual seconds between two frames in which faces are detected: the median, which a gap does not move."""
        return float(np.median(self._intervals_s)) if self._intervals_s else 0.0

    @property
    def memory_s(self) -> float:
        """For how long a track that is not seen is kept."""
        return max(MEMORY_S, MEMORY_FRAMES * self.interval_s)

    def update(
        self,
        faces: Sequence[Face] | None,
        time_s: float,
        *,
        smooth: bool = True,
        new_scene: bool = False,
        frame_rgb: np.ndarray | None = None,
    ) -> tuple[Faces, list[Observation]]:
        """The faces, smoothed, and the track of each; faces nobody has seen start a track.

        faces: None where nobody searched the frame: the faces of the frame before, where they were.
        smooth: boxes and landmarks, by the 1-euro filter; numbers are the same without.
        new_scene: the frame does not follow from the one before, and no track goes on. Nor where time runs backwards:
            that is another source, whose rate is learned anew.
        frame_rgb: (H, W, 3) uint8 RGB, in which faces are compared with those of the frame before.
        """
        backwards = self._detected_s is not None and time_s < self._detected_s
        if backwards:
            self._intervals_s.clear()
        if new_scene or backwards:
            self.tracks, self._last, self._detected_s = [], (Faces(), []), None
        if faces is None:
            return self._last[0], [Observation(track, time_s) for track in self._last[1]]
        self._learn_rate(time_s)
        memory_s = self.memory_s
        self.tracks = [track for track in self.tracks if time_s - track.motion.seen_s <= memory_s]
        patches = [None if frame_rgb is None else face_patch(frame_rgb, face.box_xyxy) for face in faces]
        tracks = self._assign(faces, patches, time_s)
        restart_s = max(RESTART_S, (RESTART_FRAMES + 0.5) * self.interval_s)
        fresh = [time_s - track.motion.seen_s > restart_s for track in tracks]
        smoothed = [
            self._follow(face, track, time_s, smooth=smooth, fresh=is_fresh)
            for face, track, is_fresh in zip(faces, tracks, fresh, strict=True)
        ]
        for track, patch in zip(tracks, patches, strict=True):
            track.patch = patch
        self._last = faces.with_faces(smoothed) if isinstance(faces, Faces) else Faces(smoothed), tracks
        pairs = zip(tracks, fresh, strict=True)
        return self._last[0], [Observation(track, time_s, is_fresh) for track, is_fresh in pairs]

    def smooth(
        self, observations: Sequence[Observation], probabilities: np.ndarray, *, smooth_s: float = 0.4
    ) -> np.ndarray:
        """Probabilities (N, K) of the faces observed -> smoothed along each track, rows still sum to 1.

        p' = p'_before + (1 - exp(-t / smooth_s)) (p - p'_before), t seconds after the one before; `smooth_s` 0: p' = p.
        """
        smoothed = np.empty_like(probabilities)
        for row, (track, time_s, fresh) in enumerate(observations):
            before = probabilities[row] if track.probabilities is None or fresh else track.probabilities
            share = 1 - np.exp(-(time_s - track.classified_s) / smooth_s) if smooth_s > 0 else 1.0
            track.probabilities = smoothed[row] = before + share * (probabilities[row] - before)
            track.classified_s = time_s
        return smoothed

    def mirror(self, width: int) -> None:
        """The next frames, `width` pixels wide, are mirror images: all tracks go on at the other side."""
        for track in self.tracks:
            motion = track.motion
            motion.centre_xy = np.array([width - 1 - motion.centre_xy[0], motion.centre_xy[1]])
            motion.velocity_xy = motion.velocity_xy * [-1, 1]
            track.patch = None if track.patch is None else np.ascontiguousarray(track.patch[:, ::-1])
            track.geometry = OneEuroFilter()

    def _learn_rate(self, time_s: float) -> None:
        if self._detected_s is not None and time_s > self._detected_s:
            self._intervals_s.append(time_s - self._detected_s)
        self._detected_s = time_s

    def _assign(self, faces: Sequence[Face], patches: Sequence[np.ndarray | None], time_s: float) -> list[Track]:
        """The track of each face: pairs by rising cost, each track and each face once; then new tracks."""
        cost = costs(faces, self.tracks, time_s)
        pairs = [
            (cost[row, column], row, column)
            for row, column in np.argwhere(np.isfinite(cost)).tolist()
            if not changed(self.tracks[column], patches[row], time_s)
        ]
        owner: dict[int, Track] = {}
        taken: set[int] = set()
        for _, row, column in sorted(pairs):
            if row not in owner and column not in taken:
                owner[row] = self.tracks[column]
                taken.add(column)
        for row, face in enumerate(faces):
            if row not in owner:
                owner[row] = Track(next(self._numbers), Motion(centre_of(face), face.size, time_s))
                self.tracks.append(owner[row])
        return [owner[row] for row in range(len(faces))]

    def _follow(self, face: Face, track: Track, time_s: float, *, smooth: bool, fresh: bool) -> Face:
        """The face through its track's filter, speed measured in face sizes a second."""
        passed_s = time_s - track.motion.seen_s
        track.motion.update(centre_of(face), face.size, time_s)
        if fresh or not smooth:
            track.geometry = OneEuroFilter()
        if not smooth:
            return face
        values = np.concatenate([face.box_xyxy, face.landmarks_xy.ravel()])
        values = track.geometry(values, passed_s=passed_s, unit=max(face.size, 1.0)).astype(np.float32)
        return dataclasses.replace(face, box_xyxy=values[:4], landmarks_xy=values[4:].reshape(5, 2))


def centre_of(face: Face) -> np.ndarray:
    """(2,) float64, pixels."""
    return (face.box_xyxy[:2].astype(np.float64) + face.box_xyxy[2:]) / 2


def costs(faces: Sequence[Face], tracks: Sequence[Track], time_s: float) -> np.ndarray:
    """(N, T) float64: how unlikely each face is each track's, in face sizes; infinite where it is out of reach.

    Distance from where the track is predicted, in the mean of both sizes, + |ln of the ratio of sizes| + what the time
    out of sight counts.
    """
    if not faces or not tracks:
        return np.empty((len(faces), len(tracks)))
    centres = np.stack([centre_of(face) for face in faces])[:, None]  # (N, 1, 2)
    sizes = np.maximum([face.size for face in faces], 1.0)[:, None]
    predicted = np.stack([track.motion.predict(time_s) for track in tracks])  # (T, 2)
    sizes_before = np.array([track.motion.size for track in tracks])
    unseen_s = time_s - np.array([track.motion.seen_s for track in tracks])
    distance = np.linalg.norm(centres - predicted, axis=2) / ((sizes + sizes_before) / 2)
    log_ratio = np.abs(np.log(sizes / np.maximum(sizes_before, 1.0)))
    near = distance <= np.minimum(FARTHEST, REACH + REACH_PER_S * unseen_s)
    alike = log_ratio <= np.log(np.minimum(LARGEST_RATIO, SIZE_RATIO + SIZE_RATIO_PER_S * unseen_s))
    return np.where(near & alike, distance + log_ratio + UNSEEN_COST * unseen_s, np.inf)


def changed(track: Track, patch: np.ndarray | None, time_s: float) -> bool:
    """Whether another face stands where the track's stood a moment ago; False where that cannot be told."""
    if patch is None or track.patch is None or time_s - track.motion.seen_s > ALIKE_S:
        return False
    return likeness(track.patch, patch) < ALIKE
