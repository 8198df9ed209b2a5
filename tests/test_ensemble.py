"""The ensemble: a mean over members, joined by the names of their classes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.checkpoint import Checkpoint
from models.classifier import Classifier
from models.ensemble import Ensemble
from models.spec import find_spec
from support import UserError

NETWORK = "small_resnet18_w32"


def member(class_names: tuple[str, ...], *, seed: int, temperature: float = 1.0) -> Classifier:
    """An untrained classifier."""
    torch.manual_seed(seed)
    spec = find_spec(NETWORK)
    weights = spec.build(len(class_names)).state_dict()
    checkpoint = Checkpoint(NETWORK, class_names, spec.preprocess, weights, temperature)
    return Classifier(checkpoint, calibrated=True)


@pytest.fixture
def crops(rng) -> np.ndarray:
    return rng.integers(0, 256, (3, 48, 48, 3), dtype=np.uint8)


@pytest.mark.parametrize("tta", [False, True])
def test_the_mean_is_taken_name_by_name(crops, tta):
    first, second = member(("joy", "fear", "calm"), seed=0), member(("calm", "joy", "fear"), seed=1, temperature=0.5)
    ensemble = Ensemble([first, second])
    found = ensemble.probabilities(crops, tta=tta)
    assert ensemble.class_names == ("joy", "fear", "calm")
    assert (found.shape, found.dtype) == ((3, 3), np.float32)
    a, b = first.probabilities(crops, tta=tta), second.probabilities(crops, tta=tta)
    by_hand = [[(a[i, 0] + b[i, 1]) / 2, (a[i, 1] + b[i, 2]) / 2, (a[i, 2] + b[i, 0]) / 2] for i in range(3)]
    np.testing.assert_allclose(found, by_hand, rtol=1e-6)


def test_one_member_speaks_for_itself_and_no_crops_give_no_rows(crops):
    alone = member(("joy", "fear"), seed=0)
    np.testing.assert_array_equal(Ensemble([alone]).probabilities(crops), alone.probabilities(crops))
    assert Ensemble([alone, alone]).probabilities(crops[:0]).shape == (0, 2)


def test_members_of_other_classes_are_refused():
    with pytest.raises(UserError, match="must know the same classes"):
        Ensemble([member(("joy", "fear"), seed=0), member(("joy", "anger"), seed=0)])
