"""ResNet-18 for 48-pixel faces (He et al. 2016, arXiv 1512.03385), the default live network.

In:  (N, 1, h, w) float32, standardised grey; h = w = 48 by default.
Out: logits (N, K).

What differs from the ImageNet network, and why:
- The stem is two 3x3 convolutions, the second with stride 2, and no pooling: at 48 pixels a 7x7 stride-2 convolution
  and a max-pool would throw the mouth corners away before the first block has seen them.
- The last stage keeps its stride at 1, so the last activation has 6x6 cells rather than 3x3: enough for a heatmap
  that tells an eyebrow from a mouth, and the layer stays next to the pooling, where Grad-CAM is cheapest.
- The widths are multiples of `width`, (1, 2, 4, 6): the fourth stage, on the third's grid, costs 2.4 times as
  much as the third; with a width of 8 it would cost 4 times as much.
"""

from __future__ import annotations

from functools import partial
from itertools import pairwise

from torch import Tensor, nn

from models.preprocess import Preprocess
from models.spec import ModelSpec

STAGE_WIDTHS = (1, 2, 4, 6)  # times the base width
STAGE_STRIDES = (1, 2, 2, 1)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with a shortcut around them (He et al. 2016, eq. 1 and 2, figure 5 left)."""

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels_out)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels_out)
        self.relu = nn.ReLU()
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or channels_in != channels_out:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels_in, channels_out, 1, stride, bias=False), nn.BatchNorm2d(channels_out)
            )

    def forward(self, x: Tensor) -> Tensor:
        residual = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(residual + self.shortcut(x))


def start_as_shortcuts(network: nn.Module) -> None:
    """Initialise convolutions as He et al. 2015, and each block as its shortcut (Goyal et al. 2017, section 5.1)."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, BasicBlock):
            nn.init.zeros_(module.bn2.weight)


class SmallResNet(nn.Module):
    """Stem, four stages of two blocks, mean over the grid, one linear layer."""

    def __init__(self, num_classes: int, *, width: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
        )
        widths = [width, *(multiple * width for multiple in STAGE_WIDTHS)]
        self.stages = nn.Sequential(
            *(
                nn.Sequential(BasicBlock(before, after, stride), BasicBlock(after, after, 1))
                for (before, after), stride in zip(pairwise(widths), STAGE_STRIDES, strict=True)
            )
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(0.2)
        self.fc = nn.Linear(widths[-1], num_classes)
        start_as_shortcuts(self)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)  # (N, w, 24, 24)
        x = self.stages(x)  # (N, 6w, 6, 6)
        x = self.pool(x).flatten(1)  # (N, 6w)
        return self.fc(self.dropout(x))


MODELS = {
    f"small_resnet18_w{width}": ModelSpec(
        build=partial(SmallResNet, width=width),
        preprocess=Preprocess(size_hw=(48, 48), channels=1),
        explain_layer="stages.3",
        cells=(0, 8),
    )
    for width in (32, 48, 64)
}
