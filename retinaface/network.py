"""The network of RetinaFace with MobileNet-0.25: pictures in, logits, boxes and landmarks of every anchor out.

In:  (N, 3, H, W) float32, BGR in [0, 255] less `MEAN_BGR`; any H and W.
Out: class logits (N, A, 2) [background, face], box offsets (N, A, 4), landmark offsets (N, A, 10), A anchors in the
     order of `anchors_for((H, W))`.

The backbone is MobileNet v1 at a quarter of its width (Howard et al. 2017, arXiv 1704.04861), then a feature pyramid
(Lin et al. 2017) and a context module for each level (Najibi et al. 2017, SSH, section 3.2). Attribute names follow
the public weights of biubug6/Pytorch_Retinaface, so that those load here strictly; 0.43 million parameters.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from retinaface.anchors import SIZES

MEAN_BGR = (104.0, 117.0, 123.0)  # ImageNet's mean, as the public weights were trained
RGB_TO_BGR = [2, 1, 0]
CHANNELS = 64  # of the pyramid and the context modules
LEAK = 0.1  # slope of the leaky ReLU below 0


def conv_norm(
    inputs: int, outputs: int, stride: int = 1, *, kernel: int = 3, leak: float | None = LEAK
) -> nn.Sequential:
    """Convolution, batch norm and, unless `leak` is None, a leaky ReLU."""
    layers = [nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False), nn.BatchNorm2d(outputs)]
    return nn.Sequential(*layers, *([] if leak is None else [nn.LeakyReLU(leak, inplace=True)]))


def separable(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """A depthwise 3x3 and a pointwise 1x1 convolution, each with batch norm and leaky ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, inputs, 3, stride, padding=1, groups=inputs, bias=False),
        nn.BatchNorm2d(inputs),
        nn.LeakyReLU(LEAK, inplace=True),
        *conv_norm(inputs, outputs, kernel=1),
    )


class MobileNetV1(nn.Module):
    """MobileNet-0.25 without its head: three activations, at strides 8, 16 and 32."""

    def __init__(self) -> None:
        super().__init__()
        self.stage1 = nn.Sequential(
            conv_norm(3, 8, 2),
            separable(8, 16),
            separable(16, 32, 2),
            separable(32, 32),
            separable(32, 64, 2),
            separable(64, 64),
        )
        self.stage2 = nn.Sequential(separable(64, 128, 2), *(separable(128, 128) for _ in range(5)))
        self.stage3 = nn.Sequential(separable(128, 256, 2), separable(256, 256))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        c3 = self.stage1(x)  # (N, 64, H/8, W/8)
        c4 = self.stage2(c3)  # (N, 128, H/16, W/16)
        return c3, c4, self.stage3(c4)  # (N, 256, H/32, W/32)


class FeaturePyramid(nn.Module):
    """Coarse levels are brought up and added to finer ones, so that small faces see their surroundings."""

    def __init__(self) -> None:
        super().__init__()
        self.output1 = conv_norm(64, CHANNELS, kernel=1)
        self.output2 = conv_norm(128, CHANNELS, kernel=1)
        self.output3 = conv_norm(256, CHANNELS, kernel=1)
        self.merge1 = conv_norm(CHANNELS, CHANNELS)
        self.merge2 = conv_norm(CHANNELS, CHANNELS)

    def forward(self, c3: Tensor, c4: Tensor, c5: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        p3, p4, p5 = self.output1(c3), self.output2(c4), self.output3(c5)
        p4 = self.merge2(p4 + F.interpolate(p5, size=p4.shape[-2:], mode="nearest"))
        p3 = self.merge1(p3 + F.interpolate(p4, size=p3.shape[-2:], mode="nearest"))
        return p3, p4, p5


class ContextModule(nn.Module):
    """SSH: views of 3x3, 5x5 and 7x7 beside each other, the larger ones made of stacked 3x3 convolutions."""

    def __init__(self) -> None:
        super().__init__()
        half, quarter = CHANNELS // 2, CHANNELS // 4
        self.conv3X3 = conv_norm(CHANNELS, half, leak=None)
        self.conv5X5_1 = conv_norm(CHANNELS, quarter)
        self.conv5X5_2 = conv_norm(quarter, quarter, leak=None)
        self.conv7X7_2 = conv_norm(quarter, quarter)
        self.conv7x7_3 = conv_norm(quarter, quarter, leak=None)

    def forward(self, x: Tensor) -> Tensor:
        shared = self.conv5X5_1(x)
        views = (self.conv3X3(x), self.conv5X5_2(shared), self.conv7x7_3(self.conv7X7_2(shared)))
        return F.relu(torch.cat(views, dim=1))  # (N, 64, h, w)


class Head(nn.Module):
    """A 1x1 convolution that gives `numbers` for each anchor of each cell."""

    def __init__(self, numbers: int, anchors: int) -> None:
        super().__init__()
        self.numbers = numbers
        self.conv1x1 = nn.Conv2d(CHANNELS, anchors * numbers, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        numbers = self.conv1x1(x).permute(0, 2, 3, 1).flatten(1)  # `len(x)` would be a constant to the export's tracer
        return numbers.unflatten(1, (-1, self.numbers))  # (N, h w anchors, numbers)


class RetinaFaceNetwork(nn.Module):
    """Backbone, pyramid, context and three heads a level."""

    def __init__(self) -> None:
        super().__init__()
        self.body = MobileNetV1()
        self.fpn = FeaturePyramid()
        self.ssh1, self.ssh2, self.ssh3 = ContextModule(), ContextModule(), ContextModule()
        self.ClassHead = nn.ModuleList(Head(2, len(sizes)) for sizes in SIZES)
        self.BboxHead = nn.ModuleList(Head(4, len(sizes)) for sizes in SIZES)
        self.LandmarkHead = nn.ModuleList(Head(10, len(sizes)) for sizes in SIZES)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.predict_heads(self.context(self.body(x)))

    def context(self, stages: tuple[Tensor, Tensor, Tensor]) -> list[Tensor]:
        """What the heads look at: (N, 64, h, w) at strides 8, 16 and 32, from the three activations of `body`."""
        pyramid = self.fpn(*stages)
        return [ssh(p) for ssh, p in zip((self.ssh1, self.ssh2, self.ssh3), pyramid, strict=True)]

    def predict_heads(self, levels: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """The heads' numbers for every anchor, from `context`."""
        logits, boxes, landmarks = (
            torch.cat([head(level) for head, level in zip(heads, levels, strict=True)], dim=1)
            for heads in (self.ClassHead, self.BboxHead, self.LandmarkHead)
        )
        return logits, boxes, landmarks


class FramesToAnchors(RetinaFaceNetwork):
    """The network with what stands before and behind it, in the order that is fastest in ONNX Runtime, for export.

    Channels are brought to the front while they are bytes: as floats that takes a third of the whole time.
    """

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(N, H, W, 3) uint8 RGB -> scores (N, A), box offsets (N, A, 4), landmark offsets (N, A, 10)."""
        pixels_bgr = frames.permute(0, 3, 1, 2)[:, RGB_TO_BGR].float()  # (N, 3, H, W)
        logits, boxes, landmarks = super().forward(pixels_bgr - torch.tensor(MEAN_BGR).view(1, 3, 1, 1))
        return logits.softmax(dim=-1)[..., 1], boxes, landmarks


def with_folded_norms(network: nn.Module) -> nn.Module:
    """`network`, changed in place: each batch norm goes into the convolution before it. For eval mode alone; the same
    answers for two thirds of the time."""
    for layers in [module for module in network.modules() if isinstance(module, nn.Sequential)]:
        for i, (layer, after) in enumerate(pairwise(layers)):
            if isinstance(layer, nn.Conv2d) and isinstance(after, nn.BatchNorm2d):
                layers[i], layers[i + 1] = fuse_conv_bn_eval(layer, after), nn.Identity()
    return network


def to_input(frames: Tensor) -> Tensor:
    """(N, H, W, 3) uint8 RGB -> (N, 3, H, W) float32, BGR less the mean, channels last in memory."""
    blue_green_red = zip(frames.float().unbind(-1)[::-1], MEAN_BGR, strict=True)
    bgr = torch.stack([values - mean for values, mean in blue_green_red], dim=-1)  # no tensor from the host: see Replay
    return bgr.permute(0, 3, 1, 2)  # a view: the memory stays channels last
