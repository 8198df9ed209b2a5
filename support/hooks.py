"""The outputs of layers, lifted out of a forward pass of a torch network so that gradients reach them and stop there.

In:  a network, names of layers, a batch (N, C, H, W) float32.
Out: what the network gives, and for each layer its output, which autograd knows.

A hook puts a leaf in the place of the output, so a gradient costs only the layers above, whether or not the weights are
frozen.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from support.cli import UserError

if TYPE_CHECKING:  # torch is imported where it is used: live.py explains without it
    from torch import Tensor, nn

    Layer: TypeAlias = str | nn.Module
    Reshape: TypeAlias = Callable[[Tensor], Tensor]


def forward_with_leaves(
    network: nn.Module, names: Sequence[str], x: Tensor, *, keep: str = ""
) -> tuple[Tensor, dict[str, Tensor], Tensor | None]:
    """The logits (N, K) of a pass in eval mode, the output of each layer used, and that of the module `keep`, if named.

    Modes (of each module), hooks and gradients are afterwards what they were. Raises `UserError` where a layer is used
    twice or gives no tensor, or the network gives no logits.
    """
    import torch

    leaves: dict[str, Tensor] = {}
    kept: list[Tensor] = []

    def lift(name: str, output: Any) -> Tensor:
        if name in leaves:
            raise UserError(f"the layer {name} is used more than once in a pass; name a layer that is used once.")
        if not isinstance(output, torch.Tensor):
            raise UserError(f"the layer {name} gives {shape_of(output)}, not a tensor; name a layer inside it.")
        # what hangs on a layer lifted before stays in the graph; anything else is cut off from what lies below
        leaves[name] = output if leaves and output.requires_grad else output.detach().requires_grad_()
        return leaves[name].clone()  # a layer above may work in place, which a leaf does not allow

    modes = {module: module.training for module in network.modules()}
    handles = [
        network.get_submodule(name).register_forward_hook(lambda module, inputs, output, name=name: lift(name, output))
        for name in names
    ]
    try:
        if keep:
            module = network.get_submodule(keep)
            handles.append(module.register_forward_hook(lambda module, inputs, output: kept.append(output.detach())))
        with torch.inference_mode(False), torch.enable_grad():
            scores = network.eval()(x.clone() if x.is_inference() else x)
    finally:
        for handle in handles:
            handle.remove()
        for module, training in modes.items():
            module.training = training
    if not isinstance(scores, torch.Tensor) or scores.dim() != 2:
        raise UserError(
            f"the network gives {shape_of(scores)}, where logits (N, K) are wanted; wrap it in a module with these."
        )
    return scores, leaves, kept[-1] if kept else None


def layer_name(network: nn.Module, layer: Layer) -> str:
    """The dotted name of a layer of `network`, which is given by name or as the module itself; else `UserError`."""
    modules = dict(network.named_modules())
    if isinstance(layer, str):
        if layer not in modules:
            near = ", ".join(difflib.get_close_matches(layer, modules, cutoff=0.3)) or "network.named_modules()"
            raise UserError(f"the network has no layer {layer!r}; is it one of {near}?")
        return layer
    for name, module in modules.items():
        if module is layer:
            return name
    raise UserError(f"the {type(layer).__name__} to explain is no part of the network; name a module inside it.")


def grid_of(
    leaves: Mapping[str, Tensor], name: str, *, reshape: Reshape | None = None, size_hw: tuple[int, int] | None = None
) -> Tensor:
    """The output of the layer `name` as (N, C, h, w) float32; `UserError` where it is no grid over inputs of `size_hw`.

    reshape: makes that grid of what the layer gives. size_hw: None where the grid may have any shape.
    """
    if name not in leaves:
        raise UserError(
            f"the layer {name} is not used in a forward pass (a ModuleList, for one, never is, only what it holds); "
            "name a layer that is."
        )
    grid = (reshape(leaves[name]) if reshape else leaves[name]).detach().float()
    if grid.dim() != 4:
        raise UserError(
            f"the layer {name} gives {shape_of(grid)}, where a grid (N, C, h, w) is wanted; name a convolutional "
            "layer, or give `reshape`, which makes a grid of tokens."
        )
    (h, w), (height, width) = grid.shape[2:], size_hw or grid.shape[2:]
    if reshape is None and abs(w / width - h / height) > 1 / width + 1 / height:
        raise UserError(
            f"the layer {name} gives {shape_of(grid)} for an input of {height}x{width}, which is no grid over it: "
            "channels seem to come last; give reshape=lambda a: a.movedim(-1, 1)."
        )
    return grid


def shape_of(value: Any) -> str:
    """What `value` is, for a sentence: the shape of a tensor, the type of anything else."""
    return f"({', '.join(map(str, value.shape))})" if hasattr(value, "shape") else f"a {type(value).__name__}"
