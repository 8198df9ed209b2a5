"""Folders of results: each film and picture of the source annotated, and the crops of the faces.

In:  frames with their results and annotated pictures (H, W, 3) uint8 RGB.
Out: pictures and films under the names of what they are of, in a folder.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np

from data.sources.frame import Frame
from pipeline.crops import crop_faces
from pipeline.output.film import VideoWriter
from pipeline.output.names import OutputNames
from pipeline.output.snapshot import save_picture
from pipeline.run import FrameResult
from support.files import numbered

KEPT_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")  # of pictures; the others get .png
LONGEST_SIDE = {".webp": 16_383, ".jpg": 65_500, ".jpeg": 65_500}  # that the format, or its library, takes
CROP_PX = 224


class AnnotatedFolder:
    """Annotated pictures under their own names, and each film as an .mp4 of its own: a.jpg, b.avi.mp4.

    A context manager, which finishes the film that is being written.
    """

    def __init__(self, folder: str | Path, *, fps: float, notify: Callable[[str], None]) -> None:
        self._folder, self._fps, self._notify = Path(folder), fps, notify
        self._names = OutputNames(_annotated_name)
        self._film: Path | None = None  # which is being written
        self._writer: VideoWriter | None = None

    def add(self, frame: Frame, annotated: np.ndarray) -> None:
        """Keep one frame; `UserError` where that fails."""
        path = self._folder / self._names.of(frame)
        if frame.still:
            if path.exists():
                named, path = path, next(free for n in itertools.count(2) if not (free := numbered(path, n)).exists())
                self._notify(f"another program wrote {named} meanwhile, so this picture is {path.name}.")
            save_picture(path, annotated)
            return
        if self._writer is None or path != self._film:
            self.close()
            self._film, self._writer = path, VideoWriter(path, self._fps, notify=self._notify)
        self._writer.add(frame, annotated)

    def close(self) -> None:
        """Finish the film that is being written; more than once is fine."""
        if self._writer:
            writer, self._writer = self._writer, None
            writer.close()

    def __enter__(self) -> AnnotatedFolder:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _annotated_name(name: Path, frame: Frame) -> Path:
    """The picture's own name where OpenCV writes such a file; a film's where it is an .mp4."""
    suffix = name.suffix.lower()
    if not frame.still:
        return name if suffix == ".mp4" else Path(f"{name}.mp4")
    side = max(frame.image_rgb.shape)
    kept = suffix in KEPT_SUFFIXES and side <= LONGEST_SIDE.get(suffix, side)
    return name if kept else Path(f"{name}.png")


class CropFolder:
    """The aligned crops of all faces, as the networks are trained on them: a.jpg_000000_0.png is face 0 of frame 0.

    Frame and face are numbered as in the log. 224 pixels a side, whatever size the network takes.
    """

    def __init__(self, folder: str | Path) -> None:
        self._folder, self._names = Path(folder), OutputNames()

    def add(self, frame: Frame, result: FrameResult) -> None:
        """Keep the faces of one frame; `UserError` where that fails."""
        crops, _ = crop_faces(result.frame_rgb, [face.face for face in result.faces], size=CROP_PX)
        for number, crop in enumerate(crops):
            save_picture(self._folder / f"{self._names.of(frame)}_{frame.index:06d}_{number}.png", crop)
