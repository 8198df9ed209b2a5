"""Four convolutions, a mean and a linear layer: learns drawn faces in a minute on a CPU, for notebooks and first tries.

In:  (N, 1, h, w) float32, standardised grey, 48 x 48.
Out: logits (N, K).
"""

from __future__ import annotations

from torch import nn

from models.preprocess import Preprocess
from models.spec import ModelSpec

WIDTHS = (1, 24, 32, 48, 64)
STRIDES = (2, 1, 2, 1)


def build(classes: int) -> nn.Module:
    """The untrained network: 49,000 weights, 10 million multiply-adds a face."""
    layers: list[nn.Module] = []
    for channels_in, channels_out, stride in zip(WIDTHS[:-1], WIDTHS[1:], STRIDES, strict=True):
        convolution = nn.Conv2d(channels_in, channels_out, 3, stride=stride, padding=1, bias=False)
        layers.append(nn.Sequential(convolution, nn.BatchNorm2d(channels_out), nn.ReLU(inplace=True)))
    features = nn.Sequential(*layers)  # (N, 64, 12, 12)
    return nn.Sequential(features, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(WIDTHS[-1], classes))


MODELS = {"tiny_cnn": ModelSpec(build, Preprocess(size_hw=(48, 48), channels=1), explain_layer="0", cells=(0, 4))}
