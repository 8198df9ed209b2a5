"""Sheets of heated faces for the proof of heatmaps: shuffled networks, pairs of faces, mirror images.

In:  `Results`.
Out: matplotlib Figures, as in evaluation/sheets.py. They show faces of the data set: mind its licence.
"""

from __future__ import annotations

import cv2
import numpy as np
from matplotlib.figure import Figure

from evaluation.explanations.results import Results
from evaluation.sheets import contact_sheet
from gradcam import blend

COLUMNS = 8  # pictures a row


def heated(image: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """The picture (H, W, 3) uint8 RGB under a map of any size."""
    return blend(image, cv2.resize(np.ascontiguousarray(heat), image.shape[1::-1]))


def shuffled_sheet(results: Results) -> Figure:
    """One face: a row an explainer, a column each few units of the network that have been shuffled."""
    cascade, row = results.cascade, results.cascade.example
    image = results.study.images[row]
    stages = np.unique(np.linspace(0, len(cascade.units) - 1, COLUMNS - 1).round().astype(int))
    names = ["trained", *(cascade.units[stage] for stage in stages)]
    images, captions = [], []
    for method in results.methods:
        maps = [results.maps[method][row].cpu().numpy(), *cascade.maps[method][stages]]
        images += [heated(image, heat) for heat in maps]
        captions += [f"{method}, {name}" for name in names]
    said = results.study.shown()[row]
    title = f"{said}: the network shuffled from its head down to the unit named; without colour the map is zero"
    return contact_sheet(images, captions, columns=len(names), side=1.25, title=title)


def pairs_sheet(results: Results, *, count: int = 6) -> Figure:
    """Pairs of faces in one picture, a column each; under them two rows an explainer: asked for the left, the right."""
    study, pairs = results.study, results.pairs[:count]
    names = [[study.class_names[study.labels[row]] for row in pair] for pair in pairs.tolist()]
    side = study.x.shape[3]
    joined = [
        np.concatenate([cv2.resize(study.images[row], (side, side)) for row in pair], axis=1) for pair in pairs.tolist()
    ]
    images, captions = list(joined), [f"{left} | {right}" for left, right in names]
    for method in results.methods:
        for asked in (0, 1):
            maps = results.answers[method].maps[asked].cpu().numpy()
            images += [heated(image, heat) for image, heat in zip(joined, maps, strict=False)]
            captions += [f"{method}: {pair[asked]}" for pair in names]
    return contact_sheet(images, captions, columns=len(pairs), side=1.6, title="asked for one of two faces")


def mirrored_sheet(results: Results) -> Figure:
    """Faces, and under them the map of each and that of its mirror image, mirrored back, by the first explainer."""
    method, study = results.methods[0], results.study
    images = list(study.images[:COLUMNS])
    sheet, captions = list(images), study.rows(slice(COLUMNS)).shown()
    for maps, name in ((results.maps, method), (results.mirrored, f"{method}, mirrored")):
        heats = maps[method][:COLUMNS].cpu().numpy()
        sheet += [heated(image, heat) for image, heat in zip(images, heats, strict=True)]
        captions += [name] * len(images)
    agreement = results.agreement(method).mean()
    title = f"faces and mirror images: mean rank correlation {agreement:.2f} over {len(study):,} faces"
    return contact_sheet(sheet, captions, columns=len(images), side=1.25, title=title)
