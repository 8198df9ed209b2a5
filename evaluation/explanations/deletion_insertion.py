"""Deletion and insertion: does the network need the pixels that a heatmap calls important?

In:  the network's input x (N, C, h, w) float32, heatmaps (N, h, w), a score of each row.
Out: the score while pixels are removed, or put back, most important first; the area under that curve.

Petsiuk, Das & Saenko 2018, RISE (arXiv 1806.07421). Pixels are replaced after normalisation, so that the others keep
their values. Deletion replaces them by the picture's mean. Insertion starts from a blurred picture: a face of 48 pixels
would be recognisable with the paper's blur of 5 pixels of 224; here it is 1/8 of the side.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from evaluation.explanations.explained_faces import ExplainedFaces, probabilities_of

BLUR = 1 / 8  # standard deviation of the Gaussian as a share of the height

Score = Callable[[Tensor], Tensor]  # (N, C, h, w) -> (N,)


def curves_of(faces: ExplainedFaces, heatmaps: Tensor, *, steps: int, seed: int = 0) -> dict[str, np.ndarray]:
    """`deletion` and `insertion`, (N, steps + 1) float64 each: the probability of the class first predicted.

    heatmaps: (N, h, w), of each face. The probability is the plain softmax. A faithful map's falls at once under
    deletion, and rises at once under insertion.
    """
    x, predicted, rank = faces.x, faces.predicted[:, None], pixel_ranks(heatmaps, seed=seed)

    def score(x: Tensor) -> Tensor:
        return probabilities_of(faces.network, x).gather(1, predicted)[:, 0]

    return {
        "deletion": curve(score, x, channel_means(x), rank, steps=steps),
        "insertion": curve(score, blur(x), x, rank, steps=steps),
    }


def curve(score: Score, start: Tensor, finish: Tensor, rank: Tensor, *, steps: int) -> np.ndarray:
    """(N, steps + 1) float64: `score` of `start` with the first 0, 1/steps, ... 1 of its pixels taken from `finish`.

    rank: (N, h, w) int, the order of the pixels, as `pixel_ranks` gives it.
    """
    pixels = rank[0].numel()
    values = [
        score(torch.where((rank < round(step / steps * pixels))[:, None], finish, start)) for step in range(steps + 1)
    ]
    return torch.stack(values, dim=1).cpu().double().numpy()


def area(curves: np.ndarray) -> np.ndarray:
    """(N,) from (N, steps + 1): the area under each curve by trapezoids, over a width of 1."""
    return np.trapezoid(curves, dx=1 / (curves.shape[1] - 1), axis=1)


def pixel_ranks(heatmaps: Tensor, *, seed: int = 0) -> Tensor:
    """(N, h, w) int64: 0 for the pixel with the highest value of its map, h w - 1 for the lowest.

    Ties are broken at random: the zeros of a map, often a third of it, would else go from top to bottom.
    """
    flat = heatmaps.flatten(1).cpu().numpy()
    tie_break = np.random.default_rng(seed).random(flat.shape)
    rank = np.lexsort((tie_break, -flat), axis=1).argsort(axis=1)  # the place of each pixel in the order
    return torch.from_numpy(rank).to(heatmaps.device).view(heatmaps.shape)


def channel_means(x: Tensor) -> Tensor:
    """(N, C, h, w): every pixel the mean of its channel."""
    return x.mean(dim=(2, 3), keepdim=True).expand_as(x)


def blur(x: Tensor) -> Tensor:
    """(N, C, h, w) through a Gaussian of `BLUR` of the height."""
    blurred = gaussian_filter(x.cpu().numpy(), BLUR * x.shape[2], axes=(2, 3), mode="mirror")
    return torch.from_numpy(blurred).to(x.device)
