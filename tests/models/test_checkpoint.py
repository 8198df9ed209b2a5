"""Checkpoints: complete, strict, and refused in a sentence."""

from __future__ import annotations

import pytest
import torch

from models.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from models.preprocess import Preprocess
from models.spec import find_spec
from support import UserError
from support.weights import save_tensors


@pytest.fixture
def checkpoint() -> Checkpoint:
    torch.manual_seed(1)
    spec = find_spec("small_resnet18_w32")
    return Checkpoint(
        network="small_resnet18_w32",
        class_names=("calm", "glad"),
        preprocess=spec.preprocess,
        weights=spec.build(2).state_dict(),
        temperature=0.7,
        settings={"lr": 0.1},
        scores={"accuracy": 0.5},
        class_bias=(0.0, 0.25),
    )


def test_all_of_it_comes_back_and_gives_the_same_numbers(tmp_path, checkpoint):
    save_checkpoint(tmp_path / "c.safetensors", checkpoint)
    loaded = load_checkpoint(tmp_path / "c.safetensors")
    for name in ("network", "class_names", "preprocess", "temperature", "class_bias", "settings", "scores"):
        assert getattr(loaded, name) == getattr(checkpoint, name)
    x = torch.randn(2, 1, 48, 48)
    assert torch.equal(loaded.build()(x), checkpoint.build()(x))
    assert Checkpoint("x", ("a", "b"), checkpoint.preprocess, {}).class_bias == (0.0, 0.0)


def test_detector_weights_and_unknown_networks_are_refused(tmp_path, checkpoint):
    save_tensors(tmp_path / "d.safetensors", {"a": torch.zeros(1)}, header={"format": "retinaface-weights/1"})
    with pytest.raises(UserError, match="not a facial-expression-checkpoint/1 file but retinaface-weights/1"):
        load_checkpoint(tmp_path / "d.safetensors")
    other = Checkpoint("no_such_net", ("a",), Preprocess((48, 48)), {})
    with pytest.raises(UserError, match="no network called 'no_such_net'; the networks are"):
        other.build()


def test_weights_of_another_number_of_classes_are_refused(checkpoint):
    wrong = Checkpoint("small_resnet18_w32", ("a", "b", "c"), checkpoint.preprocess, checkpoint.weights)
    with pytest.raises(UserError, match=r"2 of another shape \(fc.bias, fc.weight\)"):
        wrong.build()
