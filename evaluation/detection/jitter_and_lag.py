"""Do boxes and landmarks stand still when the face does, and keep up when it moves? python -m evaluation.detection.jitter_and_lag

In:  detector weights (the shipped ones where left out); a face whose place in each frame is known: the bundled
     portrait over a wall, with fresh sensor noise in every frame, at rest and swaying.
Out: JSON: jitter of box and landmarks at rest and their lag when moving, as detected and as tracked.

Jitter is the mean distance that a corner or landmark moves between two frames of a face at rest, over the side of the
box. Lag is the delay in frames at which the known path, delayed so, lies nearest to the path found.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import cv2
import numpy as np

from data.sources.sample import portrait
from retinaface.face import Face
from support import UserError, command, notify, pick_device, run_and_exit, setting, write_json

SIZE_HW = (480, 640)
WALL = (150, 158, 160)
LONGEST_LAG = 8.0  # frames
SWAY_HZ = 0.5


@dataclass
class Settings:
    """Flags of `python -m evaluation.detection.jitter_and_lag`."""

    detector_weights: str | None = setting(None, "detector weights, ours or the public .pth", metavar="FILE")
    smooth: float = setting(0.4, "as live.py's --smooth")
    fps: float = setting(30.0, "frames a second")
    frames: int = setting(120, "frames of each film")
    face: float = setting(110.0, "side of the face in pixels")
    noise: float = setting(4.0, "standard deviation of the sensor noise, of 255")
    sway: float = setting(0.6, "how far the moving face sways to either side, in face sizes")
    out: str = setting("", "where the figures go as JSON; left out: stdout", metavar="FILE.json")
    device: str = setting("auto", "auto, cpu, mps, cuda or cuda:N")


@dataclass(frozen=True)
class Steadiness:
    """Jitter as shares of the box's side, lags in frames."""

    box_jitter: float
    landmark_jitter: float
    box_lag: float
    landmark_lag: float


def run(settings: Settings) -> int:
    """Parse, detect on both films, write."""
    if settings.frames < 30 or settings.fps <= 0:
        raise UserError("--frames takes 30 or more and --fps a number above 0: shorter films tell nothing.")
    from pipeline.tracking import Tracker
    from retinaface.detector import RetinaFace

    detector = RetinaFace.from_file(settings.detector_weights, device=pick_device(settings.device), max_faces=1)
    films = {
        name: [detector([frame])[0] for frame in film(settings, path)]
        for name, path in {"rest": rest(settings), "sway": sway(settings)}.items()
    }
    for name, found in films.items():
        missed = sum(not faces for faces in found)
        if missed:
            raise UserError(f"the face was not found in {missed} of {len(found)} frames ({name}).", exit_code=1)
    detected, tracked = {}, {}
    for name, found in films.items():
        tracker = Tracker(smooth_s=settings.smooth)
        detected[name] = [faces[0] for faces in found]
        tracked[name] = [tracker.follow(faces, time_s=i / settings.fps)[0][0] for i, faces in enumerate(found)]
    report = {"frames": settings.frames, "fps": settings.fps, "noise": settings.noise}
    for kind, faces in (("detected", detected), ("tracked", tracked)):
        report[kind] = asdict(steadiness(faces["rest"], faces["sway"], sway(settings)))
    write_json(report, settings.out)
    if settings.out:
        notify(f"{settings.out}: {report['tracked']}")
    return 0


def rest(settings: Settings) -> np.ndarray:
    """(T, 2) centres of the photograph, all the same."""
    return np.tile(np.array([SIZE_HW[1] / 2 + 0.3, SIZE_HW[0] / 2 + 0.3]), (settings.frames, 1))


def sway(settings: Settings) -> np.ndarray:
    """(T, 2) centres on a slanted sine, `SWAY_HZ` a second."""
    phase = 2 * np.pi * SWAY_HZ * np.arange(settings.frames) / settings.fps
    return rest(settings) + settings.sway * settings.face * np.sin(phase)[:, None] * np.array([1.0, 0.4])


def film(settings: Settings, centres: np.ndarray) -> Iterator[np.ndarray]:
    """Frames (480, 640, 3) uint8 RGB with the portrait's face centred on each of `centres` (T, 2), noise on all."""
    image, rng = portrait(), np.random.default_rng(0)
    box = np.array([178.0, 57, 270, 175])  # of the face in that picture
    zoom = settings.face / np.sqrt((box[2:] - box[:2]).prod())
    for centre in centres:
        shift = centre - zoom * (box[:2] + box[2:]) / 2
        matrix = np.array([[zoom, 0, shift[0]], [0, zoom, shift[1]]])
        frame = cv2.warpAffine(image, matrix, SIZE_HW[::-1], flags=cv2.INTER_AREA, borderValue=WALL)
        yield (frame + rng.normal(0, settings.noise, frame.shape)).clip(0, 255).round().astype(np.uint8)


def steadiness(at_rest: Sequence[Face], moving: Sequence[Face], path: np.ndarray) -> Steadiness:
    """The figures of one face in two films; `path` (T, 2) is where it really was in the moving one."""
    boxes = np.stack([face.box_xyxy.reshape(2, 2) for face in at_rest])  # (T, 2, 2)
    side = np.sqrt((boxes[:, 1] - boxes[:, 0]).prod(axis=1)).mean()
    landmarks = np.stack([face.landmarks_xy for face in at_rest])
    return Steadiness(
        box_jitter=float(jitter(boxes) / side),
        landmark_jitter=float(jitter(landmarks) / side),
        box_lag=lag(np.stack([face.box_xyxy.reshape(2, 2).mean(axis=0) for face in moving]), path),
        landmark_lag=lag(np.stack([face.landmarks_xy.mean(axis=0) for face in moving]), path),
    )


def jitter(points: np.ndarray) -> float:
    """Mean distance in pixels that points (T, P, 2) move from one frame to the next."""
    return float(np.linalg.norm(np.diff(points, axis=0), axis=2).mean())


def lag(found: np.ndarray, path: np.ndarray) -> float:
    """Frames by which `found` (T, 2) trails `path` (T, 2): the delay with the smallest squared distance.

    A constant offset between the two (a box is not centred where the photograph is) is taken out first. Negative
    where it runs ahead; steps of 0.05 frames.
    """
    times = np.arange(len(path))
    delays = np.arange(-LONGEST_LAG, LONGEST_LAG + 0.01, 0.05)
    inside = slice(round(LONGEST_LAG), -round(LONGEST_LAG))  # where every delay stays on the film
    costs = []
    for delay in delays:
        delayed = np.stack([np.interp(times - delay, times, path[:, axis]) for axis in (0, 1)], axis=1)
        difference = (found - delayed)[inside]
        costs.append((difference - difference.mean(axis=0)).var())
    return round(float(delays[int(np.argmin(costs))]), 2)


main = command(Settings, run, prog="python -m evaluation.detection.jitter_and_lag", doc=__doc__)

if __name__ == "__main__":
    run_and_exit(main)
