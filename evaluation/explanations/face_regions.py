"""Which part of the face a network uses for each expression: forehead, eyes, nose, mouth or chin.

In:  `ExplainedFaces` whose faces fill their pictures as FER+'s do, an explainer.
Out: `ExpressionMean`: mean face, mean heatmap, the share of the heatmap in each region, and how much the probability
     drops without the region.

Regions are horizontal stripes around the heights at which eyes, nose and mouth lie on average
(`models.preprocess.CROP_TEMPLATE`); borders are half-way between. The cells of a heatmap are about as high as a region,
so a share tells the region, not the feature. Occlusion (Zeiler & Fergus 2014) does not use heatmaps, and so tests the
shares.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from torch import Tensor

from evaluation.explanations.deletion_insertion import channel_means
from evaluation.explanations.explained_faces import ExplainedFaces, probabilities_of
from models.preprocess import CROP_TEMPLATE

FEWEST = 5  # faces of an expression: fewer make no mean
EYES, NOSE, MOUTH = CROP_TEMPLATE[[0, 2, 3], 1]  # heights as shares of the side
EDGES = (0.0, EYES - (NOSE - EYES) / 2, (EYES + NOSE) / 2, (NOSE + MOUTH) / 2, MOUTH + (MOUTH - NOSE) / 2, 1.0)
REGIONS = ("forehead", "eyes", "nose", "mouth", "chin")  # between the edges, from the top; brows belong to the eyes


@dataclass(frozen=True, eq=False)
class ExpressionMean:
    """The correctly classified faces of one expression.

    correct: how many; labelled: how many have the label. face: (S, S, 3) uint8 RGB, their mean. heatmap: (S, S)
    float32, the mean of their heatmaps. shares: (correct, 5) float64, the share of the heatmap in each of `REGIONS`; a
    heatmap of zeros has no row. drops: (correct, 5) float64, by how much the label's probability drops where the region
    is grey.
    """

    name: str
    correct: int
    labelled: int
    face: np.ndarray
    heatmap: np.ndarray
    shares: np.ndarray
    drops: np.ndarray


def expression_means(faces: ExplainedFaces, method: str) -> list[ExpressionMean]:
    """Each expression of which at least `FEWEST` faces are classified correctly."""
    height, width = faces.x.shape[2:]
    means = []
    for index, name in enumerate(faces.class_names):
        labelled = faces.labels == index
        rows = (labelled & (faces.predicted == index)).nonzero()[:, 0]
        if len(rows) < FEWEST:
            continue
        x, labels = faces.x[rows], faces.labels[rows]
        heatmaps = faces.explain(x, labels, [method])[method].cpu().numpy()
        images = [cv2.resize(faces.images[row], (width, height)) for row in rows.tolist()]
        mean = ExpressionMean(
            name=name,
            correct=len(rows),
            labelled=int(labelled.sum()),
            face=np.mean(images, axis=0).round().astype(np.uint8),
            heatmap=heatmaps.mean(axis=0),
            shares=region_shares(heatmaps),
            drops=occlusion_drops(faces, x, labels),
        )
        means.append(mean)
    return means


def region_shares(heatmaps: np.ndarray) -> np.ndarray:
    """(N, 5) float64: the share of each heatmap (N, h, w) in each of `REGIONS`; edges may cut a row of pixels."""
    height = heatmaps.shape[1]
    tops = np.arange(height) / height
    inside = np.minimum(tops[:, None] + 1 / height, EDGES[1:]) - np.maximum(tops[:, None], EDGES[:-1])
    weights = height * inside.clip(min=0)  # (h, 5), rows sum to 1
    profile = heatmaps.sum(axis=2, dtype=np.float64)  # (N, h)
    profile = profile[profile.sum(axis=1) > 0]
    return profile / profile.sum(axis=1, keepdims=True) @ weights


def occlusion_drops(faces: ExplainedFaces, x: Tensor, labels: Tensor) -> np.ndarray:
    """(N, 5) float64: probability of the labels (N,) for x (N, C, h, w), minus that with a region at the mean of x.

    A row of pixels belongs to the region in which its middle lies.
    """
    middles = (np.arange(x.shape[2]) + 0.5) / x.shape[2]

    def probability(x: Tensor) -> np.ndarray:
        return probabilities_of(faces.network, x).gather(1, labels[:, None])[:, 0].double().cpu().numpy()

    whole, drops = probability(x), []
    for top, bottom in pairwise(EDGES):
        rows = np.flatnonzero((middles >= top) & (middles < bottom))
        occluded = x.clone()
        occluded[:, :, rows] = channel_means(x)[:, :, rows]
        drops.append(whole - probability(occluded))
    return np.stack(drops, axis=1)
