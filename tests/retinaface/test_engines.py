"""The detector's two engines: the numbers of every anchor, one frame or several."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers.exported import norms_that_have_seen_something
from helpers.tape_card import DeviceOnly, TapeCard, join_warm_up, refuse_constants

from retinaface.anchors import anchors_for
from retinaface.detector import FORMAT, ONNX_FORMAT
from retinaface.engines import OnnxEngine, TorchEngine
from retinaface.export import export_weights
from retinaface.network import RetinaFaceNetwork, to_input
from support.onnx.session import load_session
from support.weights import save_tensors


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


def test_in_torch_arrays_of_every_anchor_and_the_face_class_as_the_score(rng):
    torch.manual_seed(0)
    network = RetinaFaceNetwork()
    frames = rng.integers(0, 256, (2, 50, 70, 3), dtype=np.uint8)
    scores, boxes, landmarks = TorchEngine(network)(frames)
    anchors = len(anchors_for((50, 70)))
    assert (scores.shape, boxes.shape, landmarks.shape) == ((2, anchors), (2, anchors, 4), (2, anchors, 10))
    logits = network(to_input(torch.from_numpy(frames)))[0].numpy()
    np.testing.assert_allclose(scores, 1 / (1 + np.exp(logits[..., 0] - logits[..., 1])), rtol=1e-4)
    assert not network.training
    assert not any(p.requires_grad for p in network.parameters())


def test_replayed_numbers_are_the_eager_networks_and_one_frame_needs_one_replay(rng, network):
    card = TapeCard()
    eager, replayed = TorchEngine(network), TorchEngine(network, card=card)
    replayed.warm_up([(64, 96), (48, 64)])
    join_warm_up()
    for size_hw, frames in (((64, 96), 1), ((48, 64), 1), ((64, 96), 3)):
        batch = rng.integers(0, 256, (frames, *size_hw, 3), dtype=np.uint8)
        for found, wanted in zip(replayed(batch), eager(batch), strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)
    assert (card.captures, card.replays) == (2, 2)  # the three frames are no shape that was made ready


def test_what_is_captured_needs_nothing_of_the_host(monkeypatch):
    engine = TorchEngine(RetinaFaceNetwork().to("meta"))
    refuse_constants(monkeypatch)
    with DeviceOnly():
        outputs = engine._outputs(torch.empty((1, 64, 96, 3), dtype=torch.uint8, device="meta"))
    anchors = len(anchors_for((64, 96)))
    assert [tuple(output.shape) for output in outputs] == [(1, anchors), (1, anchors, 4), (1, anchors, 10)]
