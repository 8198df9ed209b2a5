"""Deletion and insertion: does the network lose its answer with the pixels that a heatmap calls important?

In:  the network's input x (N, C, h, w) float32, heatmaps (N, h, w), a score of each row.
Out: the score while pixels are taken away, or put back, hottest first; the area under that curve.

Petsiuk, Das & Saenko 2018, RISE (arXiv 1806.07421), section 3 and algorithm 1. Pixels are replaced after they have
been normalised, so that those left keep their values. Deletion puts the picture's mean in their place. Insertion starts
from a blurred picture; the paper's blur, 5 pixels of 224, would leave a face of 48 readable, so it is an eighth of the
side here.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import torch
from torch import Tensor

from evaluation.explanations.explained_faces import ExplainedFaces, probabilities_of

BLUR = 1 / 8  # the Gaussian's standard deviation as a share of the side


def both_curves(study: ExplainedFaces, heat: Tensor, *, steps: int, seed: int = 0) -> dict[str, np.ndarray]:
    """`deletion` and `insertion`, (N, steps + 1) float64 each: the probability of the class predicted at the outset.

    heat: (N, h, w), a map of each face of the study. At temperature 1, as the network was trained.
    """
    predicted, rank = study.predicted[:, None], ranks(heat, seed=seed)

    def score(x: Tensor) -> Tensor:
        return probabilities_of(study.network, x).gather(1, predicted)[:, 0]

    return {kind.__name__: kind(score, study.x, rank, steps=steps) for kind in (deletion, insertion)}


def deletion(score: Callable[[Tensor], Tensor], x: Tensor, rank: Tensor, *, steps: int) -> np.ndarray:
    """(N, steps + 1) float64: the score as more and more pixels become the mean; a good map's falls at once."""
    return curve(score, x, mean_grey(x), rank, steps=steps)


def insertion(score: Callable[[Tensor], Tensor], x: Tensor, rank: Tensor, *, steps: int) -> np.ndarray:
    """(N, steps + 1) float64: the score as pixels return to a blurred picture; a good map's rises at once."""
    return curve(score, blurred(x), x, rank, steps=steps)


def curve(score: Callable[[Tensor], Tensor], start: Tensor, finish: Tensor, rank: Tensor, *, steps: int) -> np.ndarray:
    """(N, steps + 1) float64: `score` of `start` with its first 0, 1/steps, ... 1 of pixels, by `rank`, of `finish`.

    score: (N, C, h, w) -> (N,). rank: (N, h, w) int, as `ranks` gives it.
    """
    pixels = rank[0].numel()
    values = [
        score(torch.where((rank < round(step / steps * pixels))[:, None], finish, start)) for step in range(steps + 1)
    ]
    return torch.stack(values, dim=1).double().cpu().numpy()


def area(curves: np.ndarray) -> np.ndarray:
    """(N,) from (N, steps + 1): the area under each curve by trapezoids, over a width of 1."""
    return (curves[:, 1:] + curves[:, :-1]).mean(axis=1) / 2


def ranks(heat: Tensor, *, seed: int = 0) -> Tensor:
    """(N, h, w) int64: 0 for the hottest pixel of its map, h w - 1 for the coldest; ties fall by lot.

    Without the lot the zeros of a map, often a third of it, would go from top to bottom.
    """
    flat = heat.flatten(1).cpu().numpy()
    lot = np.random.default_rng(seed).random(flat.shape)
    order = np.lexsort((lot, -flat), axis=1)
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.arange(flat.shape[1])[None], axis=1)
    return torch.from_numpy(rank).to(heat.device).view(heat.shape)


def mean_grey(x: Tensor) -> Tensor:
    """(N, C, h, w): every pixel the mean of its channel."""
    return x.mean(dim=(2, 3), keepdim=True).expand_as(x)


def blurred(x: Tensor) -> Tensor:
    """(N, C, h, w) through a Gaussian of `BLUR` of the height."""
    planes = x.flatten(0, 1).cpu().numpy()
    soft = [cv2.GaussianBlur(plane, (0, 0), BLUR * x.shape[2]) for plane in planes]
    return torch.from_numpy(np.stack(soft)).view(x.shape).to(x.device)
