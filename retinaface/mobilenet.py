"""The network of the public RetinaFace weights, with MobileNet-0.25: pictures in; logits, boxes and landmarks out.

In:  (N, 3, H, W) float32, BGR less `MEAN_BGR`, as `MobileNetRetinaFace.to_input` gives it; any H and W.
Out: as of `retinaface.network`: logits (N, A), boxes (N, A, 4) xyxy, landmarks (N, A, 5, 2), in pixels of the picture.

The backbone is MobileNet v1 at a quarter of its width (Howard et al. 2017, arXiv 1704.04861), then a feature pyramid
(Lin et al. 2017) and a context module for each level (Najibi et al. 2017, SSH, section 3.3). Attribute names follow
the public weights of biubug6/Pytorch_Retinaface, so that those load here strictly; 0.43 million parameters.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from retinaface.anchors import ANCHORS, SIZES, STRIDES
from retinaface.network import Outputs

MEAN_BGR = (104.0, 117.0, 123.0)  # ImageNet's mean, as the public weights were trained
CHANNELS = 64  # of the pyramid and the context modules
LEAK = 0.1  # slope of the leaky ReLU below 0
CENTRE_VARIANCE, SIZE_VARIANCE = 0.1, 0.2  # offsets are divided by these in training


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

    def __init__(self, numbers: int) -> None:
        super().__init__()
        self.numbers = numbers
        self.conv1x1 = nn.Conv2d(CHANNELS, ANCHORS * numbers, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv1x1(x).permute(0, 2, 3, 1).unflatten(-1, (ANCHORS, self.numbers))  # (N, h, w, 2, numbers)


class MobileNetRetinaFace(nn.Module):
    """Backbone, pyramid, context and three heads a level."""

    mean: Tensor
    sizes: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(MEAN_BGR).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("sizes", torch.tensor(SIZES, dtype=torch.float32), persistent=False)  # (levels, 2)
        self.body = MobileNetV1()
        self.fpn = FeaturePyramid()
        self.ssh1, self.ssh2, self.ssh3 = ContextModule(), ContextModule(), ContextModule()
        self.ClassHead = nn.ModuleList(Head(2) for _ in STRIDES)
        self.BboxHead = nn.ModuleList(Head(4) for _ in STRIDES)
        self.LandmarkHead = nn.ModuleList(Head(10) for _ in STRIDES)

    def forward(self, x: Tensor) -> Outputs:
        pyramid = self.fpn(*self.body(x))
        parts = []
        for i, (ssh, level) in enumerate(zip((self.ssh1, self.ssh2, self.ssh3), pyramid, strict=True)):
            seen = ssh(level)
            background, face = self.ClassHead[i](seen).unbind(-1)
            grid = centres(seen, STRIDES[i])
            boxes, landmarks = decode(self.BboxHead[i](seen), self.LandmarkHead[i](seen), grid, self.sizes[i])
            parts.append(((face - background).flatten(1), boxes.flatten(1, 3), landmarks.flatten(1, 3)))
        logits, boxes, landmarks = (torch.cat(levels, dim=1) for levels in zip(*parts, strict=True))
        return logits, boxes, landmarks

    def to_input(self, frames: Tensor) -> Tensor:
        """(N, H, W, 3) uint8 RGB -> (N, 3, H, W) float32, BGR less the mean."""
        return frames.permute(0, 3, 1, 2).flip(1).float() - self.mean


def centres(level: Tensor, stride: int) -> Tensor:
    """(h, w, 1, 2) float32: x and y, in pixels of the picture, of the middles of the cells of a level (N, C, h, w)."""
    y, x = ((torch.arange(level.shape[axis], device=level.device) + 0.5) * stride for axis in (2, 3))
    return torch.stack([x + 0 * y[:, None], y[:, None] + 0 * x], dim=-1)[:, :, None]


def decode(offsets: Tensor, steps: Tensor, centre: Tensor, sizes: Tensor) -> tuple[Tensor, Tensor]:
    """Boxes (N, h, w, 2, 4) xyxy and landmarks (N, h, w, 2, 5, 2) of one level, in pixels.

    offsets (N, h, w, 2, 4), steps (N, h, w, 2, 10): on square anchors of `sizes` (2,) around `centre` (h, w, 1, 2) (Ren
    et al. 2015, equation 2, with variances).
    """
    side = sizes[:, None]
    middle = centre + offsets[..., :2] * CENTRE_VARIANCE * side
    half = side * (offsets[..., 2:] * SIZE_VARIANCE).exp() / 2
    landmarks = centre[..., None, :] + steps.unflatten(-1, (5, 2)) * CENTRE_VARIANCE * side[:, None]
    return torch.cat([middle - half, middle + half], dim=-1), landmarks
