"""What a heatmap costs: milliseconds a face for probabilities alone, and with each explainer.

In:  a classifier, crops.
Out: medians and spreads, and the ratio to probabilities alone; they mean something on an idle machine only.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
import torch

from evaluation.speed.machine import machine, versions
from evaluation.speed.timing import spread
from models.classifier import Classifier

FACES = 5  # a batch
WARM_UP = 5  # rounds that do not count
ALONE = "probabilities"


def explanation_cost(
    classifier: Classifier,
    crops: np.ndarray,
    methods: Sequence[str],
    *,
    rounds: int,
    clock: Callable[[], float] = time.perf_counter,
) -> dict:
    """`ms_a_face` by name, "probabilities" and `methods`, and `ratio` of each method to probabilities alone.

    crops: (N, S, S, 3) uint8 RGB, one batch. Every round times each once, in turn, so that a change of the machine's
    speed affects all; a ratio is the median over rounds of the two times of one round. clock: in seconds.
    """

    def seconds_of(method: str) -> float:
        started = clock()
        if method == ALONE:
            classifier.probabilities(crops)
        else:
            classifier.forward(crops).heatmaps(method=method)  # an array, so a GPU has finished
        return clock() - started

    names = [ALONE, *methods]
    rows = [[seconds_of(name) for name in names] for _ in range(WARM_UP + rounds)][WARM_UP:]
    seconds = dict(zip(names, np.array(rows).T, strict=True))  # (rounds,) each
    return {
        "faces": len(crops),
        "rounds": rounds,
        "ms_a_face": {name: spread(1000 * times / len(crops)) for name, times in seconds.items()},
        "ratio": {method: float(np.median(seconds[method] / seconds[ALONE])) for method in methods},
        "engine": type(classifier.engine).__name__,
        "torch_threads": torch.get_num_threads(),
        "device": str(classifier.device),
        "machine": machine(),
        "versions": versions(),
    }
