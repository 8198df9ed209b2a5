"""Which part of the face tells each expression: forehead, eyes, nose, mouth or chin.

In:  a `ExplainedFaces` of faces that fill their pictures as FER+'s do, an explainer.
Out: `Expression`: mean face, mean heatmap, the share of heat in each region, and the probability lost without the region.

Bands run across the picture at the heights where eyes, nose and mouth lie on average (`pipeline.crops.TEMPLATE`), and
meet half-way between. The cells of a map are about as high as a region: a share tells the region, not the feature. What
is lost where a region is made grey owes nothing to a heatmap, and says whether the shares are to be believed.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from torch import Tensor

from evaluation.explanations.deletion_insertion import mean_grey
from evaluation.explanations.explained_faces import ExplainedFaces, probabilities_of
from pipeline.crops import TEMPLATE

FEWEST = 5  # faces of an expression: a mean of less is a picture of somebody
EYES, NOSE, MOUTH = TEMPLATE[[0, 2, 3], 1]  # heights as shares of the side
EDGES = (0.0, EYES - (NOSE - EYES) / 2, (EYES + NOSE) / 2, (NOSE + MOUTH) / 2, MOUTH + (MOUTH - NOSE) / 2, 1.0)
REGIONS = (
    "forehead",
    "eyes",
    "nose",
    "mouth",
    "chin",
)  # between the edges, from the top; brows lie in the eyes' region


@dataclass(frozen=True, eq=False)
class Expression:
    """The faces of one expression that were read rightly, together.

    count: how many; of: how many bear the label. face: (S, S, 3) uint8 RGB, their mean. heat: (S, S) float32, the mean
    of their maps. shares: (count, 5) float64, the share of heat in each of `REGIONS`; a map of zeros has no row. lost:
    (count, 5) float64, by how much the label's probability falls where the region is made grey.
    """

    name: str
    count: int
    of: int
    face: np.ndarray
    heat: np.ndarray
    shares: np.ndarray
    lost: np.ndarray


def expressions_of(study: ExplainedFaces, method: str) -> list[Expression]:
    """Each expression of which at least `FEWEST` faces are read rightly."""
    side_hw = tuple(study.x.shape[2:])
    found = []
    for index, name in enumerate(study.class_names):
        labelled = study.labels == index
        rows = (labelled & (study.predicted == index)).nonzero()[:, 0]
        if len(rows) < FEWEST:
            continue
        x, labels = study.x[rows], study.labels[rows]
        heat = study.explain(x, labels, method).cpu().numpy()
        images = [cv2.resize(study.images[row], side_hw[::-1]) for row in rows.tolist()]
        face = np.mean(images, axis=0).round().astype(np.uint8)
        numbers = (region_shares(heat), lost_without(study, x, labels))
        found.append(Expression(name, len(rows), int(labelled.sum()), face, heat.mean(axis=0), *numbers))
    return found


def region_shares(heat: np.ndarray) -> np.ndarray:
    """(N, 5) float64: the share of each map (N, h, w) in each of `REGIONS`, a pixel row cut where an edge cuts it."""
    height = heat.shape[1]
    rows = np.arange(height) / height
    overlap = np.minimum(rows[:, None] + 1 / height, EDGES[1:]) - np.maximum(rows[:, None], EDGES[:-1])
    weights = height * overlap.clip(min=0)  # (h, 5), rows sum to 1
    profile = heat.sum(axis=2, dtype=np.float64)  # (N, h)
    profile = profile[profile.sum(axis=1) > 0]
    return profile / profile.sum(axis=1, keepdims=True) @ weights


def lost_without(study: ExplainedFaces, x: Tensor, labels: Tensor) -> np.ndarray:
    """(N, 5) float64: the probability of the labels (N,) for x (N, C, h, w), less that for x with a region in its mean.

    The pixel rows whose middle lies in the region are made grey.
    """
    middles = (np.arange(x.shape[2]) + 0.5) / x.shape[2]

    def probability(x: Tensor) -> np.ndarray:
        return probabilities_of(study.network, x).gather(1, labels[:, None])[:, 0].double().cpu().numpy()

    whole, losses = probability(x), []
    for top, bottom in pairwise(EDGES):
        rows = np.flatnonzero((middles >= top) & (middles < bottom))
        without = x.clone()
        without[:, :, rows] = mean_grey(x)[:, :, rows]
        losses.append(whole - probability(without))
    return np.stack(losses, axis=1)
