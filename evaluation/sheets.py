"""Contact sheets: pictures with captions, faces of a data set, mistakes, faces with their heatmaps.

In:  pictures (H, W, 3) uint8 RGB, a `FaceSet`, heatmaps (N, h, w) float32 in [0, 1].
Out: matplotlib Figures, as in `evaluation/plots.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from matplotlib.figure import Figure

from data.face_set import FaceSet
from gradcam import blend
from support.figures import styled

GAP, LINE, TITLE = 0.1, 0.13, 0.3  # inches: between pictures, line of a caption, title
MOST_CLASSES = 32  # with a row of faces each
LETTER, CAPTION_LETTER = 0.085, 0.06  # inches: of the title, of a caption


@styled
def contact_sheet(
    images: Sequence[np.ndarray | None],
    captions: Sequence[str] = (),
    *,
    columns: int = 8,
    side: float = 1.1,
    title: str = "",
) -> Figure:
    """Pictures in rows of `columns`, each in a square of `side` inches above its caption; None leaves a gap.

    Columns are as wide as the longest caption.
    """
    columns = max(min(columns, len(images)), 1)
    lines = max((caption.count("\n") + 1 for caption in captions if caption), default=0)
    longest = max((len(line) for caption in captions for line in caption.splitlines()), default=0)
    aspect = max((image.shape[0] / image.shape[1] for image in images if image is not None), default=1)
    width, height = max(side, CAPTION_LETTER * longest) + GAP, side * min(aspect, 1) + GAP + LINE * lines
    top = GAP + TITLE * bool(title)
    size = (max(columns * width + GAP, LETTER * len(title)), -(-len(images) // columns) * height + top)
    figure = Figure(figsize=size)
    figure.set_layout_engine("none")  # everything has its place
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.text(GAP, GAP, title, va="top", fontsize=10)
    texts = [*captions, *[""] * (len(images) - len(captions))]
    for place, (image, caption) in enumerate(zip(images, texts, strict=True)):
        if image is not None:
            x, y = GAP + place % columns * width, top + place // columns * height
            image_height, image_width = np.array(image.shape[:2]) * side / max(image.shape[:2])
            centre, bottom = x + (width - GAP) / 2, y + image_height
            extent = (centre - image_width / 2, centre + image_width / 2, bottom, y)
            axes.imshow(image, extent=extent, interpolation="bicubic", aspect="auto")
            axes.text(centre, bottom + 0.04, caption, ha="center", va="top", fontsize=7)
    axes.set(xlim=(0, size[0]), ylim=(size[1], 0))  # inches, downwards
    return figure


def faces_figure(faces: FaceSet, *, per_class: int = 8) -> Figure:
    """The first `per_class` faces of each class that occurs, a row a class, with the label and its share of votes.

    Of more than `MOST_CLASSES` only the first ones.
    """
    per_class = min(per_class, int(np.bincount(faces.labels).max()))
    images: list[np.ndarray | None] = []
    captions: list[str] = []
    for label in np.unique(faces.labels)[:MOST_CLASSES]:
        rows = np.flatnonzero(faces.labels == label)[:per_class].tolist()
        gaps = per_class - len(rows)
        images += [*(faces.images[row] for row in rows), *[None] * gaps]
        captions += [*(label_text(faces, row) for row in rows), *[""] * gaps]
    return contact_sheet(images, captions, columns=per_class)


def mistakes_figure(faces: FaceSet, probabilities: np.ndarray, *, count: int = 24, title: str = "") -> Figure:
    """The `count` most confident mistakes, most confident first, with prediction and label; probabilities (N, K)."""
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    wrong = np.flatnonzero(predicted != faces.labels)
    rows = wrong[np.argsort(-confidence[wrong], kind="stable")][:count].tolist()
    captions = [
        f"network: {faces.class_names[predicted[row]]} {100 * confidence[row]:.0f} %\nlabel: {label_text(faces, row)}"
        for row in rows
    ]
    return contact_sheet([faces.images[row] for row in rows], captions, columns=6, side=1.4, title=title)


def label_text(faces: FaceSet, row: int) -> str:
    """A face's label and its share of the votes, "fear 62 %"; "fear" where there are no votes."""
    name = faces.class_names[faces.labels[row]]
    return f"{name} {100 * faces.votes[row, faces.labels[row]]:.0f} %" if faces.has_votes else name


def heatmap_figure(
    images: Sequence[np.ndarray], captions: Sequence[str], heatmaps: Mapping[str, np.ndarray], *, title: str = ""
) -> Figure:
    """N captioned faces in a row, and under them a row for each name in `heatmaps`: (N, h, w) float32 in [0, 1]."""
    pictures, texts = list(images), list(captions)
    for name, maps in heatmaps.items():
        pictures += [blend_resized(image, heatmap) for image, heatmap in zip(images, maps, strict=True)]
        texts += [name] * len(images)
    return contact_sheet(pictures, texts, columns=len(images), title=title)


def blend_resized(image_rgb: np.ndarray, heatmap: np.ndarray) -> np.ndarray:
    """The picture (H, W, 3) uint8 RGB under a heatmap of any size; a new array."""
    return blend(image_rgb, cv2.resize(np.ascontiguousarray(heatmap), image_rgb.shape[1::-1]))
