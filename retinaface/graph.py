"""The detector's graph for ONNX Runtime: from frames to the numbers of every anchor in one call.

In:  the code of retinaface/network.py; no weights.
Out: a `Graph`: frames (N, H, W, 3) uint8 RGB -> scores (N, A), box offsets (N, A, 4), landmark offsets (N, A, 10).

`python -m pipeline.graphs` ships it.
"""

from __future__ import annotations

import torch
from torch import Tensor

from retinaface.network import MEAN_BGR, RetinaFaceNetwork
from support.onnx.graph import Graph
from support.onnx.tracing import weightless

OUTPUTS = ("scores", "boxes", "landmarks")
BLUE_GREEN_RED = [2, 1, 0]  # of RGB


class FramesToAnchors(RetinaFaceNetwork):
    """The network with what stands before and behind it, in the order that is fastest in ONNX Runtime.

    Channels are brought to the front while they are bytes: as floats that takes a third of the whole time.
    """

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(N, H, W, 3) uint8 RGB -> scores (N, A), box offsets (N, A, 4), landmark offsets (N, A, 10)."""
        pixels_bgr = frames.permute(0, 3, 1, 2)[:, BLUE_GREEN_RED].float()  # (N, 3, H, W)
        logits, boxes, landmarks = super().forward(pixels_bgr - torch.tensor(MEAN_BGR).view(1, 3, 1, 1))
        return logits.softmax(dim=-1)[..., 1], boxes, landmarks

    def answers(self, levels: list[Tensor]) -> tuple[Tensor, ...]:
        """As in `RetinaFaceNetwork`, whose heads ask for `len(x)`: to a tracer that is a number, for ever the same."""
        return tuple(
            torch.cat(
                [
                    head.conv1x1(level).permute(0, 2, 3, 1).flatten(1).unflatten(1, (-1, head.numbers))
                    for head, level in zip(heads, levels, strict=True)
                ],
                dim=1,
            )
            for heads in (self.ClassHead, self.BboxHead, self.LandmarkHead)
        )


def make_graph() -> Graph:
    """The graph of the network as its code is now."""
    frames = torch.randint(0, 256, (2, 90, 130, 3), dtype=torch.uint8)  # sides that no stride divides
    free = {0: "frames", 1: "height", 2: "width"}
    return weightless(FramesToAnchors(), frames, free=free, outputs=OUTPUTS, makers=[])
