"""Residual Masking Network (Pham et al. 2020, "Facial Expression Recognition Using Residual Masking Network", ICPR).

In:  (N, 3, 224, 224) float32, RGB in [0, 1] with no mean or deviation taken off; sides must be multiples of 32.
Out: logits (N, K).

A ResNet-34 (He et al. 2016) whose four stages are each weighted by a mask that a small U-Net (Ronneberger et al. 2015)
draws from the stage's own output. Depths, softmax and head as in the authors' `resmasking_dropout1`
(github.com/phamquiluan/ResidualMaskingNetwork).
"""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn

from models.networks.small_resnet import BasicBlock, start_as_shortcuts
from models.preprocess import Preprocess
from models.spec import ModelSpec

MASK_DEPTHS = (4, 3, 2, 1)  # one a stage: each ends at 7x7 for a picture of 224


class MaskingBlock(nn.Module):
    """Activation (N, C, h, w) -> mask (N, C, h, w), which sums to 1 over the channels of each cell.

    A U-Net of residual blocks: down, `depth` blocks that each double the channels, with a 2x2 max-pool between two;
    up, a 2x2 transposed convolution to half the channels, joined with what the way down had on that level.
    """

    def __init__(self, channels: int, depth: int) -> None:
        super().__init__()
        widths = [channels * 2**level for level in range(depth + 1)]
        self.pool = nn.MaxPool2d(2)
        self.down = nn.ModuleList(BasicBlock(narrow, wide, 1) for narrow, wide in pairwise(widths))
        self.enlarge = nn.ModuleList(_enlarge(wide, narrow) for narrow, wide in pairwise(widths[1:]))
        self.join = nn.ModuleList(BasicBlock(wide, narrow, 1) for narrow, wide in pairwise(widths[1:]))
        self.last = BasicBlock(widths[1], widths[0], 1)
        start_as_shortcuts(self)

    def forward(self, x: Tensor) -> Tensor:
        levels = [self.down[0](x)]  # (N, 2C, h, w)
        for block in self.down[1:]:
            levels.append(block(self.pool(levels[-1])))  # (N, 4C, h/2, w/2), (N, 8C, h/4, w/4), ...
        y = levels.pop()
        for enlarge, join, level in zip(reversed(self.enlarge), reversed(self.join), reversed(levels), strict=True):
            y = join(torch.cat([enlarge(y), level], dim=1))  # ..., (N, 4C, h/2, w/2), (N, 2C, h, w)
        return self.last(y).softmax(dim=1)


def _enlarge(channels_in: int, channels_out: int) -> nn.Sequential:
    """(N, channels_in, h, w) -> (N, channels_out, 2h, 2w)."""
    return nn.Sequential(
        nn.ConvTranspose2d(channels_in, channels_out, 2, stride=2), nn.BatchNorm2d(channels_out), nn.ReLU()
    )


class MaskedStage(nn.Module):
    """A stage of the trunk R and its mask M: x -> R(x) * (1 + M(R(x))), the paper's residual masking."""

    def __init__(self, stage: nn.Module, mask: MaskingBlock) -> None:
        super().__init__()
        self.stage = stage
        self.mask = mask

    def forward(self, x: Tensor) -> Tensor:
        x = self.stage(x)
        return x * (1 + self.mask(x))


class ResidualMaskingNetwork(nn.Module):
    """ResNet-34 with a mask on each stage; `weights` are torchvision's for that trunk, random where left out."""

    def __init__(self, num_classes: int, *, weights: str | None = None) -> None:
        from torchvision.models import resnet34  # here, as in torchvision_zoo

        super().__init__()
        trunk = resnet34(weights=weights)
        self.stem = nn.Sequential(trunk.conv1, trunk.bn1, trunk.relu, trunk.maxpool)
        trunk_stages = (trunk.layer1, trunk.layer2, trunk.layer3, trunk.layer4)
        self.stages = nn.Sequential(
            *(
                MaskedStage(stage, MaskingBlock(stage[-1].conv2.out_channels, depth))
                for stage, depth in zip(trunk_stages, MASK_DEPTHS, strict=True)
            )
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(0.4)
        self.fc = nn.Linear(512, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)  # (N, 64, 56, 56)
        x = self.stages(x)  # (N, 512, 7, 7), by way of 56, 28 and 14 cells a side
        x = self.pool(x).flatten(1)  # (N, 512)
        return self.fc(self.dropout(x))


MODELS = {
    "residual_masking": ModelSpec(
        build=ResidualMaskingNetwork,
        preprocess=Preprocess(size_hw=(224, 224), mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)),
        explain_layer="stages.3",  # 7x7
        cells=(0, 32),
        pretrained=partial(ResidualMaskingNetwork, weights="DEFAULT"),
        fixed_size=True,  # 3/4 and 7/8 of 224 are no multiples of 32
    )
}
