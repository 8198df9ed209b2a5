"""Deep-Emotion (Minaee & Abdolrashidi 2019, arXiv 1902.01019): a spatial transformer before a small network.

In:  (N, 1, 48, 48) float32, standardised grey; no other size fits the linear layers.
Out: logits (N, K); and the mapping from the warped grid, on which the features and their heatmaps lie, to the crop's
     (`ModelSpec.warp`).

Layers and sizes are those of the public PyTorch version (github.com/omarsayed7/Deep-Emotion). Dropout is a module
here, so that it rests in eval mode. The paper's L2 penalty on the linear weights is the training's weight decay.

The geometry. theta = [A | t], 2x3, is Jaderberg et al. 2015 (arXiv 1506.02025, eq. 1): the warped picture at p takes
the crop's value at q = A p + t. p and q are (x, y) with -1 and 1 at the outer edges of the first and the last pixel,
so pixel j of S has its centre at (2 j + 1) / S - 1 (`align_corners=False`). Hence
- the network sees the crop through the parallelogram onto which A p + t takes the square [-1, 1]^2;
- a heatmap h over the warped grid is h(A^-1 (q - t)) over the crop's, and 0 outside that parallelogram.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gradcam import Warp
from models.preprocess import Preprocess
from models.spec import ModelSpec

SIZE = 48  # pixels a side
CORNERS_XY1 = ((-1.0, -1.0, 1.0), (1.0, -1.0, 1.0), (1.0, 1.0, 1.0), (-1.0, 1.0, 1.0))  # clockwise from top left


class SpatialTransformer(nn.Module):
    """Reads an affine transform off a picture and warps the picture with it (Jaderberg et al. 2015, section 3)."""

    def __init__(self) -> None:
        super().__init__()
        to_theta = nn.Linear(32, 6)
        self.localisation = nn.Sequential(
            nn.Conv2d(1, 8, 7),
            nn.MaxPool2d(2),
            nn.ReLU(),
            nn.Conv2d(8, 10, 5),
            nn.MaxPool2d(2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(640, 32),
            nn.ReLU(),
            to_theta,
        )
        nn.init.zeros_(to_theta.weight)  # with the bias: every picture starts at the identity
        with torch.no_grad():
            to_theta.bias.copy_(torch.tensor([1.0, 0.0, 0.0, 0.0, 1.0, 0.0]))

    def forward(self, x: Tensor) -> Tensor:
        q = at_pixels(self.localisation(x).unflatten(1, (2, 3)))  # (N, 48, 48, 2)
        return F.grid_sample(x, q, align_corners=False)  # (N, 1, 48, 48); outside the crop 0, the picture's mean grey


class DeepEmotion(nn.Module):
    """Spatial transformer, four convolutions of ten channels, two linear layers."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.transformer = SpatialTransformer()
        self.features = nn.Sequential(
            nn.Conv2d(1, 10, 3),
            nn.ReLU(),
            nn.Conv2d(10, 10, 3),
            nn.MaxPool2d(2),
            nn.ReLU(),
            nn.Conv2d(10, 10, 3),
            nn.ReLU(),
            nn.Conv2d(10, 10, 3),
            nn.BatchNorm2d(10),
            nn.MaxPool2d(2),
            nn.ReLU(),
        )
        self.dropout = nn.Dropout(0.5)
        self.fc1 = nn.Linear(810, 50)
        self.relu = nn.ReLU()
        self.fc2 = nn.Linear(50, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.transformer(x)  # (N, 1, 48, 48)
        x = self.features(x)  # (N, 10, 9, 9)
        x = self.dropout(x).flatten(1)  # (N, 810)
        return self.fc2(self.relu(self.fc1(x)))


def attended_window(theta: Tensor) -> Tensor:
    """Corners (N, 4, 2) of what the features see of each crop: xy in pixels, whose centres are at .0, clockwise from
    the warped picture's top left. A corner outside the crop lies outside [-0.5, 47.5].

    theta: (N, 6) or (N, 2, 3), as `SpatialTransformer.localisation` gives it.
    """
    corners = torch.tensor(CORNERS_XY1, device=theta.device, dtype=theta.dtype)  # (4, 3)
    q = corners @ theta.view(len(theta), 2, 3).transpose(1, 2)  # (N, 4, 2): A p + t
    return (q + 1) * (SIZE / 2) - 0.5


def to_crop_grid(heatmaps: Tensor, theta: Tensor) -> Tensor:
    """Heatmaps (N, h, w) over the warped grid -> (N, 48, 48) over the crop's, 0 where the features see nothing.

    h, w: any; the cells cover the warped picture. theta: (N, 6) or (N, 2, 3).
    """
    p = at_pixels(inverse_affine(theta.view(len(theta), 2, 3)))  # (N, 48, 48, 2)
    heat = F.grid_sample(heatmaps[:, None], p, padding_mode="border", align_corners=False)[:, 0]  # (N, 48, 48)
    return torch.where((p.abs() <= 1).all(dim=3), heat, 0.0)


def at_pixels(theta: Tensor) -> Tensor:
    """A p + t at the centre p of every pixel: (N, 2, 3) -> (N, 48, 48, 2) xy; F.affine_grid, but N may be 0."""
    centres = (2 * torch.arange(SIZE, device=theta.device, dtype=theta.dtype) + 1) / SIZE - 1  # (48,)
    y, x = torch.meshgrid(centres, centres, indexing="ij")
    pixels = torch.stack([x, y, torch.ones_like(x)], dim=2).flatten(0, 1)  # (48 * 48, 3)
    return (pixels @ theta.transpose(1, 2)).unflatten(1, (SIZE, SIZE))


def inverse_affine(theta: Tensor) -> Tensor:
    """[A | t] (N, 2, 3) -> [A^-1 | -A^-1 t] (N, 2, 3), by Cramer's rule; not finite where A has no inverse, which
    is where the parallelogram has no area: then no pixel lies in it, for no comparison with such a number holds."""
    a, b, c, d = theta[:, :, :2].flatten(1).unbind(dim=1)  # (N,) each
    adjugate = torch.stack([d, -b, -c, a], dim=1).unflatten(1, (2, 2))  # (N, 2, 2)
    inverse = adjugate / (a * d - b * c)[:, None, None]
    return torch.cat([inverse, -inverse @ theta[:, :, 2:]], dim=2)


MODELS = {
    "deep_emotion": ModelSpec(
        build=DeepEmotion,
        preprocess=Preprocess(size_hw=(SIZE, SIZE), channels=1),
        explain_layer="features",  # 9x9, on the warped grid
        cells=(7.5, 4),
        warp=Warp("transformer.localisation", to_input=to_crop_grid, window=attended_window),
        fixed_size=True,
    )
}
