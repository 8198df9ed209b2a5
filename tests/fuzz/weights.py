"""Hostile files of weights: checkpoints, .onnx files and .pth files of other programs.

In:  a random generator, an empty folder.
Out: actions that load the file as live.py, training and imports do, and predict with it.

The headers are what is changed most: the hash of a .safetensors file covers its tensors, and anyone can seal an .onnx
file again.
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from fuzz.cases import Action, Kind
from fuzz.hostile import Rng, changed_bytes, changed_value, json_text, pick, text
from onnx import TensorProto, helper, numpy_helper

CLASSES = ("sad", "happy", "neutral")
NETWORK = "deep_emotion"  # the one that loads fastest
CROPS = np.random.default_rng(0).integers(0, 256, (2, 48, 48, 3), np.uint8)
FRAME = np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)
HUGE = 725_000_000  # numbers; 2.9 GB as float32, of which the file holds one


@functools.cache
def base_checkpoint() -> Any:
    """An untrained network's."""
    from models.checkpoint import Checkpoint
    from models.spec import find_spec

    torch.manual_seed(0)
    spec = find_spec(NETWORK)
    weights = spec.build(len(CLASSES)).state_dict()
    return Checkpoint(NETWORK, CLASSES, spec.preprocess, weights, class_prior=(0.2, 0.5, 0.3), prior_tau=0.5)


def changed_header(rng: Rng, header: dict[str, str]) -> dict[str, str]:
    """Metadata, JSON texts by name, of which some entries are others, none, or no JSON."""
    if rng.random() < 0.05:
        return {}
    values = changed_value(rng, {name: json.loads(value) for name, value in header.items()})
    if not isinstance(values, dict):
        values = {"format": values}
    written = {name: json.dumps(value) for name, value in values.items()}
    if written and rng.random() < 0.2:
        name = pick(rng, list(written))
        written[name] = json_text(rng, values[name])
    if rng.random() < 0.1:
        written[pick(rng, list(header))] = text(rng)
    return {clean(name): clean(value) for name, value in written.items()}


def clean(written: str) -> str:
    """A text that UTF-8 can hold: the formats demand it."""
    return written.encode("utf-8", "replace").decode()


def write_changed_header(rng: Rng, path: Path, original: Path) -> None:
    """The tensors of `original` with another header, or now and then other bytes."""
    if rng.random() < 0.2:
        path.write_bytes(changed_bytes(rng, original.read_bytes()))
        return
    content = original.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    entries = json.loads(content[8 : 8 + length])
    entries["__metadata__"] = changed_header(rng, dict(sorted(entries["__metadata__"].items())))
    path.write_bytes(safetensors_of(entries, content[8 + length :]))


def safetensors_of(entries: dict, tensors: bytes) -> bytes:
    """A file of that header; safetensors itself writes its entries in another order each time."""
    header = json.dumps(dict(sorted(entries.items()))).encode()
    return struct.pack("<Q", len(header)) + header + tensors


def in_order(path: Path) -> None:
    """Write a .safetensors file again, its metadata sorted, so that changed bytes of it are the same each time."""
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    entries = json.loads(content[8 : 8 + length])
    entries["__metadata__"] = dict(sorted(entries["__metadata__"].items()))
    path.write_bytes(safetensors_of(entries, content[8 + length :]))


def checkpoint(rng: Rng, folder: Path, shared: Path) -> Action:
    """A checkpoint of ours with a changed header, used for predictions and as a training's beginning."""
    from models.checkpoint import save_checkpoint

    original = shared / f"base-{os.getpid()}.safetensors"
    if not original.exists():
        save_checkpoint(original, base_checkpoint(), half=True)
        in_order(original)
    path = folder / "x.safetensors"
    write_changed_header(rng, path, original)
    how = rng.random()
    if how < 0.15:
        return functools.partial(begin_training, path)
    return functools.partial(predict, path, prior="balanced" if how < 0.5 else "dataset")


def predict(path: Path, *, prior: str = "dataset") -> None:
    """Probabilities and heatmaps of two crops."""
    from models.classifier import Classifier

    classifier = Classifier.from_file(path, prior=prior, threads=1)
    prediction = classifier.forward(CROPS)
    for probabilities in (prediction.probabilities, classifier.to_probabilities(prediction.logits, confidence="label")):
        assert probabilities.shape == (2, len(classifier.class_names))
        assert np.isfinite(probabilities).all()
        assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-3)
    heatmaps = prediction.heatmaps(np.zeros(2, int), "gradcam")
    assert len(heatmaps) == 2
    assert np.isfinite(heatmaps).all()


def begin_training(path: Path) -> None:
    """The network with these weights, for a training."""
    from models.training.transfer import initial_network

    initial_network(NETWORK, ("sad", "angry"), init=str(path))


def detector(rng: Rng, folder: Path, shared: Path) -> Action:
    """The detector's weights or its .onnx file, changed."""
    from retinaface.detector import SHIPPED

    if rng.random() < 0.5:
        path = folder / "x.safetensors"
        write_changed_header(rng, path, SHIPPED)
    else:
        path = folder / "x.onnx"
        path.write_bytes(changed_model(rng, SHIPPED.with_suffix(".onnx").read_bytes()))
    return functools.partial(detect, path)


def detect(path: Path) -> None:
    """The faces of a frame."""
    from retinaface.detector import RetinaFace

    found = RetinaFace.from_file(path, threads=1)
    (faces,) = found([FRAME])
    assert all(np.isfinite(face.box_xyxy).all() and np.isfinite(face.landmarks_xy).all() for face in faces)
    found.close()


def changed_model(rng: Rng, content: bytes) -> bytes:
    """An .onnx file whose metadata, graph or bytes are changed; sealed again, mostly."""
    from support.onnx.session import SEAL_KEY, seal

    if rng.random() < 0.2:
        return changed_bytes(rng, content)
    model = onnx.load_model_from_string(content)
    kept = {entry.key: entry.value for entry in model.metadata_props if entry.key.encode() != SEAL_KEY}
    how = rng.random()
    metadata = changed_header(rng, kept) if how < 0.6 else kept
    del model.metadata_props[:]
    helper.set_model_props(model, metadata)
    if how > 0.75:
        change_graph(rng, model.graph)
    written = model.SerializeToString()
    return seal(changed_bytes(rng, written) if 0.6 <= how <= 0.75 else written)


def change_graph(rng: Rng, graph: Any) -> None:
    """Other inputs, outputs, shapes or weights."""
    change = int(rng.integers(6))
    if change == 0:
        graph.input[0].type.tensor_type.elem_type = pick(
            rng, (TensorProto.INT64, TensorProto.STRING, TensorProto.DOUBLE)
        )
    elif change == 1:
        graph.input[0].type.tensor_type.shape.dim.add().dim_value = 3
    elif change == 2:
        del graph.output[int(rng.integers(len(graph.output)))]
    elif change == 3:
        graph.input.append(helper.make_tensor_value_info("more", TensorProto.FLOAT, [1]))
    elif change == 4:
        del graph.node[int(rng.integers(len(graph.node)))]
    else:
        tensor = pick(rng, graph.initializer)
        values = numpy_helper.to_array(tensor)
        other = np.full_like(values, pick(rng, (np.nan, np.inf, 0, 6e4)) if values.dtype.kind == "f" else 2**31)
        tensor.CopyFrom(numpy_helper.from_array(other, tensor.name))


@functools.cache
def small_model() -> bytes:
    """A convolution, a mean and a linear layer, with the metadata of `models.export`."""
    from models.checkpoint import ONNX_FORMAT
    from support.onnx.session import seal

    rng = np.random.default_rng(0)
    arrays = {"w": rng.normal(0, 0.1, (4, 1, 8, 8)), "h": rng.normal(size=(4, 3)), "b": np.zeros(3)}
    tensors = [numpy_helper.from_array(array.astype(np.float32), name) for name, array in arrays.items()]
    nodes = [
        helper.make_node("Conv", ["input", "w"], ["c"], strides=[8, 8]),
        helper.make_node("Relu", ["c"], ["activation"]),
        helper.make_node("GlobalAveragePool", ["activation"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("Gemm", ["f", "h", "b"], ["logits"]),
    ]
    value = functools.partial(helper.make_tensor_value_info, elem_type=TensorProto.FLOAT)
    graph = helper.make_graph(
        nodes, "small", [value("input", shape=["n", 1, 48, 48])],
        [value("logits", shape=["n", 3]), value("activation", shape=["n", 4, 6, 6])], tensors,
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    metadata = base_checkpoint().header() | {"format": ONNX_FORMAT, "cells": [3.5, 8]}
    metadata |= {"head": arrays["h"].T.tolist(), "crop_template": [[0.5, 0.5]] * 5, "explain_layer": "x"}
    helper.set_model_props(model, {name: json.dumps(entry) for name, entry in metadata.items()})
    return seal(model.SerializeToString())


def classifier_onnx(rng: Rng, folder: Path, shared: Path) -> Action:
    """A classifier's .onnx file, changed."""
    (folder / "x.onnx").write_bytes(changed_model(rng, small_model()))
    return functools.partial(predict, folder / "x.onnx", prior=pick(rng, ("dataset", "balanced")))


class Code:
    """Pickled, it is code that writes a file when it is read."""

    def __reduce__(self) -> tuple:
        return (open, (os.environ["FUZZ_MARKER"], "w"))


def pth(rng: Rng, folder: Path, shared: Path) -> Action:
    """What people save with torch, or call so."""
    from retinaface.mobilenet import MobileNetRetinaFace

    torch.manual_seed(0)
    for_detector = rng.random() < 0.3
    weights: dict = dict(MobileNetRetinaFace().state_dict() if for_detector else base_checkpoint().weights)
    path = folder / pick(rng, ("x.pth", "x.pt", "x.bin"))
    chance = rng.random()
    if chance < 0.1:
        path.write_bytes(pickle.dumps(weights if chance < 0.05 else Code(), protocol=2))
    else:
        torch.save(changed_state(rng, weights), path, _use_new_zipfile_serialization=bool(rng.random() < 0.7))
        if rng.random() < 0.25:
            path.write_bytes(changed_bytes(rng, path.read_bytes()))
    if for_detector:
        return functools.partial(detect, path)
    if rng.random() < 0.2:
        return functools.partial(predict, path)
    return functools.partial(pick(rng, (begin_training, bring_in)), path)


def changed_state(rng: Rng, weights: dict) -> object:
    """A state_dict as other programs have it, with entries that do not belong there."""
    name = pick(rng, list(weights))
    shape = weights[name].shape
    entries = (
        torch.zeros(1).expand(HUGE), torch.zeros(()).expand(shape), torch.zeros(shape).to_sparse(), torch.zeros(shape,
        dtype=torch.complex64),
        torch.zeros(shape, device="meta"), torch.zeros(shape, dtype=torch.bool), torch.full(shape, 1e300,
        dtype=torch.float64),
        torch.zeros(0), torch.zeros(shape, dtype=torch.bfloat16), torch.full(shape, torch.nan),
        torch.nn.Parameter(torch.zeros(shape)),
        torch.zeros(shape,
        dtype=torch.float8_e4m3fn),
        torch.zeros(*shape, 1), torch.zeros(()), None, 3, "text", [1, 2], {"a": torch.zeros(1)}, b"bytes", Code(),
    )  # fmt: skip
    how = int(rng.integers(8))
    if how < 3:
        weights[name] = pick(rng, entries)
    elif how == 3:
        weights = {name: torch.nn.Parameter(tensor, False) for name, tensor in weights.items()}
    elif how == 4:
        weights[pick(rng, (5, text(rng), None, ("a", "b")))] = pick(rng, entries)
    elif how == 5:
        return pick(rng, entries)
    wrappers = ("state_dict", "model", "ema", "net", "nothing")
    for _ in range(int(rng.integers(3))):
        weights = {pick(rng, wrappers): weights, "epoch": 3, "args": pick(rng, (None, {"lr": 0.1}, Code()))}
    return {f"module.{name}": tensor for name, tensor in weights.items()} if rng.random() < 0.2 else weights


def bring_in(path: Path) -> None:
    """`python -m models.import`."""
    module = importlib.import_module("models.import")
    module.run(module.Settings(weights=str(path), model=NETWORK, classes=list(CLASSES)))


KINDS = {
    "checkpoint": Kind(checkpoint, 12),
    "detector": Kind(detector, 5),
    "classifier_onnx": Kind(classifier_onnx, 9),
    "pth": Kind(pth, 9),
}
