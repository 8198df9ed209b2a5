"""The loss against the divergence in numpy and against torch's cross-entropy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.training.losses import kl_loss
from support.metrics import kl_divergence


def test_it_is_the_divergence_and_for_one_label_cross_entropy(rng):
    logits = torch.from_numpy(rng.normal(size=(6, 5)).astype(np.float32))
    votes = rng.dirichlet(np.ones(5), 6).astype(np.float32)
    expected = kl_divergence(votes, logits.softmax(dim=1).numpy())
    assert kl_loss(logits, torch.from_numpy(votes)).item() == pytest.approx(expected, rel=1e-4)
    labels, one_hot = torch.arange(5), torch.eye(5)
    cross_entropy = torch.nn.functional.cross_entropy(logits[:5], labels)
    torch.testing.assert_close(kl_loss(logits[:5], one_hot), cross_entropy)
    smooth = torch.nn.functional.cross_entropy(logits[:5], labels, label_smoothing=0.1)
    entropy = -(0.92 * np.log(0.92) + 4 * 0.02 * np.log(0.02))  # KL is cross-entropy less the target's own entropy
    assert kl_loss(logits[:5], one_hot, smoothing=0.1).item() == pytest.approx(smooth.item() - entropy, rel=1e-4)
