"""Mixup and cutmix: each picture is combined with another one of its batch, and the votes in the same shares.

In:  a batch, pictures (B, C, h, w) and votes (B, K), float32.
Out: new tensors of the same shapes.

The partner of a face is the one half a batch further on; the batch itself is in random order. In a run over R
processes, each of which has every R-th face of the batch, a process has the partners of all its faces if B is a
multiple of 2 R.
"""

from __future__ import annotations

import numpy as np
from torch import Tensor


def mix(
    x: Tensor, votes: Tensor, *, key: tuple[int, int, int], mixup_alpha: float, cutmix_alpha: float
) -> tuple[Tensor, Tensor]:
    """Mixup or cutmix, whichever has an alpha above 0; with both, one of them at random for each batch.

    key: seed, epoch and step, which seed the random numbers.
    """
    if not mixup_alpha and not cutmix_alpha:
        return x, votes
    rng = np.random.default_rng((*key, 0, 1))  # five numbers: the loader's keys have four
    if rng.random() * ((mixup_alpha > 0) + (cutmix_alpha > 0)) < (mixup_alpha > 0):
        return mixup(x, votes, rng, alpha=mixup_alpha)
    return cutmix(x, votes, rng, alpha=cutmix_alpha)


def mixup(x: Tensor, votes: Tensor, rng: np.random.Generator, *, alpha: float) -> tuple[Tensor, Tensor]:
    """share * a + (1 - share) * b of each face a and its partner b, share ~ Beta(alpha, alpha); the votes likewise.

    Zhang et al. 2018, arXiv 1710.09412, section 2.
    """
    share = rng.beta(alpha, alpha)
    return share * x + (1 - share) * partners(x), share * votes + (1 - share) * partners(votes)


def cutmix(x: Tensor, votes: Tensor, rng: np.random.Generator, *, alpha: float) -> tuple[Tensor, Tensor]:
    """Each face with a rectangle of its partner pasted in; votes in the shares of the area.

    Yun et al. 2019, arXiv 1905.04899, eq. 1 and 2: the rectangle has the picture's aspect ratio and 1 - share of its
    area, share ~ Beta(alpha, alpha); its centre is uniform in the picture. What lies outside the picture is cut off and
    not counted.
    """
    size = np.array(x.shape[2:])
    length = np.sqrt(1 - rng.beta(alpha, alpha)) * size
    start = np.round([rng.integers(side) for side in size] - length / 2)
    (top, left), (bottom, right) = np.clip([start, start + np.round(length)], 0, size).astype(int).tolist()
    kept = 1 - (bottom - top) * (right - left) / int(size.prod())
    pasted = x.clone()
    pasted[:, :, top:bottom, left:right] = partners(x)[:, :, top:bottom, left:right]
    return pasted, kept * votes + (1 - kept) * partners(votes)


def partners(batch: Tensor) -> Tensor:
    """The rows of `batch` half its length further on, cyclically."""
    return batch.roll(-(len(batch) // 2), dims=0)
