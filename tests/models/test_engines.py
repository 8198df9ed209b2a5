"""The engine without torch by hand; that both give the network's numbers is in test_classifier.py."""

from __future__ import annotations

import numpy as np
import pytest

from models.engines import OnnxEngine
from models.preprocess import Preprocess
from support.onnx.session import OnnxSession

HEAD = np.array([[1, -2], [3, 0.5]], np.float32)


class Session(OnnxSession):
    """Stands in for ONNX Runtime: one cell tells the mean of the left half, the other that of the right."""

    def __init__(self) -> None:
        self.rows = []

    def __call__(self, x):
        self.rows.append(len(x))
        halves = np.stack([x[..., :4].mean(axis=(1, 2, 3)), x[..., 4:].mean(axis=(1, 2, 3))], axis=1)
        activation = halves[:, None, None, :] * np.array([1, 0.5], np.float32).reshape(2, 1, 1)  # (N, 2, 1, 2)
        return [activation.mean(axis=(2, 3)) @ HEAD.T, activation]


@pytest.fixture
def engine() -> OnnxEngine:
    return OnnxEngine(Session(), Preprocess((8, 8), mean=(0.0,) * 3, std=(1.0,) * 3), HEAD)


def test_logits_and_heatmaps_by_hand_from_one_call(engine):
    crops = np.zeros((2, 8, 8, 3), np.uint8)
    crops[0, :, :4] = 255  # left white, right black; the other crop is black
    passed = engine.forward(crops)
    heatmaps = passed.heatmaps(np.array([1, 1]), "gradcam")
    # mean activation (1/2, 1/4): y_0 = 1/2 - 2/4, y_1 = 3/2 + 1/8; L = ReLU(3 A_0 + A_1 / 2), left cell only
    np.testing.assert_allclose(passed.logits, np.array([[0, 1.625], [0, 0]]))
    assert heatmaps.shape == (2, 8, 8)
    np.testing.assert_allclose(heatmaps[0, 0], [1, 1, 0.875, 0.625, 0.375, 0.125, 0, 0])
    assert not heatmaps[1].any()
    assert engine.session.rows == [2]
    np.testing.assert_allclose(engine.logits(crops), passed.logits)


def test_no_crops_need_no_run(engine):
    none = np.empty((0, 8, 8, 3), np.uint8)
    assert engine.logits(none).shape == (0, 2)
    passed = engine.forward(none)
    assert (passed.logits.shape, passed.heatmaps(method="gradcam++").shape) == ((0, 2), (0, 8, 8))
    assert engine.session.rows == []
