"""The maps of every class by every explainer, made where the network runs, so that they come back with the logits.

In:  a `gradcam.HookedPass` of N inputs, tensors on a device.
Out: a tensor (N, E, K, h, w): E explainers in the order of `gradcam.EXPLAINERS`, K classes, cells of the explained
     layer; an `AllMaps`, a `ForwardPass` on the host that takes its maps from that tensor.

Which class to explain is known only when the probabilities have come back; its gradient would then be a second trip to
the device. All maps are some kilobytes a face; their gradients cost only the layers above the explained one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gradcam import EXPLAINERS, ForwardPass, HookedPass
from support import UserError

if TYPE_CHECKING:  # torch is imported where it is used
    from torch import Tensor

    from gradcam import Array, Score


def all_maps(passed: HookedPass) -> Tensor:
    """(N, E, K, h, w) float32."""
    import torch

    rows, classes = passed.logits.shape
    numbers = [torch.full((rows,), number, device=passed.leaf.device) for number in range(classes)]
    with torch.inference_mode(False):
        gradients = torch.cat([passed.gradient(number) for number in numbers])  # (K N, C, h, w)
        activation = passed.activation.repeat(classes, 1, 1, 1)
        with torch.no_grad():
            maps = torch.stack([to_map(activation, gradients) for to_map in EXPLAINERS.values()])  # (E, K N, h, w)
    return maps.unflatten(1, (classes, rows)).permute(2, 0, 1, 3, 4)


@dataclass(frozen=True, eq=False)
class AllMaps(ForwardPass):
    """A pass of which all maps are known; arrays. activation: (N, E, K, h, w), as `all_maps` gives it."""

    def maps(self, class_index: Array, method: str, score: Score | None = None) -> Array:
        """As `ForwardPass.maps`."""
        if score is not None:
            raise UserError("a score of one's own needs the network's own pass (`gradcam.hooked_forward`).")
        explainer = {name: number for number, name in enumerate(EXPLAINERS)}[method]
        return self.activation[np.arange(len(class_index)), explainer, class_index]
