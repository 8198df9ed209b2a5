"""Does a network end in a mean over the grid and one linear layer? Then its heatmaps need no backward pass.

In:  a network, the name of the layer to explain.
Out: the name of the linear layer's weight, or None.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from models.preprocess import Preprocess

RTOL, ATOL = 1e-4, 1e-7  # gradients are either equal but for rounding or quite different


def pooled_head(network: nn.Module, layer: str, example: Tensor) -> str | None:
    """The name of the weight (K, C) that tells the gradient of every class, or None where there is no such weight.

    Above a mean over Z cells and one linear layer, dy^c/dA_k is weight[c, k] / Z in every cell, whatever A is. This
    is tested on activations of both signs and two scales; the weights are overwritten with random numbers.
    """
    network.requires_grad_(False)
    randomise(network.state_dict().values())
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
    if not torch.allclose(gradients, everywhere, rtol=RTOL, atol=ATOL):
        return None
    rows = gradients[:, 0].sum(dim=(2, 3))  # (K, C)
    for name, weight in network.state_dict().items():
        if weight.shape == rows.shape and torch.allclose(weight, rows, rtol=RTOL, atol=ATOL):
            return name
    return None


def example_of(preprocess: Preprocess) -> Tensor:
    """Two inputs of a network, (2, C, h, w) float32."""
    return torch.randn(2, preprocess.channels, *preprocess.size_hw)


def randomise(tensors: Iterable[Tensor]) -> None:
    """Give every tensor numbers of its own, in place, so that none is told apart by being all ones or zeros."""
    generator = torch.Generator().manual_seed(0)
    for tensor in tensors:
        if tensor.is_floating_point() and tensor.dim() < 2:
            tensor.uniform_(0.9, 1.1, generator=generator)  # a variance stays above 0
        elif tensor.is_floating_point():
            tensor += 1e-3 * torch.randn(tensor.shape, generator=generator)
