"""Explainers: what a network looked at, from one forward pass and one gradient.

In:  a network, the dotted name of a layer, a batch (N, C, H, W) float32.
Out: a `ForwardPass`: logits (N, K) and the layer's activation. Heatmaps (N, H, W) float32 in [0, 1], 1 = most used for
     the class named, are asked of it afterwards, of any class and by any explainer.

`hooked_forward` is for every torch network. A forward hook lifts the layer's activation A out of the pass and puts a
leaf in its place, so the gradient of the class score reaches A and stops there: it costs only the layers above, whether
or not the weights are frozen. Rows do not meet in eval mode, so one gradient of the summed scores serves the batch.

Networks whose layers put channels last or give tokens are explained with `reshape`, several layers at once by their
mean; a `score` of the logits may stand in the place of a class.

`PooledPass` is for networks that end in a mean over the grid and one linear layer, wherever they ran: the gradient is
known without a backward pass. Both use the same explainers.

A new explainer is a function (activation, gradient) -> map, written for arrays and tensors alike, and a row in
`EXPLAINERS`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from support import UserError
from support.heatmaps import TURBO_RGB, Cells, blend, enlarge, to_unit_range
from support.hooks import forward_with_leaves, grid_of, layer_name, shape_of

if TYPE_CHECKING:  # torch is imported where it is used
    from torch import Tensor, nn

    Array: TypeAlias = Any  # np.ndarray or Tensor, which share the methods used
    from support.hooks import Layer, Reshape

    Score: TypeAlias = Callable[[Tensor], Tensor]

__all__ = ["EXPLAINERS", "TURBO_RGB", "Cells", "ForwardPass", "HookedPass", "PooledPass", "Warp", "blend", "enlarge",
           "hooked_forward", "to_unit_range"]  # fmt: skip

TINY = 1e-6  # added under Grad-CAM++'s fraction; as large as in pytorch-grad-cam


@dataclass(frozen=True)
class Warp:
    """A network's own warp of its input, below the layer explained, whose cells thus lie over the warped picture.

    module: dotted name of the module whose output tells each picture's transform: a tensor (N, ...), called theta here.
    to_input: (heatmaps (N, h, w) over the warped picture, theta) -> (N, H, W) over the input, 0 where it was not seen.
    window: theta -> corners (N, 4, 2) float32 of what was seen: xy in pixels of the input, whose centres are at .0,
        clockwise from the warped picture's top left; they may lie outside the input.
    """

    module: str
    to_input: Callable[[Tensor, Tensor], Tensor]
    window: Callable[[Tensor], Tensor]


def grad_cam(activation: Array, gradient: Array) -> Array:
    """Grad-CAM (Selvaraju et al. 2017, arXiv 1610.02391). activation, gradient (N, C, h, w) -> map (N, h, w).

    Eq. 1: alpha_k = 1/Z sum_ij dy/dA_ij^k. Eq. 2: L = ReLU(sum_k alpha_k A^k).
    """
    weights = gradient.mean(axis=(2, 3), keepdims=True)  # (N, C, 1, 1)
    return (weights * activation).sum(axis=1).clip(min=0)


def grad_cam_plus_plus(activation: Array, gradient: Array) -> Array:
    """Grad-CAM++ (Chattopadhyay et al. 2018, arXiv 1710.11063). (N, C, h, w) twice -> (N, h, w).

    Eq. 19 for a score behind an exponential: alpha = g^2 / (2 g^2 + sum_ab A_ab g^3); eq. 5: w_k = sum alpha ReLU(g).
    Where g is 0, so is alpha. `TINY`, which the paper lacks, counts where g^2 is about as small: with the shipped
    network it changes heatmaps of the sample's faces by up to 0.06 on its 6x6 grid, and 0.3 on 12x12, at 96 pixels.
    """
    total = activation.sum(axis=(2, 3), keepdims=True)  # (N, C, 1, 1)
    squared = gradient**2
    alpha = squared / (2 * squared + total * squared * gradient + TINY)
    weights = (alpha * gradient.clip(min=0)).sum(axis=(2, 3), keepdims=True)
    return (weights * activation).sum(axis=1).clip(min=0)


def hires_cam(activation: Array, gradient: Array) -> Array:
    """HiResCAM (Draelos & Carin 2020, arXiv 2011.08891): ReLU(sum_k g^k A^k), cell by cell, no mean first."""
    return (gradient * activation).sum(axis=1).clip(min=0)


def attention_map(activation: Array, gradient: Array) -> Array:
    """Activation attention (Zagoruyko & Komodakis 2017, arXiv 1612.03928, section 3.1): sum_k |A^k|^2; no class."""
    return (activation**2).sum(axis=1)


EXPLAINERS: dict[str, Callable[[Array, Array], Array]] = {
    "gradcam": grad_cam,
    "gradcam++": grad_cam_plus_plus,
    "hirescam": hires_cam,
    "attention": attention_map,
}


@dataclass(frozen=True, eq=False)
class ForwardPass:
    """One pass of N inputs through a network; arrays from arrays, tensors from tensors.

    logits: (N, K) float32. activation: (N, C, h, w) float32, of the explained layer.
    size_hw: height and width in pixels of the inputs, and so of heatmaps.
    cells: where the layer's cells look, as for `enlarge`.
    """

    logits: Array
    activation: Array
    size_hw: tuple[int, int]
    cells: Cells

    @property
    def windows(self) -> Array | None:
        """(N, 4, 2) float32: the part of each input that a warping network saw (`Warp.window`); None for others."""
        return None

    def gradient(self, class_index: Array, score: Score | None = None) -> Array:
        """dy^c/dA (N, C, h, w) of the logits of the classes (N,) int64, or of `score` (`heatmaps`)."""
        raise NotImplementedError

    def maps(self, class_index: Array, method: str, score: Score | None = None) -> Array:
        """(N, h, w) float32, 0 and more: what the explainer makes of the classes (N,) int64, cell by cell."""
        return EXPLAINERS[method](self.activation, self.gradient(class_index, score))

    def heatmaps(
        self, class_index: int | Array | None = None, method: str = "gradcam", *, score: Score | None = None
    ) -> Array:
        """(N, *size_hw) float32 in [0, 1]; a map that is zero everywhere stays zero.

        Each is divided by its highest cell, then enlarged: where that cell looks between pixels, none has quite 1.

        class_index: the class to explain, one for all rows or (N,) int64; left out: each row's highest logit.
        method: a key of `EXPLAINERS`.
        score: what to explain in the place of a class: logits (N, K) -> (N,), such as a difference of two classes.
        Raises KeyError for an unknown method, IndexError for a class out of range, `UserError` where the network gives
        NaN or infinity, or `score` is asked of a pass without autograd.
        """
        maps = self.maps(self.class_indices(class_index), method, score)
        if not (_finite(self.logits) and _finite(maps)):
            raise UserError(
                "the network gives NaN or infinity, which explain nothing: its weights are damaged, its training "
                "diverged, or its numbers are too large for their format; load other weights, or use float32."
            )
        return enlarge(to_unit_range(maps), self.size_hw, self.cells)

    def class_indices(self, class_index: int | Array | None = None) -> Array:
        """(N,) int64: `class_index` for each row; left out: each row's highest logit."""
        highest = self.logits.argmax(1)
        if class_index is None:
            return highest
        index = highest * 0 + (class_index if isinstance(class_index, int) else _like(class_index, highest))
        classes = self.logits.shape[1]
        if len(index) and not 0 <= int(index.min()) <= int(index.max()) < classes:
            raise IndexError(f"class_index must lie in 0 to {classes - 1}, got {index.tolist()}")
        return index


@dataclass(frozen=True, eq=False)
class PooledPass(ForwardPass):
    """A pass of a network that ends in a mean over the grid and one linear layer; arrays.

    There y^c = b_c + sum_k head_ck 1/Z sum_ij A_ij^k, so dy^c/dA_ij^k = head_ck / Z in each of the Z cells.

    head: (K, C) float32, the weight of the linear layer.
    """

    head: np.ndarray

    def gradient(self, class_index: Array, score: Score | None = None) -> Array:
        """As `ForwardPass.gradient`, without a backward pass."""
        if score is not None:
            raise UserError(
                "a score of one's own needs the network in torch (--engine torch); here only classes can be explained."
            )
        rows = self.head[class_index] / np.float32(np.prod(self.activation.shape[2:]))  # (N, C)
        return np.broadcast_to(rows[:, :, None, None], self.activation.shape)


@dataclass(frozen=True, eq=False)
class HookedPass(ForwardPass):
    """A pass through a torch network with a hook; tensors on its device.

    scores: `logits` as autograd knows them, hanging on `leaf`, which is what the layer gave.
    reshape: `leaf` -> `activation`, and its gradient -> that of `activation`; None where they are the same.
    theta: what the warping module gave (`Warp`), where there is a `warp`. Heatmaps are then brought back over the
        input, as high as they were; a peak that looks past the input's edge is lost, and such a map stays below 1.
    others: the same pass at further layers; heatmaps are the mean of them all.
    """

    scores: Tensor
    leaf: Tensor
    reshape: Reshape | None = None
    warp: Warp | None = None
    theta: Tensor | None = None
    others: tuple[HookedPass, ...] = ()

    @property
    def windows(self) -> Array | None:
        """As `ForwardPass.windows`."""
        return None if self.warp is None or self.theta is None else self.warp.window(self.theta)

    def gradient(self, class_index: Tensor, score: Score | None = None) -> Tensor:
        """As `ForwardPass.gradient`, by a backward pass through the layers above the activation."""
        import torch

        with torch.inference_mode(False), torch.enable_grad():
            y = score(self.scores) if score else self.scores.gather(1, class_index[:, None])  # before softmax
            if not isinstance(y, torch.Tensor) or y.numel() != len(self.scores):
                raise UserError(f"a score must give one number a row, {len(self.scores)} here, not {shape_of(y)}.")
            (gradient,) = torch.autograd.grad(y.sum(), self.leaf, retain_graph=True, allow_unused=True)
        if gradient is None:
            raise UserError("the score does not depend on the layer to explain; name a layer on the way to it.")
        return (self.reshape(gradient) if self.reshape else gradient).float()

    def heatmaps(
        self, class_index: int | Array | None = None, method: str = "gradcam", *, score: Score | None = None
    ) -> Array:
        """As `ForwardPass.heatmaps`; of several layers the mean."""
        import torch

        device = self.leaf.device.type
        with torch.inference_mode(False), torch.no_grad(), torch.autocast(device, enabled=False):
            heatmaps = super().heatmaps(class_index, method, score=score)
            if self.warp is not None and self.theta is not None:
                heatmaps = self.warp.to_input(heatmaps, self.theta)
            others = [other.heatmaps(class_index, method, score=score) for other in self.others]
            return torch.stack([heatmaps, *others]).mean(dim=0) if others else heatmaps


def hooked_forward(
    network: nn.Module,
    layer: Layer | Sequence[Layer],
    x: Tensor,
    *,
    cells: Cells | list[Cells] = None,
    warp: Warp | None = None,
    reshape: Reshape | None = None,
) -> HookedPass:
    """One forward pass in eval mode that can be explained afterwards.

    layer: a module of `network`, or its dotted name, whose output is (N, C, h, w); or several, whose maps are averaged.
    x: (N, C, H, W) float32 on the network's device; N may be 0.
    cells: where the layer's cells look, as for `enlarge`; of several layers a list. warp: for a network that warps its
        input.
    reshape: from what the layer gives to (N, C, h, w), where it gives something else: channels last
        (`lambda a: a.movedim(-1, 1)`), or tokens (`lambda a: a[:, 1:].unflatten(1, (14, 14)).movedim(-1, 1)`). It may
        only pick and reorder, because gradients go through it as activations do.
    Modes (of each module), hooks and gradients are afterwards what they were. Raises `UserError`, in a sentence, where
    there is no such layer, the pass does not use it just once, or its output is no grid over the input.
    """
    layers: list[Layer] = [layer] if isinstance(layer, str) or not isinstance(layer, Sequence) else list(layer)
    places = cells if isinstance(cells, list) else [cells] * len(layers)
    if not layers or len(places) != len(layers):
        raise UserError(f"wanted one layer or more, and cells for each, not {len(layers)} and {len(places)}.")
    names = [layer_name(network, one) for one in layers]
    scores, leaves, theta = forward_with_leaves(network, names, x, keep=warp.module if warp else "")
    size_hw = (x.shape[-2], x.shape[-1])
    first, *others = (
        HookedPass(
            logits=scores.detach().float(),
            activation=grid_of(leaves, name, reshape=reshape, size_hw=None if warp else size_hw),
            size_hw=size_hw,
            cells=place,
            scores=scores,
            leaf=leaves[name],
            reshape=reshape,
            warp=warp,
            theta=theta,
        )
        for name, place in zip(names, places, strict=True)
    )
    return dataclasses.replace(first, others=tuple(others))


def _finite(values: Array) -> bool:
    """Are all numbers of an array or a tensor finite?"""
    return bool(np.isfinite(values).all() if isinstance(values, np.ndarray) else values.isfinite().all())


def _like(values: Array, other: Array) -> Array:
    """`values` as an array or a tensor, as `other` is, on its device."""
    if isinstance(other, np.ndarray):
        return np.asarray(values)
    return values.to(other) if hasattr(values, "to") else other.new_tensor(np.asarray(values))
