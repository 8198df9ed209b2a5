"""What the commands of evaluation share: the flags of a split of a data set, its reading, and what they leave.

In:  flags; a report, figures by name, lines of text.
Out: the data set's format, and the faces of the split; files, and the lines on stdout.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from data.datasets import Format, find_format, load_faces
from data.doubts import vote_order
from data.face_set import FaceSet
from data.pictures.store import Storage
from data.tables import ALL, SPLITS
from support import notify, setting, write_json
from support.figures import save_figure


@dataclass
class DataSettings:
    """Flags that name a data set and the device that its faces are classified on."""

    dataset: str = setting("", "format of the data set; left out: recognised by its layout")
    data_path: str = setting("data/raw", "the data set's folder", metavar="DIR")
    skip_bad: bool = setting(False, "leave out rows of the data set that cannot be used")
    classes: str = setting("", "file of `name,class` rows that maps class names to others", metavar="FILE")
    memory: float = setting(0.5, "share of the free memory that decoded pictures may take", within=(0, 1))
    device: str = setting("auto", "auto, cpu, mps, cuda or cuda:N")

    def load_split(self, split: str, layout: Format, *, check: bool = True) -> FaceSet:
        """The faces of `split`; check=False: no picture is decoded, so that broken ones are not told.

        A notice tells where the columns of its votes seem to stand in another order.
        """
        faces = load_faces(
            self.data_path,
            split,
            name=layout.NAME,
            skip_bad=self.skip_bad,
            classes=self.classes,
            storage=Storage(self.memory, check=check),
        )
        for doubt in vote_order(faces, split):
            notify(str(doubt))
        return faces


@dataclass
class SplitSettings(DataSettings):
    """Flags that name faces and the device that they are classified on."""

    split: str = setting("test", "which faces; all: the whole set", choices=[*SPLITS, ALL])

    def load(self) -> tuple[Format, FaceSet]:
        """The format and the faces of the split; `UserError` where they cannot be read."""
        layout = find_format(self.data_path, name=self.dataset)
        return layout, self.load_split(self.split, layout)


def publish(
    folder: str | Path, name: str, report: Mapping, figures: Mapping[str, Figure], lines: Iterable[str]
) -> None:
    """Write NAME.json and one PNG a figure into `folder`, each complete or not at all, and print the lines."""
    write_json(report, Path(folder) / f"{name}.json")
    for picture, figure in figures.items():
        save_figure(figure, Path(folder) / f"{picture}.png")
    notify(f"{name}.json {'and pictures are' if figures else 'is'} in {folder}")
    print(*lines, sep="\n")
