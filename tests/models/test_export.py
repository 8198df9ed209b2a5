"""Checkpoints for other programs: every small network, read back by ONNX Runtime from the two files alone."""

from __future__ import annotations

import hashlib
import json

import cv2
import numpy as np
import onnxruntime
import pytest
import torch

from gradcam import explain
from models import export
from models.checkpoint import Checkpoint, save_checkpoint
from models.spec import find_spec
from support import FAILED, UserError

HEADS = {"small_resnet18_w32": True, "deep_emotion": False, "face_emotion_cnn": False}


def saved(name: str, path) -> Checkpoint:
    torch.manual_seed(0)
    spec = find_spec(name)
    network = spec.build(3)
    for tensor in network.state_dict().values():
        if tensor.dim() == 1:
            tensor.uniform_(0.8, 1.2)
    checkpoint = Checkpoint(name, ("a", "b", "c"), spec.preprocess, network.state_dict(), temperature=0.5)
    save_checkpoint(path, checkpoint)
    return checkpoint


@pytest.mark.parametrize("name", HEADS)
def test_a_program_with_the_two_files_gets_the_networks_numbers(rng, tmp_path, capsys, name):
    checkpoint = saved(name, tmp_path / "c.safetensors")
    out = tmp_path / "out" / "c.onnx"
    assert export.main(["--weights", str(tmp_path / "c.safetensors"), "--out", str(out)]) == 0
    assert float(capsys.readouterr().out.split()[-1]) < 1e-4
    about = json.loads(out.with_suffix(".json").read_text())
    assert about["sha256"] == hashlib.sha256(out.read_bytes()).hexdigest()
    assert about["checkpoint_sha256"] == hashlib.sha256((tmp_path / "c.safetensors").read_bytes()).hexdigest()
    assert (about["network"], about["class_names"], about["temperature"]) == (name, ["a", "b", "c"], 0.5)
    assert about["preprocess"] == json.loads(json.dumps(checkpoint.preprocess.to_dict()))

    _, channels, height, width = about["input"]["shape"]
    x = rng.normal(size=(3, channels, height, width)).astype(np.float32)
    session = onnxruntime.InferenceSession(out, providers=["CPUExecutionProvider"])
    logits, activation = session.run(about["outputs"], {about["input"]["name"]: x})
    network = checkpoint.build()
    wanted = explain(network, about["explain_layer"], torch.from_numpy(x))
    np.testing.assert_allclose(logits, wanted.logits, rtol=1e-3, atol=1e-4)
    assert (about["head"] is not None) == HEADS[name]
    if about["head"]:  # Grad-CAM as the description tells it
        rows = np.array(about["head"])[logits.argmax(axis=1)]
        heat = np.maximum(np.einsum("nc,nchw->nhw", rows, activation), 0)[0]
        heat = cv2.resize(heat / heat.max(), (width, height), interpolation=cv2.INTER_LINEAR)
        np.testing.assert_allclose(heat, wanted.heatmaps[0], atol=1e-3)


def test_an_export_that_differs_is_not_written(tmp_path, monkeypatch):
    saved("face_emotion_cnn", tmp_path / "c.safetensors")
    monkeypatch.setattr(export, "largest_difference", lambda *_: float("nan"))
    with pytest.raises(UserError, match="differs from the network by nan") as error:
        export.main(["--weights", str(tmp_path / "c.safetensors"), "--out", str(tmp_path / "c.onnx")])
    assert error.value.exit_code == FAILED
    assert [path.name for path in tmp_path.iterdir()] == ["c.safetensors"]


def test_the_difference_is_measured(tmp_path):
    checkpoint = saved("face_emotion_cnn", tmp_path / "c.safetensors")
    _, model = export.exported(checkpoint)
    (tmp_path / "c.onnx").write_bytes(model)
    assert export.largest_difference(checkpoint, tmp_path / "c.onnx") < 1e-5
    checkpoint.weights["classifier.6.bias"] += 0.1
    assert export.largest_difference(checkpoint, tmp_path / "c.onnx") > 0.02


def test_another_ending_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"ends in \.onnx, not 'x\.pt'"):
        export.main(["--out", "x.pt"])
