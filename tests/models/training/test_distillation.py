"""Teachers: the mean of their probabilities, by class name."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from models.classifier import Classifier
from models.spec import find_spec
from models.training.distillation import Teachers
from support import UserError


@pytest.fixture
def paths(tmp_path) -> list[str]:
    """Two untrained teachers, whose classes stand in different orders; the second knows one more."""
    paths = []
    for seed, class_names in enumerate((("calm", "glad"), ("glad", "awe", "calm"))):
        torch.manual_seed(seed)
        spec = find_spec("deep_emotion")
        network = spec.build(len(class_names))
        paths.append(str(tmp_path / f"{seed}.safetensors"))
        save_checkpoint(
            paths[-1], Checkpoint("deep_emotion", class_names, spec.preprocess, network.state_dict(), temperature=0.1)
        )
    return paths


def test_it_is_the_mean_of_the_teachers_probabilities_of_the_students_classes(paths, rng):
    crops = rng.integers(0, 256, (3, 40, 40, 3), dtype=np.uint8)
    first, second = (Classifier(load_checkpoint(path)).logits(crops) for path in paths)
    shares = [np.exp(z) / np.exp(z).sum(axis=1, keepdims=True) for z in map(np.asarray, (first, second[:, [2, 0]]))]
    found = Teachers(paths, ("calm", "glad"), device="cpu")(crops)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, np.mean(shares, axis=0), atol=1e-6)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)


def test_a_teacher_of_other_classes_is_refused(paths):
    with pytest.raises(UserError, match=r"0\.safetensors does not know awe; its classes are calm, glad"):
        Teachers(paths, ("calm", "awe"), device="cpu")
