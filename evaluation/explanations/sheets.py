"""Sheets of faces with heatmaps: randomised networks, pairs of faces, mirror images.

In:  `Results`.
Out: matplotlib Figures, as in evaluation/sheets.py. They show faces of the data set: mind its licence.
"""

from __future__ import annotations

import cv2
import numpy as np
from matplotlib.figure import Figure

from evaluation.explanations.results import Results
from evaluation.sheets import blend_resized, contact_sheet, heatmap_figure

COLUMNS = 8  # pictures a row


def randomisation_sheet(results: Results) -> Figure:
    """One face: a row an explainer, columns for some of the units down to which the network was randomised."""
    randomisation, row = results.randomisation, results.randomisation.example
    image = results.faces.images[row]
    steps = np.unique(np.linspace(0, len(randomisation.units) - 1, COLUMNS - 1).round().astype(int))
    names = ["trained", *(randomisation.units[step] for step in steps)]
    images, captions = [], []
    for method in results.methods:
        maps = [results.heatmaps[method][row].cpu().numpy(), *randomisation.maps[method][steps]]
        images += [blend_resized(image, heatmap) for heatmap in maps]
        captions += [f"{method}, {name}" for name in names]
    caption = results.faces.captions()[row]
    title = f"{caption}: network randomised from its head down to the unit named; no colour: the heatmap is zero"
    return contact_sheet(images, captions, columns=len(names), side=1.25, title=title)


def pairs_sheet(results: Results, *, count: int = 6) -> Figure:
    """A column a pair of faces in one picture; under it two rows an explainer: left face as target, right face."""
    faces, pairs = results.faces, results.pairs[:count].tolist()
    names = [[faces.class_names[faces.labels[row]] for row in pair] for pair in pairs]
    side = faces.x.shape[3]
    pictures = [np.concatenate([cv2.resize(faces.images[row], (side, side)) for row in pair], axis=1) for pair in pairs]
    images, captions = list(pictures), [f"{left} | {right}" for left, right in names]
    for method in results.methods:
        for target in (0, 1):
            maps = results.pointing[method].maps[target].cpu().numpy()
            images += [blend_resized(picture, heatmap) for picture, heatmap in zip(pictures, maps, strict=False)]
            captions += [f"{method}: {pair[target]}" for pair in names]
    return contact_sheet(images, captions, columns=len(pairs), side=1.6, title="two faces: heatmaps for one of them")


def mirrored_sheet(results: Results) -> Figure:
    """Faces, and under them the heatmap of each and that of its mirror image, mirrored back, by the first explainer."""
    method, first = results.methods[0], results.faces.rows(slice(COLUMNS))
    rows = {method: results.heatmaps[method], f"{method}, mirrored": results.mirrored[method]}
    heatmaps = {name: maps[:COLUMNS].cpu().numpy() for name, maps in rows.items()}
    correlation = results.mirror_correlation(method).mean()
    title = f"faces and mirror images: mean rank correlation {correlation:.2f} over {len(results.faces):,} faces"
    return heatmap_figure(list(first.images), first.captions(), heatmaps, title=title)
