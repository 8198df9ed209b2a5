"""The deployable form of a checkpoint: every kind of network, read back by ONNX Runtime from the one file."""

from __future__ import annotations

import hashlib
import json

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from helpers.exported import norms_that_have_seen_something

from gradcam import hooked_forward
from models import export
from models.checkpoint import SHIPPED, Checkpoint, load_checkpoint, save_checkpoint
from models.preprocess import CROP_TEMPLATE, Preprocess
from models.spec import find_spec
from support import FAILED, UserError

HEADS = {"small_resnet18_w32": True, "deep_emotion": False, "face_emotion_cnn": False}


def saved(name: str, path) -> Checkpoint:
    torch.manual_seed(0)
    spec = find_spec(name)
    network = norms_that_have_seen_something(spec.build(3))
    bias = (0.0, 0.5, 0.25)
    checkpoint = Checkpoint(
        name, ("a", "b", "c"), spec.preprocess, network.state_dict(), 0.5, {"lr": 0.1}, {"accuracy": 0.5}, bias
    )
    save_checkpoint(path, checkpoint)
    return checkpoint


@pytest.mark.parametrize("name", HEADS)
def test_a_program_with_the_file_gets_the_networks_numbers(rng, tmp_path, capsys, name):
    path = tmp_path / "c.safetensors"
    checkpoint = saved(name, path)
    assert export.main(["--weights", str(path)]) == 0
    out = tmp_path / "c.onnx"
    told = capsys.readouterr()
    assert told.out == f"{out}\n"
    assert (f"no heatmaps, since above the layer that heatmaps explain is more than a mean and one linear layer: "
            f"live.py and evaluations take {path}" in told.err) == (not HEADS[name])  # fmt: skip
    onnx.checker.check_model(onnx.load(out), full_check=True)

    session = onnxruntime.InferenceSession(out, providers=["CPUExecutionProvider"])
    found = session.get_modelmeta().custom_metadata_map
    about = {key: json.loads(value) for key, value in found.items() if key != "file_sha256"}
    assert about["source_sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    for key in ("network", "temperature", "settings", "scores"):
        assert about[key] == getattr(checkpoint, key)
    assert (about["class_names"], about["class_bias"]) == (["a", "b", "c"], [0.0, 0.5, 0.25])
    assert Preprocess.from_dict(about["preprocess"]) == checkpoint.preprocess
    assert about["crop_template"] == CROP_TEMPLATE.tolist()

    (given,) = session.get_inputs()
    faces, channels, height, width = given.shape
    assert faces == "faces"
    x = rng.normal(size=(3, channels, height, width)).astype(np.float32)
    assert [output.name for output in session.get_outputs()] == ["logits", "activation"]
    logits, activation = session.run(None, {given.name: x})
    wanted = hooked_forward(checkpoint.build(), about["explain_layer"], torch.from_numpy(x))
    np.testing.assert_allclose(logits, wanted.logits, rtol=1e-3, atol=1e-4)
    assert (about["head"] is not None) == HEADS[name]
    if about["head"]:  # Grad-CAM as the metadata tell it
        rows = np.array(about["head"])[logits.argmax(axis=1)]
        heatmap = np.maximum(np.einsum("nc,nchw->nhw", rows, activation), 0)[0]
        heatmap = cv2.resize(heatmap / heatmap.max(), (width, height), interpolation=cv2.INTER_LINEAR)
        np.testing.assert_allclose(heatmap, wanted.heatmaps()[0], atol=1e-3)


def test_the_shipped_file_is_that_of_the_shipped_checkpoint():
    onnx_file = SHIPPED.with_suffix(".onnx").read_bytes()
    digest = hashlib.sha256(SHIPPED.read_bytes()).hexdigest()
    assert digest.encode() in onnx_file, "run python -m models.export, and commit what it writes"
    model = onnx.load_from_string(onnx_file)
    onnx.checker.check_model(model, full_check=True)
    stored = [onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer]
    contents = {array.astype(np.float32).tobytes() for array in stored}  # of tensors that are equal one is kept
    weights = load_checkpoint(SHIPPED).weights
    missing = [name for name, weight in weights.items() if weight.ndim and weight.numpy().tobytes() not in contents]
    assert not missing
    assert len(onnx_file) < 1.02 * SHIPPED.stat().st_size


def test_an_export_that_differs_is_not_written(tmp_path, monkeypatch):
    saved("face_emotion_cnn", tmp_path / "c.safetensors")
    monkeypatch.setattr("support.onnx.export.largest_difference", lambda *_: float("nan"))
    with pytest.raises(UserError, match="cannot be exported: its file differs from it by nan") as error:
        export.main(["--weights", str(tmp_path / "c.safetensors"), "--out", str(tmp_path / "c.onnx")])
    assert error.value.exit_code == FAILED
    assert [path.name for path in tmp_path.iterdir()] == ["c.safetensors"]
