"""The loss of a classifier.

In:  logits (N, K) and target distributions (N, K), float32.
Out: a scalar, in nats.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def kl_loss(logits: Tensor, votes: Tensor, *, smoothing: float = 0.0) -> Tensor:
    """Mean over the batch of KL(votes || softmax(logits)) = sum_k v_k log(v_k / p_k).

    For one-hot votes it is cross-entropy. `smoothing`, from 0 to 1, is the share of every target that is spread evenly
    over the K classes (Szegedy et al. 2016, arXiv 1512.00567, section 7); the loss then differs from cross-entropy by
    the target's own entropy, which does not depend on the weights.
    """
    target = (1 - smoothing) * votes + smoothing / votes.shape[1]
    return F.kl_div(F.log_softmax(logits, dim=1), target, reduction="batchmean")
