"""Explainers: what a network looked at, from one forward pass and one gradient.

In:  a network, the dotted name of a layer, a batch (N, C, H, W) float32.
Out: a `ForwardPass`: logits (N, K) and the layer's activation. Heatmaps (N, H, W) float32 in [0, 1], 1 = most used for
     the class named, are asked of it afterwards, of any class and by any explainer.

`hooked_forward` is for every torch network. A forward hook lifts the layer's activation A out of the pass and puts a
leaf in its place, so the gradient of the class score reaches A and stops there: it costs only the layers above, whether
or not the weights are frozen. Rows do not meet in eval mode, so one gradient of the summed scores serves the batch.

`PooledPass` is for networks that end in a mean over the grid and one linear layer, wherever they ran: the gradient is
known without a backward pass. Both use the same explainers.

A new explainer is a function (activation, gradient) -> map, written for arrays and tensors alike, and a row in
`EXPLAINERS`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import cv2
import numpy as np

from support.resize import resizing

Cells: TypeAlias = tuple[float, float] | None  # (first, step): where a layer's cells look, see `enlarge`

if TYPE_CHECKING:  # torch is imported where it is used
    from torch import Tensor, nn

    Array: TypeAlias = Any  # np.ndarray or Tensor, which share the methods used

TINY = 1e-6  # under Grad-CAM++'s fraction; as large as in pytorch-grad-cam, for it shows where gradients are small
# (256, 1, 3) uint8, made once: applyColorMap would make it anew at each call
TURBO_RGB = cv2.applyColorMap(np.arange(256, dtype=np.uint8)[:, None], cv2.COLORMAP_TURBO)[..., ::-1].copy()


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
    Where g is 0, so is alpha.
    """
    total = activation.sum(axis=(2, 3), keepdims=True)  # (N, C, 1, 1)
    squared = gradient**2
    alpha = squared / (2 * squared + total * squared * gradient + TINY)
    weights = (alpha * gradient.clip(min=0)).sum(axis=(2, 3), keepdims=True)
    return (weights * activation).sum(axis=1).clip(min=0)


def hires_cam(activation: Array, gradient: Array) -> Array:
    """HiRes-CAM (Draelos & Carin 2020, arXiv 2011.08891, eq. 4): ReLU(sum_k g^k A^k), cell by cell, no mean first."""
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

    def gradient(self, class_index: Array) -> Array:
        """dy^c/dA (N, C, h, w) of the logits of the classes (N,) int64."""
        raise NotImplementedError

    def heatmaps(self, class_index: int | Array | None = None, method: str = "gradcam") -> Array:
        """(N, *size_hw) float32 in [0, 1], each divided by its maximum; a map that is zero everywhere stays zero.

        class_index: the class to explain, one for all rows or (N,) int64; left out: each row's highest logit.
        method: a key of `EXPLAINERS`.
        Raises KeyError for an unknown method, IndexError for a class out of range.
        """
        to_map = EXPLAINERS[method]
        gradient = self.gradient(self.class_indices(class_index))
        return enlarge(to_unit_range(to_map(self.activation, gradient)), self.size_hw, self.cells)

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

    def gradient(self, class_index: Array) -> Array:
        """As `ForwardPass.gradient`, without a backward pass."""
        rows = self.head[class_index] / np.float32(np.prod(self.activation.shape[2:]))  # (N, C)
        return np.broadcast_to(rows[:, :, None, None], self.activation.shape)


@dataclass(frozen=True, eq=False)
class HookedPass(ForwardPass):
    """A pass through a torch network with a hook; tensors on its device.

    scores: `logits` as autograd knows them, hanging on `activation`, which is a leaf.
    theta: what the warping module gave (`Warp`), where there is a `warp`. Heatmaps are then brought back over the
        input, as high as they were; a peak that looks past the input's edge is lost, and such a map stays below 1.
    """

    scores: Tensor
    warp: Warp | None = None
    theta: Tensor | None = None

    @property
    def windows(self) -> Array | None:
        """As `ForwardPass.windows`."""
        return None if self.warp is None or self.theta is None else self.warp.window(self.theta)

    def gradient(self, class_index: Tensor) -> Tensor:
        """As `ForwardPass.gradient`, by a backward pass through the layers above the activation."""
        import torch

        with torch.inference_mode(False), torch.enable_grad():
            score = self.scores.gather(1, class_index[:, None]).sum()  # y^c before softmax, rows summed
            return torch.autograd.grad(score, self.activation, retain_graph=True)[0]

    def heatmaps(self, class_index: int | Array | None = None, method: str = "gradcam") -> Array:
        """As `ForwardPass.heatmaps`."""
        import torch

        with torch.inference_mode(False), torch.no_grad():
            heatmaps = super().heatmaps(class_index, method)
            if self.warp is None or self.theta is None:
                return heatmaps
            return self.warp.to_input(heatmaps, self.theta)


def hooked_forward(
    network: nn.Module, layer: str, x: Tensor, *, cells: Cells = None, warp: Warp | None = None
) -> HookedPass:
    """One forward pass in eval mode that can be explained afterwards.

    layer: dotted name of a module of `network` whose output is (N, C, h, w).
    x: (N, C, H, W) float32 on the network's device; N may be 0.
    cells: where the layer's cells look, as for `enlarge`. warp: for a network that warps its input.
    The network's mode, hooks and gradients are afterwards what they were. Raises AttributeError for an unknown layer.
    """
    import torch

    lifted: list[Tensor] = []
    thetas: list[Tensor] = []

    def lift(module: nn.Module, inputs: tuple, output: Tensor) -> Tensor:
        lifted.append(output.detach().requires_grad_())
        return lifted[-1].clone()  # a layer above may work in place, which a leaf does not allow

    def keep_theta(module: nn.Module, inputs: tuple, output: Tensor) -> None:
        thetas.append(output.detach())

    was_training = network.training
    handles = [network.get_submodule(layer).register_forward_hook(lift)]
    try:
        if warp is not None:
            handles.append(network.get_submodule(warp.module).register_forward_hook(keep_theta))
        with torch.inference_mode(False), torch.enable_grad():
            scores = network.eval()(x.clone() if x.is_inference() else x)
    finally:
        for handle in handles:
            handle.remove()
        network.train(was_training)
    theta = thetas[-1] if thetas else None
    return HookedPass(scores.detach(), lifted[-1], (x.shape[-2], x.shape[-1]), cells, scores, warp, theta)


def _like(values: Array, other: Array) -> Array:
    """`values` as an array or a tensor, as `other` is, on its device."""
    return np.asarray(values) if isinstance(other, np.ndarray) else other.new_tensor(np.asarray(values))


def to_unit_range(maps: Array) -> Array:
    """(N, h, w) of 0 and more -> each divided by its own maximum; a map of zeros stays one."""
    highest = maps.max(axis=(1, 2), keepdims=True) if isinstance(maps, np.ndarray) else maps.amax((1, 2), keepdim=True)
    return maps / (highest + (highest == 0))


def enlarge(heatmaps: Array, size_hw: tuple[int, int], cells: Cells = None) -> Array:
    """(N, h, w) -> (N, *size_hw), linear between the centres of the cells, which lie over the input where they look.

    cells: (first, step): cell i looks at pixel first + i * step of the input; past the outermost cells the map stays
        level. None: the cells tile the input, as those of 2x2 poolings do. Strided convolutions with padding do not:
        their first cell looks at pixel 0, and tiles would lie half a cell too far right and down.
    """
    place = resizing if cells is None else functools.partial(_placing, *cells)
    rows, columns = (place(*sides) for sides in zip(heatmaps.shape[1:], size_hw, strict=True))
    if not isinstance(heatmaps, np.ndarray):
        rows, columns = heatmaps.new_tensor(rows), heatmaps.new_tensor(columns)
    return rows @ heatmaps @ columns.T


@functools.lru_cache(maxsize=64)
def _placing(first: float, step: float, inputs: int, outputs: int) -> np.ndarray:
    """(outputs, inputs) float32: how much of each cell is in each pixel; each row sums to 1."""
    at = ((np.arange(outputs) - first) / step).clip(0, inputs - 1)  # pixels, counted in cells
    return np.maximum(0, 1 - np.abs(at[:, None] - np.arange(inputs))).astype(np.float32)


def blend(image_rgb: np.ndarray, heatmap: np.ndarray, *, alpha: float = 0.5) -> np.ndarray:
    """The picture (H, W, 3) uint8 RGB under the heat (H, W) in [0, 1]; a new array.

    Heat is painted as strongly as it is high, up to `alpha`: what the network ignored keeps its own colours.
    """
    colour_rgb = cv2.applyColorMap(cv2.convertScaleAbs(heatmap, alpha=255), TURBO_RGB)
    strength = np.float32(alpha) * heatmap
    return cv2.blendLinear(image_rgb, colour_rgb, 1 - strength, strength)
