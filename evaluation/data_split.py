"""What commands that read a split of a data set share: their flags, and the reading.

In:  flags.
Out: the data set's format, and the faces of the split.
"""

from __future__ import annotations

from dataclasses import dataclass

from data.datasets import Format, find_format, load_faces
from data.face_set import FaceSet
from data.tables import SPLITS
from support import setting


@dataclass
class SplitSettings:
    """Flags that name faces and the device that they are classified on."""

    dataset: str = setting("", "format of the data set; left out: recognised by its layout")
    data_path: str = setting("data/raw", "the data set's folder", metavar="DIR")
    split: str = setting("test", "which faces", choices=SPLITS)
    skip_bad: bool = setting(False, "leave out rows of the data set that cannot be used")
    device: str = setting("auto", "auto, cpu, mps, cuda or cuda:N")

    def load(self) -> tuple[Format, FaceSet]:
        """The format and the faces of the split; `UserError` where they cannot be read."""
        layout = find_format(self.data_path, name=self.dataset)
        return layout, load_faces(self.data_path, self.split, name=layout.NAME, skip_bad=self.skip_bad)
