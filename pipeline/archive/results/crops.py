"""Crops of an archive's faces, on request.

In:  frames with their results.
Out: .png files of 224 pixels a side below _crops/, in a folder a source: 000012_0.png is face 0 of frame 12.
"""

from __future__ import annotations

import hashlib
import re

import cv2

from data.sources.frame import Frame
from pipeline.archive.results.store import CROPS, Store
from pipeline.archive.sources import Source
from pipeline.crops import crop_faces
from pipeline.output.folders import CROP_PX
from pipeline.run import FrameResult

LONGEST = 80  # characters of a source's name in its folder's


def crops_folder(source: Source) -> str:
    """A folder called after the source, and made unique by a digest of where that lies."""
    plain = re.sub(r"[^\w.-]+", "_", source.name, flags=re.ASCII)[-LONGEST:].strip("._")
    digest = hashlib.sha256(source.place.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return f"{CROPS}/{plain}-{digest}"


class Crops:
    """Of one source."""

    def __init__(self, store: Store, source: Source) -> None:
        self._store, self.folder = store, crops_folder(source)

    def clear(self) -> None:
        """Remove those that there are, of what the source held before."""
        self._store.delete_folder(self.folder)

    def add(self, frame: Frame, result: FrameResult) -> None:
        """Keep the faces of one frame; `UserError` where that fails."""
        crops, _ = crop_faces(result.frame_rgb, [face.face for face in result.faces], size=CROP_PX)
        for number, crop in enumerate(crops):
            _, encoded = cv2.imencode(".png", cv2.cvtColor(crop, cv2.COLOR_RGB2BGR))
            self._store.write_bytes(f"{self.folder}/{frame.index:06d}_{number}.png", encoded.tobytes())
