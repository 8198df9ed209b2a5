"""The engine without torch by hand, and that of torch on a device; test_classifier.py compares both on a CPU."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers.exported import norms_that_have_seen_something
from helpers.tape_card import DeviceOnly, TapeCard, TimedCard, few_passes, join_warm_up, refuse_constants

from gradcam import EXPLAINERS
from models.engines import OnnxEngine, TorchEngine
from models.preprocess import Preprocess
from models.spec import all_specs, find_spec
from support import UserError
from support.device.replay import SIZES
from support.onnx.session import OnnxSession

HEAD = np.array([[1, -2], [3, 0.5]], np.float32)


@pytest.fixture(autouse=True)
def _few_passes(monkeypatch):
    few_passes(monkeypatch)


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
    clock = {"clock": card.clock} if isinstance(card, TimedCard) else {}
    return TorchEngine(network, spec.preprocess, device=device, card=card, **clock, **place)


def test_replayed_logits_and_heatmaps_are_the_eager_networks_for_any_number_of_faces(rng):
    card = TapeCard()
    eager, replayed = torch_engine("tiny_cnn"), torch_engine("tiny_cnn", card=card)
    replayed.warm_up(48, amp=False)
    join_warm_up()
    assert card.captures == 2 + len(SIZES)  # both layouts were timed
    card.replays = 0
    crops = rng.integers(0, 256, (40, 48, 48, 3), dtype=np.uint8)
    wanted, index = eager.forward(crops), rng.integers(0, 8, 40)
    maps = {method: wanted.heatmaps(torch.from_numpy(index), method).numpy() for method in EXPLAINERS}
    numbers = sorted({0, 40, *SIZES, *(size + 1 for size in SIZES)})
    for rows in numbers:
        found = replayed.forward(crops[:rows])
        assert isinstance(found.logits, np.ndarray)
        np.testing.assert_allclose(found.logits, wanted.logits[:rows], rtol=1e-4, atol=1e-5)
        for method in EXPLAINERS if rows in (0, 3, 40) else ["gradcam"]:
            np.testing.assert_allclose(found.heatmaps(index[:rows], method), maps[method][:rows], rtol=1e-3, atol=1e-4)
        np.testing.assert_array_equal(found.class_indices(), wanted.logits[:rows].argmax(dim=1))
    assert card.replays == sum(-(-rows // SIZES[-1]) for rows in numbers)


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
    other.warm_up(48, amp=True)
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


@pytest.mark.parametrize(
    ("took_s", "amp", "expected"),
    [
        ((4, 3, 1, 2), True, "bfloat16, channels-last"),
        ((4, 3, 2, 1), True, "bfloat16, channels-first"),
        ((1, 4, 3, 2), True, "float32, channels-last"),
        ((4, 3), False, "float32, channels-first"),
    ],
)
def test_the_format_and_layout_that_measure_faster_are_captured_and_said(
    rng, monkeypatch, capfd, took_s, amp, expected
):
    monkeypatch.setattr("models.engines.mixed_format", lambda device: torch.bfloat16)
    card = TimedCard(*took_s)
    eager, replayed = torch_engine("tiny_cnn"), torch_engine("tiny_cnn", card=card)
    assert replayed.computing == ""
    replayed.warm_up(48, amp=amp)
    join_warm_up()
    assert replayed.computing == expected
    assert f"the expression network on cpu computes in {expected}: a batch of 8 takes" in capfd.readouterr().err
    assert card.captures == len(took_s) + len(SIZES)
    crops, index = rng.integers(0, 256, (5, 48, 48, 3), dtype=np.uint8), np.arange(5)
    passed, wanted = replayed.forward(crops), eager.forward(crops)
    assert card.replays > 0
    np.testing.assert_allclose(passed.logits, wanted.logits, atol=0.05)
    differ = np.abs(passed.logits - wanted.logits.numpy()).max()
    assert (differ > 1e-4) == ("bfloat16" in expected)  # it does compute so
    for values in (passed.logits, passed.activation, passed.heatmaps(index)):
        assert values.dtype == np.float32  # what is shown and kept
    np.testing.assert_allclose(replayed.logits(crops), eager.logits(crops), rtol=1e-5, atol=1e-6)  # of evaluations


def test_float32_is_kept_where_others_are_faster_but_differ(rng, monkeypatch, capfd):
    monkeypatch.setattr("models.engines.mixed_format", lambda device: torch.bfloat16)
    monkeypatch.setattr("models.precision.PROBABILITY", 1e-9)
    eager, replayed = torch_engine("tiny_cnn"), torch_engine("tiny_cnn", card=(card := TimedCard(4, 5, 1, 2)))
    replayed.warm_up(48, amp=True)
    join_warm_up()
    assert replayed.computing == "float32, channels-last"
    assert "1000.00 ms in bfloat16, channels-last, which differs too much" in capfd.readouterr().err
    crops = rng.integers(0, 256, (3, 48, 48, 3), dtype=np.uint8)
    np.testing.assert_allclose(replayed.forward(crops).logits, eager.forward(crops).logits, rtol=1e-4, atol=1e-5)
    assert card.captures == 4 + len(SIZES)


def test_a_format_that_the_card_cannot_do_is_left_out(monkeypatch):
    monkeypatch.setattr("models.engines.mixed_format", lambda device: torch.bfloat16)
    engine = torch_engine("tiny_cnn", card=(card := TimedCard(4, 1)))
    explained = engine._explained

    def no_kernels(crops, how=None):
        if how and how.dtype:
            raise RuntimeError("no kernel image is available for execution on the device")
        return explained(crops, how)

    monkeypatch.setattr(engine, "_explained", no_kernels)
    engine.warm_up(48, amp=True)
    join_warm_up()
    assert engine.computing == "float32, channels-first"
    assert card.captures == 2 + len(SIZES)
