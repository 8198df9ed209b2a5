"""Detector weights in files: ours, the public ones, and files that hold neither."""

from __future__ import annotations

import pytest
import torch

import models.checkpoint
from retinaface.checkpoint import FORMAT, load_network
from retinaface.detector import SHIPPED, RetinaFace
from retinaface.mobilenet import MobileNetRetinaFace
from retinaface.network import RetinaFaceNetwork
from support import UserError
from support.weights import save_tensors


def test_the_file_says_which_network_it_is_for(tmp_path):
    torch.manual_seed(0)
    ours, public = RetinaFaceNetwork(), MobileNetRetinaFace()
    save_tensors(tmp_path / "ours.safetensors", ours.state_dict(), header={"format": FORMAT})
    torch.save({f"module.{name}": tensor for name, tensor in public.state_dict().items()}, tmp_path / "public.pth")
    for path, network in ((tmp_path / "ours.safetensors", ours), (tmp_path / "public.pth", public)):
        loaded = load_network(path)
        assert type(loaded) is type(network)
        for name, tensor in network.state_dict().items():
            assert torch.equal(loaded.state_dict()[name], tensor), name


def test_the_shipped_weights_are_finite_and_small():
    network = load_network(SHIPPED)
    assert all(tensor.isfinite().all() for tensor in network.state_dict().values())
    assert SHIPPED.stat().st_size < 3e6


def test_weights_that_cannot_be_used_are_named(tmp_path):
    with pytest.raises(UserError, match="no file"):
        RetinaFace.from_file(tmp_path / "none.pth")
    (tmp_path / "text.pth").write_text("hello")
    with pytest.raises(UserError, match="plain weights"):
        RetinaFace.from_file(tmp_path / "text.pth")
    weights = MobileNetRetinaFace().state_dict()
    weights.pop("body.stage1.0.0.weight")
    torch.save(weights, tmp_path / "half.pth")
    with pytest.raises(UserError, match=r"1 missing \(body\.stage1\.0\.0\.weight\)"):
        RetinaFace.from_file(tmp_path / "half.pth")
    tensors = RetinaFaceNetwork().state_dict()
    save_tensors(tmp_path / "old.safetensors", tensors, header={"format": "retinaface-weights/1"})
    with pytest.raises(UserError, match="is not a retinaface-weights/2 file but retinaface-weights/1"):
        RetinaFace.from_file(tmp_path / "old.safetensors", engine="torch")
    with pytest.raises(UserError, match="is not a retinaface-onnx/2 file but 'facial-expression-onnx/2'"):
        RetinaFace.from_file(models.checkpoint.SHIPPED.with_suffix(".onnx"))
