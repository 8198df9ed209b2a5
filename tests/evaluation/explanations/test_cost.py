"""The cost of heatmaps, by a clock that only the classifier advances."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from evaluation.explanations import cost
from evaluation.explanations.cost import ALONE, WARM_UP, explanation_cost


class TimedClassifier:
    """Takes 4 s for probabilities and 10 s for a pass with heatmaps, the first time much longer."""

    device, engine = "cpu", None

    def __init__(self) -> None:
        self.now, self.passes = 0.0, 0

    def probabilities(self, crops):
        self.now += 4 if self.passes else 1000

    def forward(self, crops):
        self.passes += 1
        self.now += 4
        return self

    def heatmaps(self, *, method):
        self.now += 6


def test_times_and_ratios(monkeypatch):
    classifier: Any = TimedClassifier()
    monkeypatch.setattr(cost, "machine", dict)
    crops = np.zeros((5, 8, 8, 3), np.uint8)
    found = explanation_cost(classifier, crops, ["gradcam"], rounds=7, clock=lambda: classifier.now)
    assert classifier.passes == 7 + WARM_UP
    assert found["ms_a_face"][ALONE] == {"median": 800, "p95": 800, "count": 7}
    assert found["ms_a_face"]["gradcam"]["median"] == 2000  # 10 s over 5 faces
    assert found["ratio"] == {"gradcam": pytest.approx(2.5)}
    assert (found["faces"], found["rounds"], found["device"]) == (5, 7, "cpu")
    assert (found["engine"], found["torch_threads"]) == ("NoneType", torch.get_num_threads())
    assert "torch" in found["versions"]
