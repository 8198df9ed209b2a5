"""From torch networks to graphs: the same numbers, any weights, and no graph that computes something else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from support.onnx import tracing
from support.onnx.graph import source_hash
from support.onnx.session import OnnxSession
from support.onnx.tracing import UntraceableError, filled, sources_of, weightless


class Small(nn.Module):
    """Two norms that start equal, and a size that hangs on the input's."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, stride=2, padding=1, bias=False)
        self.norms = nn.Sequential(nn.BatchNorm2d(4), nn.ReLU(), nn.BatchNorm2d(4))

    def forward(self, x):
        y = self.norms(self.conv(x))
        return nn.functional.interpolate(y, size=x.shape[-2:]) + x, y.mean(dim=(2, 3))


FREE = {0: "n", 2: "h", 3: "w"}


def make() -> tuple:
    return weightless(Small(), torch.randn(2, 1, 9, 11), free=FREE, outputs=("a", "b"), makers=[], about={"x": 1})


def test_any_weights_any_size_the_networks_numbers():
    graph = make()
    assert graph.about["x"] == 1
    for seed in (0, 1):
        torch.manual_seed(seed)
        network = Small().eval()
        for tensor in network.state_dict().values():
            if tensor.is_floating_point():
                tensor.uniform_(0.1, 2)
        weights = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
        x = torch.randn(3, 1, 16, 7)
        session = OnnxSession(graph, weights, threads=1, what="it")
        whole = onnxruntime.InferenceSession(filled(graph, weights), providers=["CPUExecutionProvider"])
        for found in (session(x.numpy()), whole.run(None, {"input": x.numpy()})):
            for here, wanted in zip(found, network(x), strict=True):
                np.testing.assert_allclose(here, wanted.detach(), rtol=1e-4, atol=1e-5)


def test_a_graph_holds_no_weights_but_their_names():
    graph = make()
    assert set(graph.about["weights"]) == set(Small().state_dict())
    assert set(graph.about["inside"]) == {name for name in Small().state_dict() if "num_batches" not in name}
    assert filled(graph, {}) == graph.model
    bigger = nn.Conv2d(64, 64, 3).eval()  # 148 kB of weights
    assert len(weightless(bigger, torch.randn(2, 64, 5, 5), free={0: "n"}, outputs=("y",), makers=[]).model) < 2000


class Branch(nn.Module):
    """What a trace can't follow: it does something else for other numbers."""

    def forward(self, x):
        return x * 2 if x[0, 0, 0, 0] > 0 else -x


class FixedRows(nn.Module):
    """What a trace turns into a constant."""

    def forward(self, x):
        return x.reshape(len(x), -1)


@pytest.mark.parametrize("network", [Branch(), FixedRows()])
def test_a_graph_that_is_not_the_network_is_refused(network):
    x = torch.ones(2, 1, 2, 2)
    x[:, :, 1] = -1  # upside down the branch goes the other way
    with pytest.raises(UntraceableError):
        weightless(network, x, free={0: "n"}, outputs=("y",), makers=[])


def test_the_sources_are_the_projects_files():
    from models.spec import find_spec

    spec = find_spec("resnet18")
    sources = sources_of(nn.Linear(1, 1), [spec.build])
    assert list(sources) == ["models/networks/torchvision_zoo.py", "support/onnx/tracing.py"]
    from helpers.paths import ROOT

    assert all(source_hash(ROOT / name) == value for name, value in sources.items())


def test_libraries_installed_below_the_project_are_none_of_its_files(monkeypatch):
    monkeypatch.setattr(tracing, "ROOT", Path(torch.__file__).parents[2])  # the folder that holds site-packages
    assert sources_of(nn.Linear(1, 1), []) == {}
