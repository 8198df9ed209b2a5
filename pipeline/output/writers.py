"""What stays on disk: video at true speed, the log of predictions, snapshots.

In:  pictures (H, W, 3) uint8 RGB with their times; one `Row` a face and frame.
Out: .mp4 .avi .webm, .csv .jsonl, .png .jpg files, each under its own name only when complete.

`VideoWriter` and `PredictionLog` are context managers and finish their file on an error and on Ctrl-C too.
"""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import datetime
import json
import math
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from support import FAILED, UserError, atomic_write

CODECS = {".mp4": "mp4v", ".avi": "MJPG", ".webm": "VP80"}  # those that open with OpenCV's wheels on every system
LOG_SUFFIXES = (".csv", ".jsonl")
LAST_STAY_S = 2.0  # the longest that a recording's last frame stays
SPARE_BYTES = 32 * 2**20  # a full disk spoils a recording: OpenCV tells nobody, and an .mp4 gets its index at the end


class VideoWriter:
    """A video whose time is that of the frames: each stays until the next one's time, so some repeat and some drop.

    The first frame sets the size. The last frame stays as long as the one before it, two seconds at most. Where no
    frame comes, no file appears.
    """

    def __init__(self, path: str | Path, fps: float = 30.0) -> None:
        self._path = Path(path)
        _check_suffix(self._path, tuple(CODECS), "a video")
        try:
            str(self._path).encode()
        except UnicodeEncodeError as error:  # OpenCV would crash the process
            raise UserError(f"cannot record to {self._path!a}: the name is not valid UTF-8.") from error
        if not (math.isfinite(fps) and fps > 0):
            raise ValueError(f"fps must be above 0, not {fps}")
        self._fps = round(fps, 3)  # what the file can hold
        self._writer: cv2.VideoWriter | None = None
        self._waiting_bgr: np.ndarray | None = None  # the newest frame, written when it is known how long it stays
        self._slot = self._stay = 0  # its place in the file; how many places the one before took

    def write(self, image_rgb: np.ndarray, time_s: float) -> None:
        """Add a frame, (H, W, 3) uint8 RGB, seen at `time_s`; one of another size than the first is letterboxed."""
        if self._writer is None:
            self._open(image_rgb.shape[:2], start_s=time_s)
        elif shutil.disk_usage(self._path.parent).free < SPARE_BYTES:
            raise UserError(f"the disk is nearly full, so {self._path} ends here.", exit_code=FAILED)
        slot = max(self._slot, round((time_s - self._start_s) * self._fps))
        self._stay = slot - self._slot
        self._put_waiting(times=self._stay)
        self._slot = slot
        self._waiting_bgr = cv2.cvtColor(_fitted(image_rgb, self._size_hw), cv2.COLOR_RGB2BGR)

    def _open(self, size_hw: tuple[int, int], *, start_s: float) -> None:
        fourcc = cv2.VideoWriter_fourcc(*CODECS[self._path.suffix.lower()])
        with contextlib.ExitStack() as files:
            self._temporary = files.enter_context(atomic_write(self._path))
            with _stderr_muted():  # .webm has no codec tags, and OpenCV says so each time
                writer = cv2.VideoWriter(str(self._temporary), fourcc, self._fps, size_hw[::-1])
            if not writer.isOpened():
                what = f"{size_hw[1]}x{size_hw[0]} pixels at {self._fps:g} frames a second"
                raise UserError(f"OpenCV cannot record {what} to {self._path}.", exit_code=FAILED)
            self._files = files.pop_all()
        self._writer, self._size_hw, self._start_s = writer, size_hw, start_s

    def _put_waiting(self, *, times: int) -> None:
        for _ in range(times):
            self._writer.write(self._waiting_bgr)

    def close(self) -> None:
        """Finish the file and give it its name; more than once is fine. `UserError` where it cannot be played."""
        if self._writer is None:
            return
        with self._files:
            self._put_waiting(times=min(max(1, self._stay), math.ceil(LAST_STAY_S * self._fps)))
            self._writer.release()
            self._writer = None
            if not cv2.VideoCapture(str(self._temporary)).read()[0]:
                raise UserError(f"{self._path} could not be finished; is the disk full?", exit_code=FAILED)

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _fitted(image: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """The picture in a frame of `size_hw`, scaled as a whole, with black bars where the ratio differs."""
    height, width = image.shape[:2]
    if (height, width) == size_hw:
        return image
    scale = min(size_hw[0] / height, size_hw[1] / width)
    inner_h, inner_w = max(1, round(height * scale)), max(1, round(width * scale))
    top, left = (size_hw[0] - inner_h) // 2, (size_hw[1] - inner_w) // 2
    fitted = np.zeros((*size_hw, 3), np.uint8)
    fitted[top : top + inner_h, left : left + inner_w] = cv2.resize(image, (inner_w, inner_h))
    return fitted


@contextlib.contextmanager
def _stderr_muted() -> Iterator[None]:
    """Keep what C code writes to stderr off the screen."""
    kept = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


@dataclasses.dataclass(frozen=True)
class Row:
    """One face in one frame; the box in pixels of the frame, `probabilities` in the order of the class names."""

    time_s: float
    frame: int
    face: int
    track: int | None
    x1: float
    y1: float
    x2: float
    y2: float
    score: float
    label: str
    confidence: float
    probabilities: Sequence[float]


class PredictionLog:
    """A .csv or .jsonl file of one line a face and frame, with the columns of `Row` and one p_<class> a class."""

    def __init__(self, path: str | Path, class_names: Sequence[str]) -> None:
        self._path = Path(path)
        _check_suffix(self._path, LOG_SUFFIXES, "a log")
        self._class_names = tuple(class_names)
        self._files = contextlib.ExitStack()
        temporary = self._files.enter_context(atomic_write(self._path))
        self._file = open(temporary, "w", encoding="utf-8", newline="")  # noqa: SIM115 - close() does
        self._csv = csv.writer(self._file, lineterminator="\n") if self._path.suffix.lower() == ".csv" else None
        if self._csv:
            columns = [field.name for field in dataclasses.fields(Row)][:-1]
            self._csv.writerow(columns + [f"p_{name}" for name in self._class_names])

    def write(self, rows: Iterable[Row]) -> None:
        """Add the rows and hand them to the system, so that a crash loses nothing."""
        try:
            for row in rows:
                cells = self._cells(row)
                if self._csv:
                    self._csv.writerow(cells.values())
                else:
                    self._file.write(json.dumps(cells) + "\n")
            self._file.flush()
        except OSError as error:
            raise self._failure(error) from error

    def _cells(self, row: Row) -> dict[str, object]:
        """Column name -> value: milliseconds, tenths of a pixel, six decimals for what lies in [0, 1]."""
        decimals = {"time_s": 3, "x1": 1, "y1": 1, "x2": 1, "y2": 1, "score": 6, "confidence": 6}
        cells = dataclasses.asdict(row)
        probabilities = cells.pop("probabilities")
        cells.update({name: round(float(cells[name]), digits) for name, digits in decimals.items()})
        for name, probability in zip(self._class_names, probabilities, strict=True):
            cells[f"p_{name}"] = round(float(probability), 6)
        return cells

    def close(self) -> None:
        """Give the file its name; what reached the disk is kept. More than once is fine."""
        try:
            self._file.close()
        except OSError as error:
            raise self._failure(error) from error
        finally:
            self._files.close()

    def _failure(self, error: OSError) -> UserError:
        return UserError(f"cannot write {self._path}: {error.strerror}.", exit_code=FAILED)

    def __enter__(self) -> PredictionLog:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def save_picture(path: str | Path, image_rgb: np.ndarray) -> None:
    """Write (H, W, 3) uint8 RGB as the kind of picture that the suffix names; `UserError` where OpenCV knows none."""
    path = Path(path)
    try:
        _, encoded = cv2.imencode(path.suffix, cv2.cvtColor(image_rgb, cv2.COLOR_RGB2BGR))
    except cv2.error as error:
        raise UserError(f"cannot write a picture to {path.name}; take .png, .jpg or .webp.") from error
    try:
        with atomic_write(path) as temporary:
            temporary.write_bytes(encoded)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}.", exit_code=FAILED) from error


def snapshot_name(folder: str | Path, suffix: str) -> Path:
    """A name in `folder` that tells the time and is not taken: 2026-11-22_14-03-09.png, then ..._2.png."""
    stamp = datetime.datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    path = Path(folder) / f"{stamp}{suffix}"
    number = 2
    while path.exists():
        path = Path(folder) / f"{stamp}_{number}{suffix}"
        number += 1
    return path


def _check_suffix(path: Path, suffixes: tuple[str, ...], what: str) -> None:
    if path.suffix.lower() not in suffixes:
        raise UserError(f"{what} ends in {', '.join(suffixes)}, which {path.name!r} does not.")
