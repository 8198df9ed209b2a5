"""The network: pictures in; logits, boxes and landmarks of every anchor out.

In:  (N, 3, H, W) float32, RGB, as `RetinaFaceNetwork.to_input` gives it; any H and W.
Out: logits (N, A), boxes (N, A, 4) xyxy and landmarks (N, A, 5, 2), both in pixels of the picture; A anchors in the
     order of `anchors_for((H, W))`.

RetinaFace (Deng et al. 2020): one stage, a feature pyramid, five landmarks beside each box. What stands where follows
Guo et al. 2021 (SCRFD, arXiv 2105.04714, sections 3.2 and 4): a backbone that is deepest at stride 32, a narrow pyramid
with a bottom-up path (Liu et al. 2018, PANet), two anchors a place at strides 8, 16 and 32, boxes as distances to their
four sides. 0.66 million parameters.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from retinaface.anchors import ANCHORS, STRIDES

STEM = 16  # channels at stride 2
STAGES = ((40, 2), (72, 3), (152, 2), (288, 6))  # channels and separable convolutions at strides 4, 8, 16 and 32
PYRAMID, HEAD = 24, 64  # channels
FIRST_LOGIT = -4.6  # of an untrained network: a score of 0.01, since few anchors are on a face (Lin et al. 2017)
FIRST_DISTANCES = (1.0, 2.0)  # of the two anchors of a place, to each side, in strides

NUMBERS = (ANCHORS, ANCHORS * 4, ANCHORS * 10)  # of a place: logits, sides, landmarks
# Of each of these numbers: its sign, and whether x and y of the place are added.
CHANNELS = (
    [(1.0, 0.0, 0.0)] * ANCHORS
    + [(-1.0, 1.0, 0.0), (-1.0, 0.0, 1.0), (1.0, 1.0, 0.0), (1.0, 0.0, 1.0)] * ANCHORS  # left, top, right, bottom
    + [(1.0, 1.0, 0.0), (1.0, 0.0, 1.0)] * 5 * ANCHORS
)

Outputs = tuple[Tensor, Tensor, Tensor]  # logits, boxes, landmarks


def conv_norm(inputs: int, outputs: int, stride: int = 1, *, kernel: int = 3, groups: int = 1) -> nn.Sequential:
    """Convolution, batch norm, ReLU."""
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


def separable(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """A depthwise 3x3 and a pointwise 1x1 convolution (Howard et al. 2017, MobileNet)."""
    return nn.Sequential(
        *conv_norm(inputs, inputs, stride, groups=inputs),
        *conv_norm(inputs, outputs, kernel=1),
    )


def conv3x3(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    """A convolution without norm or activation."""
    return nn.Conv2d(inputs, outputs, 3, stride, padding=1)


class Backbone(nn.Module):
    """Separable convolutions: three activations, at strides 8, 16 and 32."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(conv_norm(3, STEM, 2), separable(STEM, STEM))
        self.stages = nn.ModuleList()
        inputs = STEM
        for outputs, count in STAGES:
            rest = [separable(outputs, outputs) for _ in range(count - 1)]
            self.stages.append(nn.Sequential(separable(inputs, outputs, 2), *rest))
            inputs = outputs

    def forward(self, x: Tensor) -> list[Tensor]:
        x = self.stem(x)
        activations = []
        for stage in self.stages:
            x = stage(x)
            activations.append(x)
        return activations[1:]


class Pyramid(nn.Module):
    """Surroundings are brought down to the finer levels, then details up again to the coarser ones."""

    def __init__(self) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(nn.Conv2d(channels, PYRAMID, 1) for channels, _ in STAGES[1:])
        self.smooth = nn.ModuleList(conv3x3(PYRAMID, PYRAMID) for _ in STRIDES)
        self.down = nn.ModuleList(conv3x3(PYRAMID, PYRAMID, 2) for _ in STRIDES[1:])
        self.after = nn.ModuleList(conv3x3(PYRAMID, PYRAMID) for _ in STRIDES[1:])

    def forward(self, stages: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        p3, p4, p5 = (layer(stage) for layer, stage in zip(self.lateral, stages, strict=True))
        p4 = p4 + F.interpolate(p5, size=p4.shape[-2:], mode="nearest")
        p3 = p3 + F.interpolate(p4, size=p3.shape[-2:], mode="nearest")
        p3, p4, p5 = (layer(level) for layer, level in zip(self.smooth, (p3, p4, p5), strict=True))
        p4 = self.after[0](p4 + self.down[0](p3))
        return p3, p4, self.after[1](p5 + self.down[1](p4))  # (N, 24, h, w)


class Head(nn.Module):
    """The numbers of the two anchors of every place of one level, as logits, boxes and landmarks in pixels.

    The last convolution gives, an anchor, its logit, the distances from the place to the box's four sides, and the
    steps to the landmarks, both in strides. With odd kernels, padded by half, the place in column i looks at pixel
    i * stride and as far to both sides.
    """

    sign: Tensor
    x: Tensor
    y: Tensor

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.tower = nn.Sequential(separable(PYRAMID, HEAD), separable(HEAD, HEAD))
        self.out = conv3x3(HEAD, sum(NUMBERS))
        self.scale = nn.Parameter(torch.ones(()))  # of the distances at this level
        nn.init.normal_(self.out.weight, std=0.01)
        first = [torch.full((ANCHORS,), FIRST_LOGIT), torch.tensor(FIRST_DISTANCES).repeat_interleave(4)]
        with torch.no_grad():
            self.out.get_parameter("bias").copy_(torch.cat([*first, torch.zeros(ANCHORS * 10)]))
        # What the numbers are multiplied by, and whether the place's x and y are added to them: (30, 1, 1) each.
        sign, x, y = (torch.tensor(column)[:, None, None] for column in zip(*CHANNELS, strict=True))
        self.register_buffer("sign", sign, persistent=False)
        self.register_buffer("x", x, persistent=False)
        self.register_buffer("y", y, persistent=False)

    def forward(self, level: Tensor) -> Outputs:
        numbers = self.out(self.tower(level)).float()  # (N, 30, h, w)
        rows, columns = (torch.arange(level.shape[axis], device=level.device) * self.stride for axis in (2, 3))
        of_logits, of_sides, of_landmarks = self.sign.split(NUMBERS)
        gain = torch.cat([of_logits, of_sides * self.scale * self.stride, of_landmarks * self.stride])
        numbers = numbers * gain + (self.x * columns + self.y * rows[:, None])
        logits, boxes, landmarks = numbers.permute(0, 2, 3, 1).split(NUMBERS, dim=-1)  # (N, h, w, 2 or 8 or 20)
        boxes, landmarks = boxes.unflatten(-1, (ANCHORS, 4)), landmarks.unflatten(-1, (ANCHORS, 5, 2))
        return logits.flatten(1), boxes.flatten(1, 3), landmarks.flatten(1, 3)


class RetinaFaceNetwork(nn.Module):
    """Backbone, pyramid and a head a level."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone, self.pyramid = Backbone(), Pyramid()
        self.heads = nn.ModuleList(Head(stride) for stride in STRIDES)

    def forward(self, x: Tensor) -> Outputs:
        levels = self.pyramid(self.backbone(x))
        outputs = [head(level) for head, level in zip(self.heads, levels, strict=True)]
        logits, boxes, landmarks = (torch.cat(parts, dim=1) for parts in zip(*outputs, strict=True))
        return logits, boxes, landmarks

    @staticmethod
    def to_input(frames: Tensor) -> Tensor:
        """(N, H, W, 3) uint8 RGB -> (N, 3, H, W) float32 in [-127.5, 127.5], which the first batch norm scales.

        Channels are brought to the front while they are bytes: as floats that takes ONNX Runtime a third of its time.
        """
        return frames.permute(0, 3, 1, 2).float() - 127.5
