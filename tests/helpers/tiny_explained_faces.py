"""A network whose reasons are known, and pictures for it: what the tests of evaluation/explanations/explained_faces.py and its users share."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from evaluation.explanations.explained_faces import ExplainedFaces, probabilities_of

CLASSES = ("red", "green")


class TwoColours(nn.Module):
    """Class 0 is how much of channel 0 there is, class 1 how much of channel 1: a blur of each, a mean, two weights."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(2, 2, 3, padding=1, bias=False), nn.ReLU())
        self.fc = nn.Linear(2, 2)
        self.features[0].weight.data.zero_()
        self.features[0].weight.data[0, 0] = self.features[0].weight.data[1, 1] = 1 / 9
        self.fc.weight.data = torch.tensor([[60.0, -20.0], [-20.0, 60.0]])
        self.fc.bias.data.zero_()

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.features(x).mean(dim=(2, 3)))


def tiny_explained_faces(count: int = 8, *, side: int = 16) -> ExplainedFaces:
    """`count` pictures with a 5x5 square of either colour in turn, some brighter; the network reads all rightly."""
    rng = np.random.default_rng(1)
    x = torch.zeros(count, 2, side, side)
    for row in range(count):
        top, left = rng.integers(1, side - 6, 2)
        x[row, row % 2, top : top + 5, left : left + 5] = rng.uniform(0.7, 1)
    pictures = (255 * x).byte().permute(0, 2, 3, 1).numpy()
    images = np.concatenate([pictures, np.zeros_like(pictures[..., :1])], axis=3)
    network = TwoColours().eval().requires_grad_(False)
    labels = torch.arange(count) % 2
    return ExplainedFaces(network, "features", False, CLASSES, images, x, probabilities_of(network, x), labels)
