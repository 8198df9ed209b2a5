"""The detector's two engines: the numbers of every anchor, one frame or several."""

from __future__ import annotations

import contextlib
import copy

import numpy as np
import pytest
import torch
from helpers.exported import norms_that_have_seen_something
from helpers.tape_card import DeviceOnly, TapeCard, TimedCard, few_passes, join_warm_up, refuse_constants

from retinaface.anchors import anchors_for
from retinaface.checkpoint import FORMAT
from retinaface.defaults import CANDIDATES
from retinaface.detector import ONNX_FORMAT
from retinaface.engines import OnnxEngine, TorchEngine
from retinaface.export import export_weights
from retinaface.network import RetinaFaceNetwork
from retinaface.precision import alternatives
from support.onnx.session import load_session
from support.weights import save_tensors


@pytest.fixture(autouse=True)
def _few_passes(monkeypatch):
    few_passes(monkeypatch)


@pytest.fixture(scope="module")
def network() -> RetinaFaceNetwork:
    torch.manual_seed(0)
    return norms_that_have_seen_something(RetinaFaceNetwork())


@pytest.fixture(scope="module")
def onnx_engine(network, tmp_path_factory) -> OnnxEngine:
    path = tmp_path_factory.mktemp("detector") / "d.safetensors"
    save_tensors(path, network.state_dict(), header={"format": FORMAT})
    return OnnxEngine(load_session(export_weights(path), wanted_format=ONNX_FORMAT, threads=2))


@pytest.mark.parametrize("frames", [1, 3])
@pytest.mark.parametrize("size_hw", [(64, 96), (91, 130)])
def test_in_onnx_runtime_the_numbers_are_torchs(rng, network, onnx_engine, frames, size_hw):
    batch = rng.integers(0, 256, (frames, *size_hw, 3), dtype=np.uint8)
    for found, wanted in zip(onnx_engine(batch), TorchEngine(network)(batch), strict=True):
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-4)


def test_in_torch_arrays_of_every_anchor_and_scores_of_the_logits(rng):
    torch.manual_seed(0)
    network = RetinaFaceNetwork()
    frames = rng.integers(0, 256, (2, 50, 70, 3), dtype=np.uint8)
    scores, boxes, landmarks = TorchEngine(network)(frames)
    anchors = len(anchors_for((50, 70)))
    assert (scores.shape, boxes.shape, landmarks.shape) == ((2, anchors), (2, anchors, 4), (2, anchors, 5, 2))
    logits = network(network.to_input(torch.from_numpy(frames)))[0].numpy()
    np.testing.assert_allclose(scores, 1 / (1 + np.exp(-logits)), rtol=1e-4)
    assert not network.training
    assert not any(p.requires_grad for p in network.parameters())


def test_in_torch_only_the_surest_anchors_of_a_large_frame_come_back(rng, network, onnx_engine):
    frame = rng.integers(0, 256, (1, 256, 320, 3), dtype=np.uint8)
    all_scores, all_boxes, all_landmarks = (values[0] for values in onnx_engine(frame))
    scores, boxes, landmarks = (values[0] for values in TorchEngine(network)(frame))
    assert CANDIDATES < len(all_scores) == len(anchors_for((256, 320)))
    np.testing.assert_allclose(np.sort(scores), np.sort(all_scores)[-CANDIDATES:], rtol=1e-3)
    apart = np.abs(boxes[:, None] - all_boxes).max(
        axis=-1
    )  # of each from each; many of an untrained network score alike
    rows = apart.argmin(axis=1)
    assert apart.min(axis=1).max() < 0.01
    assert len(set(rows)) == CANDIDATES
    np.testing.assert_allclose(landmarks, all_landmarks[rows], atol=0.01)
    np.testing.assert_allclose(scores, all_scores[rows], rtol=1e-3)


def test_replayed_numbers_are_the_eager_networks_and_one_frame_needs_one_replay(rng, network):
    card = TapeCard()
    eager, replayed = TorchEngine(network), TorchEngine(network, card=card)
    replayed.warm_up([(64, 96), (48, 64)], amp=True, trial=None, agree=always)
    join_warm_up()
    assert replayed.computing == ""  # nothing was there to try other ways on
    for size_hw, frames in (((64, 96), 1), ((48, 64), 1), ((64, 96), 3)):
        batch = rng.integers(0, 256, (frames, *size_hw, 3), dtype=np.uint8)
        for found, wanted in zip(replayed(batch), eager(batch), strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)
    assert (card.captures, card.replays) == (2, 2)  # the three frames are no shape that was made ready


def always(first, other) -> bool:
    return True


@pytest.mark.parametrize(
    ("took_s", "amp", "agree", "expected"),
    [
        ((4, 3, 1, 2), True, always, "float16 in the backbone, channels-last"),
        ((4, 3, 2, 1), True, always, "float16 in the backbone, channels-first"),
        ((4, 3, 1, 2), True, lambda first, other: False, "float32, channels-last"),
        ((4, 3), False, always, "float32, channels-first"),
    ],
)
def test_the_way_that_measures_faster_and_agrees_runs_from_then_on(rng, network, capfd, took_s, amp, agree, expected):
    card, network = TimedCard(*took_s), copy.deepcopy(network)
    for head in network.heads:
        head.out.weight.data *= 1000  # an untrained one hardly says anything of what the backbone gives
    eager, replayed = TorchEngine(network), TorchEngine(network, card=card, clock=card.clock)
    frame = rng.integers(0, 256, (64, 96, 3), dtype=np.uint8)
    replayed.warm_up([(64, 96)], amp=amp, trial=lambda: frame, agree=agree)
    join_warm_up()
    assert replayed.computing == expected
    assert f"the detector on cpu computes in {expected}: a batch of 1 takes" in capfd.readouterr().err
    assert card.captures == len(took_s) + 1
    card.replays = 0
    found, exact = replayed(frame[None]), eager(frame[None])
    assert card.replays == 1
    how = next((one for one in alternatives(network, amp=True) if str(one) == expected), None)
    for values, wanted, as_before in zip(found, eager._outputs(torch.from_numpy(frame[None]), how), exact, strict=True):
        assert values.dtype == np.float32
        np.testing.assert_allclose(values, wanted, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(values, as_before, rtol=0.01, atol=0.1)
    assert all(map(np.array_equal, found, exact)) == (how is None)  # it does compute so


@pytest.mark.parametrize("way", range(4))
def test_what_is_captured_needs_nothing_of_the_host(monkeypatch, way):
    monkeypatch.setattr(torch, "autocast", lambda *how, **more: contextlib.nullcontext())  # knows no such device
    engine = TorchEngine(RetinaFaceNetwork().to("meta"))
    hows = [None, *alternatives(engine.network, amp=True)]
    assert len(hows) == 4
    if way > 1:  # without an autocast weights have the format of what they meet
        hows[way].network.float()
    refuse_constants(monkeypatch)
    with DeviceOnly():
        outputs = engine._outputs(torch.empty((1, 256, 320, 3), dtype=torch.uint8, device="meta"), hows[way])
    assert len(anchors_for((256, 320))) > CANDIDATES
    assert [tuple(output.shape) for output in outputs] == [(1, CANDIDATES, *tail) for tail in ((), (4,), (5, 2))]
