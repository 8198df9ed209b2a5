"""Mixtures of faces: two pictures in one, and their votes in the same shares.

In:  a batch, pictures (B, C, h, w) and votes (B, K), float32.
Out: the same shapes; what came in stays as it is.

Everyone's partner is the face half a batch further on. The order is random already; and a run over R processes, each of
which has every R-th face of a batch, finds everyone's partner where it is, as long as 2 R divides the batch.
"""

from __future__ import annotations

import numpy as np
from torch import Tensor


def mix(x: Tensor, votes: Tensor, *, key: tuple[int, int, int], mixup: float, cutmix: float) -> tuple[Tensor, Tensor]:
    """Mixup or cutmix, whichever has an alpha above 0; with both, each batch is given to one of them by lot.

    key: seed, epoch and step, on which chance hangs.
    """
    if not mixup and not cutmix:
        return x, votes
    rng = np.random.default_rng((*key, 0, 1))  # five numbers: the loader's keys have four
    if rng.random() * ((mixup > 0) + (cutmix > 0)) < (mixup > 0):
        return mixed_up(x, votes, rng, alpha=mixup)
    return cut_and_mixed(x, votes, rng, alpha=cutmix)


def mixed_up(x: Tensor, votes: Tensor, rng: np.random.Generator, *, alpha: float) -> tuple[Tensor, Tensor]:
    """Each face and its partner as share * a + (1 - share) * b, share ~ Beta(alpha, alpha); the votes likewise.

    Zhang et al. 2018, arXiv 1710.09412, section 2.
    """
    share = rng.beta(alpha, alpha)
    return share * x + (1 - share) * partners(x), share * votes + (1 - share) * partners(votes)


def cut_and_mixed(x: Tensor, votes: Tensor, rng: np.random.Generator, *, alpha: float) -> tuple[Tensor, Tensor]:
    """Each face with a rectangle of its partner's; votes in the shares of the area.

    Yun et al. 2019, arXiv 1905.04899, eq. 1 and 2: the rectangle has 1 - share of the area, share ~ Beta(alpha, alpha),
    and the picture's proportions; its middle is anywhere, and what reaches past the edge is cut off and not counted.
    """
    height, width = x.shape[2:]
    side = np.sqrt(1 - rng.beta(alpha, alpha))
    middle_y, middle_x = rng.integers(height), rng.integers(width)
    top, bottom = _ends(middle_y, side * height, height)
    left, right = _ends(middle_x, side * width, width)
    kept = 1 - (bottom - top) * (right - left) / (height * width)
    pasted = x.clone()
    pasted[:, :, top:bottom, left:right] = partners(x)[:, :, top:bottom, left:right]
    return pasted, kept * votes + (1 - kept) * partners(votes)


def partners(batch: Tensor) -> Tensor:
    """The batch half its length further on, row by row."""
    return batch.roll(-(len(batch) // 2), dims=0)


def _ends(middle: int, length: float, limit: int) -> tuple[int, int]:
    """First and last place, one past it, of `length` pixels around `middle`, within 0 and `limit`."""
    start = round(middle - length / 2)
    return max(start, 0), min(start + round(length), limit)
