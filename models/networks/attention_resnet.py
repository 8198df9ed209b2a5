"""ResNet-50 with attention: CBAM in every block, or BAM between the stages.

In:  (N, 3, h, w) float32, RGB standardised with ImageNet's mean and deviation; h = w = 224 by default, others fit.
Out: logits (N, K).

CBAM: Woo et al. 2018, arXiv 1807.06521. BAM: Park et al. 2018, arXiv 1807.06514. The trunk is torchvision's; gates,
their batch norms and their places are those of the authors' github.com/Jongchan/attention-module.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from models.networks.torchvision_zoo import IMAGENET
from models.spec import ModelSpec

REDUCTION = 16  # r in both papers
DILATION = 4  # d in BAM


class CBAM(nn.Module):
    """Convolutional Block Attention Module: F' = M_c(F) * F, F'' = M_s(F') * F' (eq. 1)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(channels, channels // REDUCTION), nn.ReLU(), nn.Linear(channels // REDUCTION, channels)
        )
        self.spatial = nn.Sequential(nn.Conv2d(2, 1, 7, padding=3, bias=False), nn.BatchNorm2d(1, momentum=0.01))

    def forward(self, x: Tensor) -> Tensor:
        # Eq. 2: M_c = sigmoid(MLP(AvgPool(F)) + MLP(MaxPool(F)))
        channel = self.mlp(x.mean(dim=(2, 3))) + self.mlp(x.amax(dim=(2, 3)))  # (N, C)
        x = x * channel.sigmoid()[:, :, None, None]
        # Eq. 3: M_s = sigmoid(conv7x7([AvgPool(F'); MaxPool(F')])), pooled over channels; the authors' code: max first
        pooled = torch.stack([x.amax(dim=1), x.mean(dim=1)], dim=1)  # (N, 2, h, w)
        return x * self.spatial(pooled).sigmoid()  # (N, 1, h, w) on (N, C, h, w)


class BAM(nn.Module):
    """Bottleneck Attention Module: F' = F + F * M(F) (eq. 1), M = sigmoid(M_c * M_s) as in the authors' code.

    The paper's eq. 2 adds the two branches; the code multiplies them.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        reduced = channels // REDUCTION
        self.channel = nn.Sequential(  # eq. 3
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(channels, reduced),
            nn.BatchNorm1d(reduced),
            nn.ReLU(),
            nn.Linear(reduced, channels),
        )
        self.spatial = nn.Sequential(  # eq. 4
            *_conv_bn_relu(channels, reduced, kernel=1, dilation=1),
            *_conv_bn_relu(reduced, reduced, kernel=3, dilation=DILATION),
            *_conv_bn_relu(reduced, reduced, kernel=3, dilation=DILATION),
            nn.Conv2d(reduced, 1, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        channel = self.channel(x)[:, :, None, None]  # (N, C, 1, 1)
        spatial = self.spatial(x)  # (N, 1, h, w)
        return x * (1 + (channel * spatial).sigmoid())


def _conv_bn_relu(channels_in: int, channels_out: int, *, kernel: int, dilation: int) -> tuple[nn.Module, ...]:
    """A convolution that keeps the grid, with the bias that the authors' code gives it."""
    padding = dilation * (kernel // 2)
    convolution = nn.Conv2d(channels_in, channels_out, kernel, padding=padding, dilation=dilation)
    return convolution, nn.BatchNorm2d(channels_out), nn.ReLU()


def cbam_resnet50(num_classes: int, *, weights: str | None = None) -> nn.Module:
    """CBAM on the residual of every block, before the shortcut is added (figure 3); `weights` for the trunk."""
    from torchvision.models import resnet50  # here, as in torchvision_zoo

    network = resnet50(weights=weights)
    for stage in (network.layer1, network.layer2, network.layer3, network.layer4):
        for block in stage:
            block.bn3 = nn.Sequential(block.bn3, CBAM(block.bn3.num_features))  # the shortcut is added to its output
    network.fc = nn.Linear(network.fc.in_features, num_classes)
    return network


def bam_resnet50(num_classes: int, *, weights: str | None = None) -> nn.Module:
    """BAM at each bottleneck, that is after the first three stages (section 3); `weights` for the trunk."""
    from torchvision.models import resnet50

    network = resnet50(weights=weights)
    network.layer1 = nn.Sequential(network.layer1, BAM(256))
    network.layer2 = nn.Sequential(network.layer2, BAM(512))
    network.layer3 = nn.Sequential(network.layer3, BAM(1024))
    network.fc = nn.Linear(network.fc.in_features, num_classes)
    return network


MODELS = {
    build.__name__: ModelSpec(
        build=build,
        preprocess=IMAGENET,
        explain_layer="layer4",  # 7x7
        cells=(0, 32),
        pretrained=partial(build, weights="DEFAULT"),
    )
    for build in (cbam_resnet50, bam_resnet50)
}
