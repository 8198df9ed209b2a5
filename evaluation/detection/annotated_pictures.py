"""What commands that detect faces in annotated pictures share: their flags, the pictures and the detector.

In:  flags.
Out: the annotations that are chosen, the pictures, and a detector that does not reduce them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from retinaface.detector import RetinaFace
from retinaface.training.annotations import Picture, chosen_rows, read_pictures
from support import UserError, pick_device, setting


@dataclass
class PictureSettings:
    """Flags that name detector weights and annotated pictures."""

    annotations: str = setting("", "annotations, one JSON object a line", metavar="FILE.jsonl")
    images: str = setting("", "the folder that their picture names start from", metavar="DIR")
    weights: str | None = setting(
        None, "detector weights, .safetensors or the public .pth; left out: the shipped ones", metavar="FILE"
    )
    split: str = setting("all", "which of the pictures", choices=["all", "train", "val"])
    source: str = setting("", "only pictures whose name starts with this", metavar="PREFIX")
    device: str = setting("auto", "auto, cpu, mps, cuda or cuda:N")

    def rows(self) -> list[dict]:
        """The annotations; `UserError` where they are not named or none is chosen."""
        if not self.annotations or not self.images:
            raise UserError(
                "--annotations FILE.jsonl and --images DIR are both needed; see retinaface/training/annotations.py."
            )
        return chosen_rows(self.annotations, split=self.split, source=self.source)

    def pictures(self) -> Iterator[Picture]:
        """The annotated pictures."""
        return read_pictures(self.rows(), self.images)

    def detector(self, *, conf: float) -> RetinaFace:
        """The detector with this score threshold, at the pictures' own size."""
        return RetinaFace.from_file(self.weights, device=pick_device(self.device), conf=conf, imgsz=None)
