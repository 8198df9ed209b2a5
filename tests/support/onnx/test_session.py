"""ONNX Runtime: when it is taken, that a session computes what its file says, and that the file is whole."""

from __future__ import annotations

import importlib.abc
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from support import UserError
from support.onnx.export import to_onnx
from support.onnx.session import OnnxSession, load_session, open_session, seal, wants_onnx
from support.process import notify_once

METADATA = {"format": "test/1", "names": ["a", "b"], "none": None}


def convolution(*, weight: float = 1.0, metadata: dict | None = None) -> bytes:
    """The file of a 1x1 convolution from one channel to two: y = (weight x + 10, 2 weight x + 20)."""
    network = nn.Conv2d(1, 2, 1).eval()
    network.weight.data = weight * torch.tensor([1.0, 2.0]).view(2, 1, 1, 1)
    network.bias.data = torch.tensor([10.0, 20.0])
    axes = {"input": {0: "n"}, "y": {0: "n"}}
    return to_onnx(network, torch.randn(2, 1, 3, 3), dynamic_axes=axes, outputs=("y",), metadata=metadata or METADATA)


def test_a_session_by_hand():
    x = np.arange(9, dtype=np.float32).reshape(1, 1, 3, 3)
    for weight in (1, 3):
        session = OnnxSession(convolution(weight=weight), threads=2)
        (found,) = session(x)
        np.testing.assert_allclose(found[0], np.stack([weight * x[0, 0] + 10, 2 * weight * x[0, 0] + 20]))
        assert session.metadata == METADATA
        with ThreadPoolExecutor(4) as pool:
            for one in pool.map(lambda _, run=session: run(x)[0], range(20)):
                np.testing.assert_array_equal(one, found)


def test_a_file_that_was_altered_anywhere_is_refused(tmp_path):
    file = convolution()
    path = tmp_path / "x.onnx"
    for place in (0, len(file) // 2, len(file) - 100, len(file) - 1):
        damaged = bytearray(file)
        damaged[place] ^= 4
        path.write_bytes(damaged)
        with pytest.raises(UserError, match=r"x\.onnx is damaged, or was not written by this project"):
            load_session(path, wanted_format="test/1", threads=1)
    for whole in (file[:-1], file + b" ", b""):
        path.write_bytes(whole)
        with pytest.raises(UserError, match="is damaged"):
            load_session(path, wanted_format="test/1", threads=1)
    path.write_bytes(seal(b"no model"))
    with pytest.raises(UserError, match="cannot be run by ONNX Runtime"):
        load_session(path, wanted_format="test/1", threads=1)


def test_a_file_of_another_kind_or_none_is_refused(tmp_path):
    (tmp_path / "x.onnx").write_bytes(convolution())
    assert load_session(tmp_path / "x.onnx", wanted_format="test/1", threads=1).metadata == METADATA
    with pytest.raises(UserError, match="is not a test/2 file but 'test/1'"):
        load_session(tmp_path / "x.onnx", wanted_format="test/2", threads=1)
    with pytest.raises(UserError, match=r"cannot read .*none\.onnx: No such file"):
        load_session(tmp_path / "none.onnx", wanted_format="test/1", threads=1)


@pytest.mark.parametrize(
    ("error", "told", "advice"),
    [
        (ModuleNotFoundError("No module named 'onnxruntime'", name="onnxruntime"), "", "pip install onnxruntime"),
        (ModuleNotFoundError("No module named 'x'", name="x"), "does not load (No module", "pip install onnxruntime"),
        (ImportError("DLL load failed while importing state"), "does not load (DLL load failed", "Visual C"),
    ],
)
def test_a_runtime_that_does_not_load_is_told_and_one_that_is_not_there_is_not(
    monkeypatch, capsys, error, told, advice
):
    class Finder(importlib.abc.MetaPathFinder):
        def find_spec(self, name, path, target=None):
            if name == "onnxruntime":
                raise error

    monkeypatch.delitem(sys.modules, "onnxruntime", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Finder(), *sys.meta_path])
    notify_once.cache_clear()
    assert [wants_onnx("auto", "cpu"), wants_onnx("auto", "cpu")] == [False, False]
    said = capsys.readouterr().err
    assert told in said
    assert said.count("\n") == bool(told)  # once
    with pytest.raises(UserError, match=advice):
        wants_onnx("onnx", "cpu")


def test_it_is_taken_on_the_cpu_only():
    assert wants_onnx("auto", "cpu")
    assert wants_onnx("onnx", torch.device("cpu"))
    assert not wants_onnx("torch", "cpu")
    for device in ("cuda:0", torch.device("mps")):
        assert not wants_onnx("auto", device)
        with pytest.raises(UserError, match="onnx runs on the CPU only, not on"):
            wants_onnx("onnx", device)
    with pytest.raises(UserError, match="takes auto, torch, onnx, not 'tvm'"):
        wants_onnx("tvm", "cpu")


@pytest.mark.parametrize("path", [".", "/", "..", ""])
def test_a_place_that_is_no_file_is_left_to_who_reads_weights(path):
    asked = {"wanted_format": "f", "threads": 1, "command": "python -m x"}
    assert open_session(Path(path), engine="auto", device="cpu", **asked) == (None, "")


@pytest.mark.parametrize(("engine", "device", "remedy"), [
    ("torch", "cpu", "leave out --engine torch"), ("auto", "cuda:0", "add --device cpu"),
])  # fmt: skip
def test_a_model_that_is_not_to_run_here_is_refused_with_what_to_do(engine, device, remedy):
    with pytest.raises(UserError, match=remedy):
        open_session(Path("x.onnx"), engine=engine, device=device, wanted_format="f", threads=1, command="")


@pytest.mark.parametrize(
    "values", [np.zeros((1, 1, 3), np.float32), np.zeros((1, 1, 3, 3), np.uint8), np.zeros((1, 2, 3, 3), np.float32)]
)
def test_an_input_that_a_file_does_not_take_is_a_sentence(values):
    with pytest.raises(UserError, match="does not run on its input"):
        OnnxSession(convolution(), threads=1)(values)


def test_outputs_of_another_shape_or_not_finite_are_refused():
    x = np.zeros((1, 1, 3, 3), np.float32)
    session = OnnxSession(convolution(), threads=1)
    session.check_outputs(x, [(1, 2, -1, -1)], path="x.onnx")
    for shapes in ([], [(1, 2, 3)], [(1, 3, -1, -1)], [(1, 2, -1, -1)] * 2):
        with pytest.raises(UserError, match=r"x\.onnx does not give finite numbers of the shapes"):
            session.check_outputs(x, shapes, path="x.onnx")
    with pytest.raises(UserError, match="does not give finite numbers"):
        session.check_outputs(x * np.nan, [(1, 2, -1, -1)], path="x.onnx")
