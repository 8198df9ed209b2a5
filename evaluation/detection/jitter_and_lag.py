"""Jitter and lag of detected and tracked faces: python -m evaluation.detection.jitter_and_lag

In:  detector weights (left out: the shipped ones); two synthetic videos in which the place of the face is known: a
     portrait before a wall, with fresh sensor noise in every frame, at rest and swaying.
Out: JSON: jitter of box and landmarks at rest and their lag in motion, as detected and as tracked.

Jitter is the mean distance that a corner or landmark moves between two frames of a face at rest, over the side of the
box. Lag is the delay in frames for which the known path, delayed by it, lies nearest to the detected path.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from data.sources.sample import portrait
from pipeline.tracking import Tracker
from retinaface.detector import RetinaFace
from retinaface.face import Face
from support import FAILED, UserError, command, notify, pick_device, run_and_exit, setting, write_json

SIZE_HW = (480, 640)
WALL_RGB = (150, 158, 160)
FACE_XYXY = np.array([178.0, 57, 270, 175])  # in the portrait
FEWEST_FRAMES = 30
LONGEST_LAG = 8.0  # frames
SWAY_HZ = 0.5


@dataclass
class Settings:
    """Flags of `python -m evaluation.detection.jitter_and_lag`."""

    weights: str | None = setting(None, "detector weights, ours or the public .pth", metavar="FILE")
    fps: float = setting(30.0, "frames a second", within=(4, 1000))
    frames: int = setting(120, "frames a video", within=(FEWEST_FRAMES, 100_000))
    face: float = setting(110.0, "side of the face in pixels", within=(16, 480))
    noise: float = setting(4.0, "standard deviation of the sensor noise, of 255", within=(0, 255))
    sway: float = setting(0.6, "how far the moving face sways to either side, in face sizes", within=(0.05, 2))
    out: str = setting("", "where the figures go as JSON; left out: stdout", metavar="FILE.json")
    device: str = setting("auto", "auto, cpu, mps, cuda or cuda:N")


def run(settings: Settings) -> int:
    """Detect and track in both videos, write."""
    detector = RetinaFace.from_file(settings.weights, device=pick_device(settings.device), max_faces=1)
    rest, sway = sway_path(settings, sway=0.0), sway_path(settings, sway=settings.sway)
    rest_detected, rest_tracked = detect_and_track(detector, rest, settings)
    sway_detected, sway_tracked = detect_and_track(detector, sway, settings)
    report = {
        "frames": settings.frames,
        "fps": settings.fps,
        "noise": settings.noise,
        "detected": jitter_and_lag(rest_detected, sway_detected, sway),
        "tracked": jitter_and_lag(rest_tracked, sway_tracked, sway),
    }
    write_json(report, settings.out)
    if settings.out:
        notify(f"{settings.out}: {report['tracked']}")
    return 0


def sway_path(settings: Settings, *, sway: float) -> np.ndarray:
    """(T, 2) float64 centres of the face on a slanted sine of `SWAY_HZ`, `sway` face sizes to either side."""
    phase = 2 * np.pi * SWAY_HZ * np.arange(settings.frames) / settings.fps
    middle = np.array([SIZE_HW[1] / 2 + 0.3, SIZE_HW[0] / 2 + 0.3])
    return middle + sway * settings.face * np.sin(phase)[:, None] * np.array([1.0, 0.4])


def video(settings: Settings, path: np.ndarray) -> Iterator[np.ndarray]:
    """Frames (480, 640, 3) uint8 RGB with the face centred on each point of `path` (T, 2), and noise."""
    image, rng = portrait(), np.random.default_rng(0)
    zoom = settings.face / np.sqrt((FACE_XYXY[2:] - FACE_XYXY[:2]).prod())
    for centre in path:
        shift = centre - zoom * (FACE_XYXY[:2] + FACE_XYXY[2:]) / 2
        matrix = np.array([[zoom, 0, shift[0]], [0, zoom, shift[1]]])
        frame = cv2.warpAffine(image, matrix, SIZE_HW[::-1], borderValue=WALL_RGB)
        yield (frame + rng.normal(0, settings.noise, frame.shape)).clip(0, 255).round().astype(np.uint8)


def detect_and_track(detector: RetinaFace, path: np.ndarray, settings: Settings) -> tuple[list[Face], list[Face]]:
    """The face in each frame of the video along `path` (T, 2), as detected and as tracked."""
    found = [detector([frame])[0] for frame in video(settings, path)]
    missed = sum(not faces for faces in found)
    if missed:
        raise UserError(
            f"the face was not detected in {missed} of {len(found)} frames; try a larger --face.", exit_code=FAILED
        )
    tracker = Tracker()
    tracked = [tracker.update(faces, time_s=index / settings.fps)[0][0] for index, faces in enumerate(found)]
    return [faces[0] for faces in found], tracked


def jitter_and_lag(rest: Sequence[Face], sway: Sequence[Face], path: np.ndarray) -> dict[str, float]:
    """Jitter of a face at rest, in sides of its box, and lag in frames of one that sways along `path` (T, 2)."""
    corners = np.stack([face.box_xyxy.reshape(2, 2) for face in rest])  # (T, 2, 2)
    side = np.sqrt((corners[:, 1] - corners[:, 0]).prod(axis=1)).mean()
    landmarks = np.stack([face.landmarks_xy for face in rest])
    return {
        "box_jitter": float(jitter(corners) / side),
        "landmark_jitter": float(jitter(landmarks) / side),
        "box_lag": lag(np.stack([face.box_xyxy.reshape(2, 2).mean(axis=0) for face in sway]), path),
        "landmark_lag": lag(np.stack([face.landmarks_xy.mean(axis=0) for face in sway]), path),
    }


def jitter(points: np.ndarray) -> float:
    """Mean distance in pixels that points (T, P, 2) move from one frame to the next."""
    return float(np.linalg.norm(np.diff(points, axis=0), axis=2).mean())


def lag(detected: np.ndarray, path: np.ndarray) -> float:
    """Frames by which `detected` (T, 2) trails `path` (T, 2): the delay with the smallest squared distance.

    A constant offset between the two is removed first: a box is not centred where the portrait is. Negative where
    `detected` runs ahead; in steps of 0.05 frames.
    """
    times = np.arange(len(path))
    delays = np.arange(-LONGEST_LAG, LONGEST_LAG + 0.01, 0.05)
    inner = slice(round(LONGEST_LAG), -round(LONGEST_LAG))  # frames for which every delay stays inside the video
    costs = []
    for delay in delays:
        delayed = np.stack([np.interp(times - delay, times, path[:, axis]) for axis in (0, 1)], axis=1)
        difference = (detected - delayed)[inner]
        costs.append((difference - difference.mean(axis=0)).var())
    return round(float(delays[int(np.argmin(costs))]), 2)


main = command(Settings, run, prog="python -m evaluation.detection.jitter_and_lag", doc=__doc__)

if __name__ == "__main__":
    run_and_exit(main)
