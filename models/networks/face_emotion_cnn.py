"""Face_Emotion_CNN: the seven-convolution baseline of the FER2013 ONNX project.

In:  (N, 1, 48, 48) float32, standardised grey; no other size fits the classifier.
Out: logits (N, K).

After github.com/shangeth/Facial-Emotion-Recognition-PyTorch-ONNX, order of layers and dropout included; it ends in
logits where the original ends in their log-softmax.
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from models.preprocess import Preprocess
from models.spec import ModelSpec

WIDTHS = (1, 8, 16, 32, 64, 128, 256, 256)
POOL_STRIDES = (1, 1, 1, 1, 2, 2, 2)
DROPS = (False, True, False, True, False, True, True)
DROPOUT = 0.3


def _block(channels_in: int, channels_out: int, *, pool_stride: int, drops: bool) -> nn.Sequential:
    """3x3 convolution without padding, dropout, batch norm, 2x2 max-pool, ReLU."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 3),
        nn.Dropout(DROPOUT if drops else 0.0),
        nn.BatchNorm2d(channels_out),
        nn.MaxPool2d(2, pool_stride),
        nn.ReLU(),
    )


class FaceEmotionCNN(nn.Module):
    """Seven convolutions, then three linear layers."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *(
                _block(channels_in, channels_out, pool_stride=pool_stride, drops=drops)
                for (channels_in, channels_out), pool_stride, drops in zip(
                    pairwise(WIDTHS), POOL_STRIDES, DROPS, strict=True
                )
            )
        )
        self.classifier = nn.Sequential(
            nn.Linear(1024, 512),
            nn.ReLU(),
            nn.Dropout(DROPOUT),
            nn.Linear(512, 256),
            nn.ReLU(),
            nn.Dropout(DROPOUT),
            nn.Linear(256, num_classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.features(x)  # (N, 256, 2, 2), by way of 45, 42, 39, 36, 17 and 7 cells a side
        return self.classifier(x.flatten(1))


MODELS = {
    "face_emotion_cnn": ModelSpec(
        build=FaceEmotionCNN,
        preprocess=Preprocess(size_hw=(48, 48), channels=1),
        explain_layer="features.5",  # 7x7; the last block has 2x2
        cells=(10.5, 4),
        fixed_size=True,
    )
}
