"""Temperature scaling."""

import numpy as np
import pytest
import torch

from models.calibration import fit_temperature, negative_log_likelihood


def test_the_likelihood_is_torchs(rng):
    logits, labels = rng.normal(0, 3, (50, 4)), rng.integers(0, 4, 50)
    expected = torch.nn.functional.cross_entropy(torch.from_numpy(logits), torch.from_numpy(labels)).item()
    assert negative_log_likelihood(logits, labels) == pytest.approx(expected)


@pytest.mark.parametrize("factor", [0.3, 1.0, 4.0])
def test_it_finds_the_factor_by_which_honest_logits_were_scaled(rng, factor):
    logits = rng.normal(0, 2, (20000, 4))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (rng.random((20000, 1)) > p.cumsum(axis=1)).sum(axis=1).clip(0, 3)  # drawn from p: T = 1 is right
    assert fit_temperature(factor * logits, labels) == pytest.approx(factor, rel=0.05)


def test_a_network_that_is_always_right_gets_the_lowest_temperature():
    assert fit_temperature(np.eye(3), np.arange(3)) == pytest.approx(0.05, rel=1e-3)
