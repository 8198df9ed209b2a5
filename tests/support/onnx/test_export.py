"""One ONNX file: it passes the checker, holds the weights to the bit, and computes what the network does."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from torch import nn

from support import UserError
from support.onnx.export import ExportError, export_file, to_onnx
from support.onnx.session import OnnxSession

AXES = {"input": {0: "n", 2: "height"}, "y": {0: "n", 2: "height"}}


def network(*, half: bool) -> nn.Module:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU(), nn.Conv2d(3, 20, 1)).eval()
    for tensor in (*network[1].parameters(), network[1].running_mean, network[1].running_var):
        tensor.data.uniform_(0.5, 2)  # of tensors that are equal the exporter keeps one
    if half:
        for tensor in network.state_dict().values():
            if tensor.is_floating_point():
                tensor.copy_(tensor.half().float())
    return network


def exported(network: nn.Module) -> bytes:
    x = torch.randn(2, 2, 5, 6)
    return to_onnx(network, x, dynamic_axes=AXES, outputs=("y",), metadata={"format": "test/1"})


def stored_weights(file: bytes) -> dict[str, np.ndarray]:
    """Every weight as the file's nodes see it: stored as it is, or as float16 and cast."""
    model = onnx.load_from_string(file)
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    casts = {node.output[0]: stored[node.input[0]] for node in model.graph.node if node.op_type == "Cast"}
    return {name: value.astype(np.float32) for name, value in (stored | casts).items()}


@pytest.mark.parametrize("half", [True, False])
def test_weights_are_the_networks_to_the_bit_and_small_where_that_loses_nothing(half):
    one = network(half=half)
    file = exported(one)
    onnx.checker.check_model(onnx.load_from_string(file), full_check=True)
    found = stored_weights(file)
    for name, tensor in one.state_dict().items():
        if tensor.is_floating_point():
            np.testing.assert_array_equal(found[name], tensor.numpy(), err_msg=name)
    halves = [t for t in onnx.load_from_string(file).graph.initializer if t.data_type == onnx.TensorProto.FLOAT16]
    assert {tensor.name for tensor in halves} == ({"0.weight.half", "3.weight.half", "3.bias.half"} if half else set())


def test_it_computes_what_the_network_does_for_any_number_and_height(rng):
    one = network(half=True)
    session = OnnxSession(exported(one), threads=1)
    for n, height in ((1, 5), (3, 9)):
        x = rng.normal(size=(n, 2, height, 6)).astype(np.float32)
        np.testing.assert_allclose(session(x)[0], one(torch.from_numpy(x)).detach(), atol=1e-5)
    assert session.metadata == {"format": "test/1"}


def test_outputs_have_shapes():
    model = onnx.load_from_string(exported(network(half=True)))
    (output,) = model.graph.output
    dims = output.type.tensor_type.shape.dim
    assert [dim.dim_param or dim.dim_value for dim in dims] == ["n", 20, "height", 6]


class Branching(nn.Module):
    """A trace keeps one of its branches."""

    def forward(self, x):
        return x + 1 if x.flatten()[0] > self.limit(x) else x

    def limit(self, x):
        return x.flatten()[-1]


def test_what_a_trace_misses_is_refused():
    x = torch.arange(120.0).view(2, 2, 5, 6)  # its first number is smaller than its last; upside down too
    x[0, 0, 0], x[0, 0, -1] = 5.0, 500.0
    axes = {"input": {0: "n"}, "y": {0: "n"}}
    with pytest.raises(ExportError, match="its file differs from it by"):
        to_onnx(Branching(), x, dynamic_axes=axes, outputs=("y",), metadata={})


def test_another_ending_is_refused():
    with pytest.raises(UserError, match=r"ends in \.onnx, not 'x\.pt'"):
        export_file("x", "x.pt", nn.Identity(), torch.zeros(2, 1), dynamic_axes=AXES, outputs=("y",), metadata={})
