"""From a torch network to a `Graph`: what it computes, without its weights.

In:  a network nobody needs afterwards, an example of its input.
Out: a graph whose answers have been compared with the network's; and, with weights put in, a whole ONNX model.

torch's older exporter, which traces, is used on purpose: it takes half a second for the shipped classifier, where the
one over torch.export takes over a minute for the detector. What tracing may miss, a branch that hangs on the input, the
comparison is there for.
"""

from __future__ import annotations

import io
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from support.onnx.graph import ROOT, Graph, source_hash
from support.onnx.session import OnnxSession

OPSET = 17  # grid_sample needs 16
HIGHEST_DIFFERENCE = 1e-4  # between the graph and the network, as a share of the largest output


class UntraceableError(Exception):
    """The graph of a network does not compute what the network does."""


@torch.no_grad()
def weightless(
    network: nn.Module,
    example: Tensor,
    *,
    free: Mapping[int, str],
    outputs: Sequence[str],
    makers: Sequence[Callable],
    about: dict | None = None,
) -> Graph:
    """The graph of `network`, in eval mode; its weights become arbitrary numbers.

    example: an input of two rows. free: which of its dimensions may differ, with their names.
    outputs: names of the tensors that the network gives. makers: functions and classes that it comes from.
    about: what the graph's own `about` is to hold beside what every graph's does. Raises `UntraceableError`.
    """
    network.eval()
    tell_apart(network.state_dict().values())
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that there is a newer exporter, and what a trace may miss
        torch.onnx.export(
            network, (example,), file, dynamo=False, opset_version=OPSET,
            training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False,  # weights keep their own names
            input_names=["input"], output_names=list(outputs),
            dynamic_axes={"input": dict(free)},
        )  # fmt: skip
    model, state = onnx.load_from_string(file.getvalue()), network.state_dict()
    for output in model.graph.output:
        output.type.tensor_type.ClearField("shape")  # it follows from the input's
    about = (about or {}) | {
        "weights": {name: list(tensor.shape) for name, tensor in state.items()},
        "inside": [tensor.name for tensor in model.graph.initializer if tensor.name in state],
        "sources": sources_of(network, makers),
    }
    graph = Graph(_emptied(model, state), about)
    refuse_differences(graph, network, example)
    return graph


def sources_of(network: nn.Module, makers: Sequence[Callable]) -> dict[str, str]:
    """The SHA-256 of each file of this project that `network` and its graph come from, by path."""
    modules = {type(module).__module__ for module in network.modules()} | {__name__}
    modules |= {getattr(maker, "func", maker).__module__ for maker in makers}  # a partial has its function's
    files = {Path(sys.modules[name].__file__) for name in modules}
    below = sorted(file.relative_to(ROOT) for file in files if file.is_relative_to(ROOT))
    own = [file for file in below if "site-packages" not in file.parts]  # `make` puts its .venv below ROOT
    return {file.as_posix(): source_hash(ROOT / file) for file in own}


def tell_apart(tensors: Iterable[Tensor]) -> None:
    """Give every tensor numbers of its own, in place: the exporter makes one of two that are equal."""
    generator = torch.Generator().manual_seed(0)
    for tensor in tensors:
        if tensor.is_floating_point() and tensor.dim() < 2:
            tensor.uniform_(0.9, 1.1, generator=generator)  # a variance stays above 0
        elif tensor.is_floating_point():
            tensor += 1e-3 * torch.randn(tensor.shape, generator=generator)


def refuse_differences(graph: Graph, network: nn.Module, example: Tensor) -> None:
    """`UntraceableError` where the graph's answers to three rows are not the network's."""
    three = torch.cat([example, example])[:3].flip(2)  # other values, and another number of rows
    weights = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    wanted = network(three)
    try:
        found = OnnxSession(graph, weights, threads=1, what="the graph")(three.numpy())
    except Exception as error:  # ONNX Runtime's own kinds have no ancestor in common
        raise UntraceableError(f"ONNX Runtime cannot run its graph: {error}") from error
    for here, tensor in zip(found, [wanted] if isinstance(wanted, Tensor) else wanted, strict=True):
        there = tensor.numpy()
        same_shape = here.shape == there.shape
        difference = np.abs(here - there).max() / max(1.0, np.abs(there).max()) if same_shape else np.inf
        if not difference <= HIGHEST_DIFFERENCE:  # also where it is not a number
            raise UntraceableError(f"its graph differs from it by {difference:.1e}")


def filled(graph: Graph, weights: Mapping[str, np.ndarray]) -> bytes:
    """The whole ONNX model: the graph with `weights` in it."""
    model = onnx.load_from_string(graph.model)
    for tensor in model.graph.initializer:
        if tensor.name in weights:
            tensor.CopyFrom(onnx.numpy_helper.from_array(weights[tensor.name], tensor.name))
    return model.SerializeToString()


def _emptied(model: onnx.ModelProto, state: Mapping[str, Tensor]) -> bytes:
    """`model` with the names of the weights in `state`, but not their numbers."""
    for tensor in model.graph.initializer:
        if tensor.name in state:
            tensor.ClearField("raw_data")
            tensor.data_location = onnx.TensorProto.EXTERNAL
            tensor.external_data.add(key="location", value="checkpoint")
    return model.SerializeToString()
