"""A classifier's graph for ONNX Runtime, and whether its heatmaps need a backward pass.

In:  the name of a network of models/networks/, a number of classes; no weights.
Out: a `Graph`: (N, C, h, w) float32 -> logits (N, K), and the activation of the layer to explain; in its `about` where
     the cells of that layer look, and the name of the head, where the gradient is known from that alone.

`python -m pipeline.graphs` ships the default network's.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.spec import ModelSpec, find_spec
from support.onnx.graph import Graph
from support.onnx.tracing import UntraceableError, sources_of, tell_apart, weightless

OUTPUTS = ("logits", "activation")
NO_HEAD = "above the layer to explain it is more than a mean over the grid and one linear layer"
SAME = {"rtol": 1e-4, "atol": 1e-7}  # gradients are either equal but for rounding or quite different


def make_graph(name: str, classes: int) -> Graph:
    """The graph that a classifier runs in; its model is empty, and `about["why_not"]` says why, where it can't run.

    It can where the network ends in a mean over the grid and one linear layer: `about["head"]` names its weight.
    """
    spec = find_spec(name)
    network = spec.build(classes).eval()
    head = pooled_head(network, spec.explain_layer, example_of(spec))
    try:
        if head is None:
            raise UntraceableError(NO_HEAD)
        return trace(spec, classes, head=head)
    except (UntraceableError, torch.onnx.OnnxExporterError) as error:
        return Graph(b"", {"head": None, "why_not": f"{error}", "sources": sources_of(network, [spec.build, trace])})


def trace(spec: ModelSpec, classes: int, *, head: str | None) -> Graph:
    """The graph of any network as its code is now. Raises `UntraceableError`, or torch's own `OnnxExporterError`."""
    network = spec.build(classes)
    seen: list[Tensor] = []
    # a copy, because a layer above may work in place
    network.get_submodule(spec.explain_layer).register_forward_hook(lambda *call: seen.append(call[-1].clone()))
    network.register_forward_hook(lambda *call: (call[-1], seen.pop()))
    makers, free = [spec.build, trace], {0: "faces"}
    about = {"head": head, "cells": spec.cells and list(spec.cells)}  # as JSON gives it back
    return weightless(network, example_of(spec), free=free, outputs=OUTPUTS, makers=makers, about=about)


def pooled_head(network: nn.Module, layer: str, example: Tensor) -> str | None:
    """The name of the weight (K, C) that tells the gradient of every class, or None where there is no such weight.

    Above a mean over Z cells and one linear layer, dy^c/dA_k is weight[c, k] / Z in every cell, whatever A is. That is
    tried out, on activations of both signs and two scales; the weights become arbitrary numbers.
    """
    network.requires_grad_(False)
    tell_apart(network.state_dict().values())
    tried: list[Tensor] = []

    def instead(module: nn.Module, inputs: tuple, output: Tensor) -> Tensor:
        scale = torch.tensor([1.0, 30.0]).view(2, *[1] * (output.dim() - 1))
        tried.append((scale * torch.randn(output.shape)).requires_grad_())
        return tried[-1].clone()  # a layer above may work in place, which a leaf does not allow

    handle = network.get_submodule(layer).register_forward_hook(instead)
    logits = network(example)  # (2, K)
    handle.remove()
    (activation,) = tried
    if activation.dim() != 4:
        return None
    gradients = torch.stack(  # (K, 2, C, h, w)
        [torch.autograd.grad(score, activation, retain_graph=True)[0] for score in logits.sum(dim=0)]
    )
    everywhere = gradients[:, :1, :, :1, :1].expand_as(gradients)
    if not torch.allclose(gradients, everywhere, **SAME):
        return None
    rows = gradients[:, 0].sum(dim=(2, 3))  # (K, C)
    for name, weight in network.state_dict().items():
        if weight.shape == rows.shape and torch.allclose(weight, rows, **SAME):
            return name
    return None


def example_of(spec: ModelSpec) -> Tensor:
    """Two inputs of the network, (2, C, h, w) float32."""
    return torch.randn(2, spec.preprocess.channels, *spec.preprocess.size_hw)
