"""The engine without torch by hand, and that of torch on a device; test_classifier.py compares both on a CPU."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers.exported import norms_that_have_seen_something
from helpers.tape_card import DeviceOnly, TapeCard, join_warm_up, refuse_constants

from gradcam import EXPLAINERS
from models.engines import OnnxEngine, TorchEngine
from models.preprocess import Preprocess
from models.spec import all_specs, find_spec
from support import UserError
from support.device.replay import SIZES
from support.onnx.session import OnnxSession

HEAD = np.array([[1, -2], [3, 0.5]], np.float32)


class Session(OnnxSession):
    """Stands in for ONNX Runtime: one cell tells the mean of the left half, the other that of the right."""

    def __init__(self) -> None:
        self.rows = []

    def __call__(self, x):
        self.rows.append(len(x))
        halves = np.stack([x[..., :4].mean(axis=(1, 2, 3)), x[..., 4:].mean(axis=(1, 2, 3))], axis=1)
        activation = halves[:, None, None, :] * np.array([1, 0.5], np.float32).reshape(2, 1, 1)  # (N, 2, 1, 2)
        return [activation.mean(axis=(2, 3)) @ HEAD.T, activation]


@pytest.fixture
def engine() -> OnnxEngine:
    return OnnxEngine(Session(), Preprocess((8, 8), mean=(0.0,) * 3, std=(1.0,) * 3), HEAD)


def test_logits_and_heatmaps_by_hand_from_one_call(engine):
    crops = np.zeros((2, 8, 8, 3), np.uint8)
    crops[0, :, :4] = 255  # left white, right black; the other crop is black
    passed = engine.forward(crops)
    heatmaps = passed.heatmaps(np.array([1, 1]), "gradcam")
    # mean activation (1/2, 1/4): y_0 = 1/2 - 2/4, y_1 = 3/2 + 1/8; L = ReLU(3 A_0 + A_1 / 2), left cell only
    np.testing.assert_allclose(passed.logits, np.array([[0, 1.625], [0, 0]]))
    assert heatmaps.shape == (2, 8, 8)
    np.testing.assert_allclose(heatmaps[0, 0], [1, 1, 0.875, 0.625, 0.375, 0.125, 0, 0])
    assert not heatmaps[1].any()
    assert engine.session.rows == [2]
    np.testing.assert_allclose(engine.logits(crops), passed.logits)


def test_no_crops_need_no_run(engine):
    none = np.empty((0, 8, 8, 3), np.uint8)
    assert engine.logits(none).shape == (0, 2)
    passed = engine.forward(none)
    assert (passed.logits.shape, passed.heatmaps(method="gradcam++").shape) == ((0, 2), (0, 8, 8))
    assert engine.session.rows == []


def torch_engine(name: str, device: str = "cpu", card: TapeCard | None = None) -> TorchEngine:
    torch.manual_seed(0)
    spec = find_spec(name)
    with torch.device(device):
        network = spec.build(8).requires_grad_(False)
    if device == "cpu":
        norms_that_have_seen_something(network)
    place = {"layer": spec.explain_layer, "cells": spec.cells, "warp": spec.warp}
    return TorchEngine(network, spec.preprocess, device=device, card=card, **place)


def test_replayed_logits_and_heatmaps_are_the_eager_networks_for_any_number_of_faces(rng):
    card = TapeCard()
    eager, replayed = torch_engine("tiny_cnn"), torch_engine("tiny_cnn", card=card)
    replayed.warm_up(48)
    join_warm_up()
    assert card.captures == len(SIZES)
    crops = rng.integers(0, 256, (40, 48, 48, 3), dtype=np.uint8)
    wanted, index = eager.forward(crops), rng.integers(0, 8, 40)
    maps = {method: wanted.heatmaps(torch.from_numpy(index), method).numpy() for method in EXPLAINERS}
    for rows in range(41):
        found = replayed.forward(crops[:rows])
        assert isinstance(found.logits, np.ndarray)
        np.testing.assert_allclose(found.logits, wanted.logits[:rows], rtol=1e-4, atol=1e-5)
        for method in EXPLAINERS if rows in (0, 3, 40) else ["gradcam"]:
            np.testing.assert_allclose(found.heatmaps(index[:rows], method), maps[method][:rows], rtol=1e-3, atol=1e-4)
        np.testing.assert_array_equal(found.class_indices(), wanted.logits[:rows].argmax(dim=1))
    assert card.replays == sum(-(-rows // SIZES[-1]) for rows in range(1, 41))


@pytest.mark.parametrize("name", ["small_resnet18_w32", "residual_masking", "mobilenet_v3_small", "vgg19_bn"])
def test_what_is_captured_needs_nothing_of_the_host(name, monkeypatch):
    assert name in all_specs()
    engine = torch_engine(name, "meta")
    crops = torch.empty((4, 64, 64, 3), dtype=torch.uint8, device="meta")
    engine._explained(crops)  # constants are copied the first time
    refuse_constants(monkeypatch)
    with DeviceOnly():
        logits, maps = engine._explained(crops)
    assert (logits.shape, maps.shape[:3]) == ((4, 8), (4, len(EXPLAINERS), 8))


def test_a_network_that_warps_its_input_runs_as_on_a_cpu(rng):
    card = TapeCard()
    eager, other = torch_engine("deep_emotion"), torch_engine("deep_emotion", card=card)
    other.warm_up(48)
    crops = rng.integers(0, 256, (3, 48, 48, 3), dtype=np.uint8)
    wanted, found = eager.forward(crops), other.forward(crops)
    torch.testing.assert_close(found.heatmaps(1), wanted.heatmaps(1))
    torch.testing.assert_close(found.windows, wanted.windows)
    assert card.captures == 0


def test_too_little_memory_for_logits_is_one_sentence(rng, monkeypatch):
    engine = torch_engine("tiny_cnn")

    def full(x):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(engine.network, "forward", full)
    for run in (engine.logits, engine.forward):
        with pytest.raises(UserError, match="the memory of cpu is full"):
            run(rng.integers(0, 256, (1, 48, 48, 3), dtype=np.uint8))
