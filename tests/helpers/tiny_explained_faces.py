"""A network that is known to use colour, and pictures for it: what the tests of evaluation/explanations share.

In:  a number of pictures.
Out: `ExplainedFaces` of two classes, all classified correctly.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from evaluation.explanations.explained_faces import ExplainedFaces, probabilities_of
from models.preprocess import Preprocess
from models.spec import ModelSpec

CLASSES = ("red", "green")


class TwoColours(nn.Module):
    """Class 0 is how much of channel 0 there is, class 1 how much of channel 1: a blur of each, a mean, two weights."""

    def __init__(self) -> None:
        super().__init__()
        blur = nn.Conv2d(2, 2, 3, padding=1, bias=False)
        blur.weight.data.zero_()
        blur.weight.data[0, 0] = blur.weight.data[1, 1] = 1 / 9
        self.features = nn.Sequential(blur, nn.ReLU())
        self.fc = nn.Linear(2, 2)
        self.fc.weight.data = torch.tensor([[60.0, -20.0], [-20.0, 60.0]])
        self.fc.bias.data.zero_()

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.features(x).mean(dim=(2, 3)))


def tiny_explained_faces(count: int = 8, *, side: int = 16) -> ExplainedFaces:
    """`count` pictures with a 5x5 square of either colour in turn, some brighter."""
    rng = np.random.default_rng(1)
    x = torch.zeros(count, 2, side, side)
    for row in range(count):
        top, left = rng.integers(1, side - 6, 2)
        x[row, row % 2, top : top + 5, left : left + 5] = rng.uniform(0.7, 1)
    pictures = (255 * x).byte().permute(0, 2, 3, 1).numpy()
    network = TwoColours().eval().requires_grad_(False)
    return ExplainedFaces(
        network=network,
        spec=ModelSpec(lambda classes: TwoColours(), Preprocess((side, side)), explain_layer="features", cells=(0, 1)),
        class_names=CLASSES,
        images=np.concatenate([pictures, np.zeros_like(pictures[..., :1])], axis=3),
        x=x,
        probabilities=probabilities_of(network, x),
        labels=torch.arange(count) % 2,
    )
