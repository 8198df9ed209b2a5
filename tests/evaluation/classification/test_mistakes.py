"""The most confident mistakes of a network."""

from __future__ import annotations

import numpy as np
import pytest

from data.face_set import FaceSet
from evaluation.classification.mistakes import mistakes_figure
from evaluation.classification.scores import Evaluation


def grey(level: int, *, size_hw: tuple[int, int] = (6, 6)) -> np.ndarray:
    return np.full((*size_hw, 3), level, np.uint8)


def levels(figure) -> list[int]:
    """The grey level of each picture's first pixel, in the order of the sheet."""
    return [int(image.get_array()[0, 0, 0]) for image in figure.axes[0].images]


def captions(figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts[1:]]  # the first is the title


@pytest.fixture
def faces() -> FaceSet:
    labels = np.array([0, 1, 0, 1, 0])
    votes = np.array([[0.6, 0.4], [0.1, 0.9], [1, 0], [0, 1], [0.75, 0.25]], np.float32)
    return FaceSet([grey(10 * i) for i in range(5)], votes, labels, tuple("abcde"), ("joy", "fear"))


def test_the_most_confident_mistakes_come_first(faces):
    crowd = np.array([[0.3, 0.7], [0.2, 0.8], [0.1, 0.9], [0.55, 0.45], [0.9, 0.1]], np.float32)
    figure = mistakes_figure(Evaluation(faces, crowd, crowd, {}), count=2)
    assert levels(figure) == [20, 0]
    assert captions(figure) == ["network: fear 90%\nlabel: joy 100%", "network: fear 70%\nlabel: joy 60%"]
