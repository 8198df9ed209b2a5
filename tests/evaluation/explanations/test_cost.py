"""Times of calls whose length is known: by a clock that only they move."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from evaluation.explanations import cost as module
from evaluation.explanations.cost import ALONE, WARM_UP, heat_cost


class Clockwork:
    """A classifier that takes 4 s for probabilities and 10 s for a heatmap, the first time much longer."""

    device, engine = "cpu", None

    def __init__(self) -> None:
        self.now, self.calls = 0.0, 0

    def probabilities(self, crops):
        self.now += 4 if self.calls else 1000

    def explained(self, crops, *, method):
        self.calls += 1
        self.now += 10


def test_times_and_ratios(monkeypatch):
    clockwork = Clockwork()
    monkeypatch.setattr(module.time, "perf_counter", lambda: clockwork.now)
    monkeypatch.setattr(module, "machine", dict)
    found = heat_cost(clockwork, np.zeros((5, 8, 8, 3), np.uint8), ["gradcam"], rounds=7)
    assert clockwork.calls == 7 + WARM_UP
    assert found["ms_a_face"][ALONE] == {"median": 800, "p95": 800, "count": 7}
    assert found["ms_a_face"]["gradcam"]["median"] == 2000  # 10 s over 5 faces
    assert found["ratio"] == {"gradcam": pytest.approx(2.5)}
    assert (found["faces"], found["rounds"], found["device"]) == (5, 7, "cpu")
    assert (found["engine"], found["torch_threads"]) == ("NoneType", torch.get_num_threads())
    assert "torch" in found["versions"]
