"""Face: what the detector says of one face, in pixels of the frame it was found in; and what a detector is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

LANDMARKS = ("left eye", "right eye", "nose", "left mouth corner", "right mouth corner")  # left as seen in the picture


@dataclass(frozen=True, eq=False)
class Face:
    """One detected face.

    Coordinates are those of pixel centres: the first pixel of a row is at 0, as in OpenCV's warps.

    box_xyxy: (4,) float32, left, top, right, bottom; may reach past the frame's edge.
    landmarks_xy: (5, 2) float32, in the order of `LANDMARKS`.
    score: the detector's probability that this is a face, 0 to 1.
    """

    box_xyxy: np.ndarray
    landmarks_xy: np.ndarray
    score: float

    @property
    def size(self) -> float:
        """The square root of the box's area, pixels."""
        width, height = self.box_xyxy[2:] - self.box_xyxy[:2]
        return float(np.sqrt(max(width, 0) * max(height, 0)))

    def moved(self, shift_xy: Sequence[float]) -> Face:
        """The face in a picture in which this one's upper left pixel is at `shift_xy`."""
        shift = np.asarray(shift_xy, np.float32)
        return Face(self.box_xyxy + np.tile(shift, 2), self.landmarks_xy + shift, self.score)

    def scaled(self, zoom_xy: np.ndarray) -> Face:
        """The face in the picture made `zoom_xy` (2,) times as large."""
        return Face(resized(self.box_xyxy, np.tile(zoom_xy, 2)), resized(self.landmarks_xy, zoom_xy), self.score)


class Faces(list[Face]):
    """The faces of one frame, best score first, and what bounded the search for them.

    left_out: those that were found beyond the `max_faces` best.
    reduced: the frame was searched made so many times smaller by `imgsz`; 1.0: at its own size.
    """

    def __init__(self, faces: Iterable[Face] = (), *, left_out: Sequence[Face] = (), reduced: float = 1.0) -> None:
        super().__init__(faces)
        self.left_out, self.reduced = tuple(left_out), reduced

    def with_faces(self, faces: Iterable[Face]) -> Faces:
        """Other faces of the same search."""
        return Faces(faces, left_out=self.left_out, reduced=self.reduced)


def best_faces(faces: Sequence[Face], max_faces: int | None, *, reduced: float) -> Faces:
    """The first `max_faces` of faces in the order of their scores; None: all."""
    kept = faces[:max_faces]
    return Faces(kept, left_out=faces[len(kept) :], reduced=reduced)


def boxes_of(faces: Sequence[Face]) -> np.ndarray:
    """(N, 4) float32 xyxy."""
    return np.array([face.box_xyxy for face in faces], np.float32).reshape(-1, 4)


class Detector(Protocol):
    """What detects faces: `RetinaFace`, or another."""

    def __call__(self, frames: Sequence[np.ndarray], *, imgsz: Sequence[int | None] | None = None) -> list[Faces]:
        """The faces of every frame (H, W, 3) uint8 RGB, best score first.

        imgsz: for each frame, to how many pixels on its longer side it is reduced for the search, None for not at all;
            left out, all are reduced to the detector's own.
        """

    def warm_up(
        self, sizes_hw: Iterable[tuple[int, int]], *, amp: bool = True, trial: Callable[[], np.ndarray] | None = None
    ) -> None:
        """On a device, prepare fast passes of single frames of these sizes, in a thread.

        trial: makes a frame (H, W, 3) uint8 RGB with faces; on cuda the fastest way to compute that finds the same
            ones is taken. amp: ways in fewer bits than float32's are among them.
        """

    def close(self) -> None:
        """End its threads."""


def resized(points: np.ndarray, zoom: np.ndarray | float) -> np.ndarray:
    """Where coordinates of a picture are once `cv2.resize` has made it `zoom` times as large.

    It keeps the corners of the outer pixels in place, so their middles move.
    """
    return (points + 0.5) * zoom - 0.5
