"""Sheets of pictures: faces of a data set, the surest mistakes, what explainers point at.

In:  pictures (H, W, 3) uint8 RGB, a `FaceSet`, an `Evaluation`, heatmaps.
Out: matplotlib Figures, as in `evaluation/plots.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest

import cv2
import numpy as np
from matplotlib.figure import Figure

from data.face_set import FaceSet
from gradcam import blend
from support.figures import styled

GAP, LINE, TITLE, LETTER = 0.1, 0.13, 0.3, 0.085  # inches: between pictures, a caption's line, the title, its letters


@styled
def contact_sheet(
    images: Sequence[np.ndarray | None],
    captions: Sequence[str] = (),
    *,
    columns: int = 8,
    side: float = 1.1,
    title: str = "",
) -> Figure:
    """Pictures in rows of `columns`, each in a square of `side` inches, its caption under it; None leaves a gap."""
    columns = max(min(columns, len(images)), 1)
    lines = max((caption.count("\n") + 1 for caption in captions if caption), default=0)
    tall = max((image.shape[0] / image.shape[1] for image in images if image is not None), default=1)
    width, height = side + GAP, side * min(tall, 1) + GAP + LINE * lines
    top = GAP + TITLE * bool(title)
    size = (max(columns * width + GAP, LETTER * len(title)), -(-len(images) // columns) * height + top)
    figure = Figure(figsize=size, layout="none")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.text(GAP, GAP, title, va="top", fontsize=10)
    for place, (image, caption) in enumerate(zip_longest(images, captions, fillvalue="")):
        if image is not None:
            x, y = GAP + place % columns * width, top + place // columns * height
            high, wide = np.array(image.shape[:2]) * side / max(image.shape[:2])
            middle, base = x + side / 2, y + high
            edges = (middle - wide / 2, middle + wide / 2, base, y)
            axes.imshow(image, extent=edges, interpolation="bicubic", aspect="auto")
            axes.text(middle, base + 0.04, caption, ha="center", va="top", fontsize=7)
    axes.set(xlim=(0, size[0]), ylim=(size[1], 0))  # inches, downwards
    return figure


def faces_figure(faces: FaceSet, *, each: int = 8, title: str = "") -> Figure:
    """The first `each` faces of every class that occurs, a row a class, with the label and its share of the votes."""
    each = min(each, np.bincount(faces.labels).max())
    images, captions = [], []
    for label in np.unique(faces.labels):
        rows = np.flatnonzero(faces.labels == label)[:each]
        gaps = each - len(rows)
        images += [*(faces.images[row] for row in rows), *[None] * gaps]
        captions += [*(label_of(faces, row) for row in rows), *[""] * gaps]
    return contact_sheet(images, captions, columns=each, title=title)


def label_of(faces: FaceSet, row: int) -> str:
    """A face's label and the share of votes for it, "fear 62%"; "fear" where there are no votes."""
    name = faces.class_names[faces.labels[row]]
    return f"{name} {faces.votes[row, faces.labels[row]]:.0%}" if faces.has_votes else name


def heat_figure(
    images: Sequence[np.ndarray], captions: Sequence[str], heatmaps: Mapping[str, np.ndarray], *, title: str = ""
) -> Figure:
    """N captioned faces in a row, and under them a row a name: `heatmaps` (N, S, S) float32 in [0, 1], by name."""
    sheet, under = list(images), list(captions)
    for name, maps in heatmaps.items():
        sheet += [blend(image, cv2.resize(heat, image.shape[1::-1])) for image, heat in zip(images, maps, strict=True)]
        under += [name] * len(images)
    return contact_sheet(sheet, under, columns=len(images), title=title)
