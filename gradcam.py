"""Explainers: what a network looked at, from one forward pass and one gradient.

In:  a network, the dotted name of a layer, a batch (N, C, H, W) float32, a class for each row.
Out: `Explanation`: logits (N, K) and heatmaps (N, H, W) float32 in [0, 1], 1 = most used for the class named.

A forward hook lifts the layer's activation A out of the pass and puts a leaf in its place, so the gradient of the
class score reaches A and stops there: it costs only the layers above, whether or not the weights are frozen. Rows do
not meet in eval mode, so one gradient of the summed scores serves the whole batch.

A new explainer is a function (activation, gradient) -> map, and a row in `EXPLAINERS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

TINY = 1e-7  # as in pytorch-grad-cam, so that figures compare
# (256, 1, 3) uint8, made once: applyColorMap would make it anew at each call
TURBO_RGB = cv2.applyColorMap(np.arange(256, dtype=np.uint8)[:, None], cv2.COLORMAP_TURBO)[..., ::-1].copy()


@dataclass(frozen=True, eq=False)
class Explanation:
    """logits (N, K) float32; heatmaps (N, H, W) float32 in [0, 1]; class_index (N,) int64: the class explained."""

    logits: Tensor
    heatmaps: Tensor
    class_index: Tensor


def grad_cam(activation: Tensor, gradient: Tensor) -> Tensor:
    """Grad-CAM (Selvaraju et al. 2017, arXiv 1610.02391). activation, gradient (N, C, h, w) -> map (N, h, w).

    Eq. 1: alpha_k = 1/Z sum_ij dy/dA_ij^k. Eq. 2: L = ReLU(sum_k alpha_k A^k).
    """
    weights = gradient.mean(dim=(2, 3), keepdim=True)  # (N, C, 1, 1)
    return (weights * activation).sum(dim=1).relu()


def grad_cam_plus_plus(activation: Tensor, gradient: Tensor) -> Tensor:
    """Grad-CAM++ (Chattopadhyay et al. 2018, arXiv 1710.11063). (N, C, h, w) twice -> (N, h, w).

    Eq. 19 for a score behind an exponential: alpha = g^2 / (2 g^2 + sum_ab A_ab g^3); eq. 5: w_k = sum alpha ReLU(g).
    """
    total = activation.sum(dim=(2, 3), keepdim=True)  # (N, C, 1, 1)
    alpha = gradient**2 / (2 * gradient**2 + total * gradient**3 + TINY)
    alpha = torch.where(gradient != 0, alpha, 0)
    weights = (alpha * gradient.relu()).sum(dim=(2, 3), keepdim=True)
    return (weights * activation).sum(dim=1).relu()


def hires_cam(activation: Tensor, gradient: Tensor) -> Tensor:
    """HiRes-CAM (Draelos & Carin 2020, arXiv 2011.08891, eq. 4): ReLU(sum_k g^k A^k), cell by cell, no mean first."""
    return (gradient * activation).sum(dim=1).relu()


def attention_map(activation: Tensor, gradient: Tensor) -> Tensor:
    """Activation attention (Zagoruyko & Komodakis 2017, arXiv 1612.03928, section 3.1): sum_k |A^k|^2; no class."""
    return activation.square().sum(dim=1)


EXPLAINERS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "gradcam": grad_cam,
    "gradcam++": grad_cam_plus_plus,
    "hirescam": hires_cam,
    "attention": attention_map,
}


def explain(
    network: nn.Module,
    layer: str,
    x: Tensor,
    *,
    class_index: int | Tensor | Callable[[Tensor], Tensor] | None = None,
    method: str = "gradcam",
) -> Explanation:
    """Logits and heatmaps of a batch in one pass.

    layer: dotted name of a module of `network` whose output is (N, C, h, w).
    x: (N, C, H, W) float32 on the network's device; N may be 0.
    class_index: the class to explain, one for all rows or (N,) int64, or a function that chooses them from the logits
        (N, K); left out: each row's highest logit.
    method: a key of `EXPLAINERS`.
    The network's mode, hooks and gradients are afterwards what they were. A map that is zero everywhere stays zero.
    Raises KeyError for an unknown method, AttributeError for an unknown layer, IndexError for a class out of range.
    """
    to_map = EXPLAINERS[method]
    with torch.inference_mode(False), torch.enable_grad():
        logits, activation = _forward(network, layer, x.clone() if x.is_inference() else x)
        if class_index is None:
            class_index = logits.argmax(dim=1)
        elif callable(class_index):
            class_index = class_index(logits.detach())
        index = torch.as_tensor(class_index, device=logits.device).expand(len(logits))
        score = logits.gather(1, _in_range(index, logits.shape[1])[:, None]).sum()  # y^c before softmax, rows summed
        (gradient,) = torch.autograd.grad(score, activation)
    heatmaps = to_unit_range(to_map(activation.detach(), gradient))
    return Explanation(logits.detach(), enlarge(heatmaps, x.shape[-2:]), index)


def _forward(network: nn.Module, layer: str, x: Tensor) -> tuple[Tensor, Tensor]:
    """Logits, and the activation of `layer` as a leaf that the logits hang on."""
    seen: list[Tensor] = []

    def lift(module: nn.Module, inputs: tuple, output: Tensor) -> Tensor:
        seen.append(output.detach().requires_grad_())
        return seen[-1].clone()  # a layer above may work in place, which a leaf does not allow

    was_training = network.training
    handle = network.get_submodule(layer).register_forward_hook(lift)
    try:
        logits = network.eval()(x)
    finally:
        handle.remove()
        network.train(was_training)
    return logits, seen[-1]


def _in_range(index: Tensor, classes: int) -> Tensor:
    if len(index) and not 0 <= int(index.min()) <= int(index.max()) < classes:
        raise IndexError(f"class_index must lie in 0 to {classes - 1}, got {index.tolist()}")
    return index


def to_unit_range(maps: Tensor) -> Tensor:
    """(N, h, w) of 0 and more -> each divided by its own maximum; a map of zeros stays one."""
    highest = maps.amax(dim=(1, 2), keepdim=True) if len(maps) else maps
    return torch.where(highest > 0, maps / highest.clamp(min=torch.finfo(maps.dtype).tiny), 0)


def enlarge(heatmaps: Tensor, size_hw: tuple[int, int]) -> Tensor:
    """(N, h, w) -> (N, *size_hw), bilinear: the cells of the layer laid over the input."""
    if not len(heatmaps):
        return heatmaps.new_empty((0, *size_hw))
    return F.interpolate(heatmaps[:, None], size=tuple(size_hw), mode="bilinear", align_corners=False)[:, 0]


def blend(image_rgb: np.ndarray, heatmap: np.ndarray, *, alpha: float = 0.5) -> np.ndarray:
    """The picture (H, W, 3) uint8 RGB under the heat (H, W) in [0, 1]; a new array.

    Heat is painted as strongly as it is high, up to `alpha`: what the network ignored keeps its own colours.
    """
    colour_rgb = cv2.applyColorMap(cv2.convertScaleAbs(heatmap, alpha=255), TURBO_RGB)
    strength = np.float32(alpha) * heatmap
    return cv2.blendLinear(image_rgb, colour_rgb, 1 - strength, strength)
