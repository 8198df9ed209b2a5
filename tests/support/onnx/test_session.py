"""ONNX Runtime: when it is taken, and that a session computes with the weights it was given."""

from __future__ import annotations

import builtins
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch import nn

from support import UserError
from support.onnx.session import OnnxSession, takes_onnx
from support.onnx.tracing import weightless


@pytest.fixture(scope="module")
def graph():
    return weightless(nn.Conv2d(1, 2, 1), torch.randn(2, 1, 3, 3), free={0: "n"}, outputs=("y",), makers=[])


def weights(factor: float) -> dict[str, np.ndarray]:
    return {"weight": factor * np.float32([1, 2]).reshape(2, 1, 1, 1), "bias": np.float32([10, 20])}


def test_a_session_by_hand(graph):
    x = np.arange(9, dtype=np.float32).reshape(1, 1, 3, 3)
    for factor in (1, 3):  # the same graph, other weights
        session = OnnxSession(graph, weights(factor), threads=2, what="it")
        (found,) = session(x)
        np.testing.assert_allclose(found[0], np.stack([factor * x[0, 0] + 10, 2 * factor * x[0, 0] + 20]))
        with ThreadPoolExecutor(4) as pool:
            for one in pool.map(lambda _, run=session: run(x)[0], range(20)):
                np.testing.assert_array_equal(one, found)


def test_weights_of_another_network_are_refused(graph):
    for wrong in ({"weight": weights(1)["weight"]}, weights(1) | {"bias": np.zeros(3, np.float32)}):
        with pytest.raises(UserError, match=r"it does not fit its network: .*\(bias\)"):
            OnnxSession(graph, wrong, threads=1, what="it")


def test_it_is_taken_on_the_cpu_only():
    assert takes_onnx("auto", "cpu")
    assert takes_onnx("onnx", torch.device("cpu"))
    assert not takes_onnx("torch", "cpu")
    for device in ("cuda:0", torch.device("mps")):
        assert not takes_onnx("auto", device)
        with pytest.raises(UserError, match="onnx runs on the CPU only, not on"):
            takes_onnx("onnx", device)
    with pytest.raises(UserError, match="takes auto, torch, onnx, not 'tvm'"):
        takes_onnx("tvm", "cpu")


def test_it_may_be_missing(monkeypatch):
    real = builtins.__import__

    def no_onnxruntime(name, *args, **options):
        if name == "onnxruntime":
            raise ImportError("DLL load failed")
        return real(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", no_onnxruntime)
    assert not takes_onnx("auto", "cpu")
    with pytest.raises(UserError, match=r"needs the package onnxruntime \(DLL load failed\); pip install onnxruntime"):
        takes_onnx("onnx", "cpu")
