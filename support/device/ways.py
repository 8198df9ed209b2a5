"""Which of several ways to compute the same is the fastest on a device, of those that agree with the first.

In:  functions of a batch, by name; a batch to try them on; when results agree.
Out: the name of the one to take, and a sentence about what was measured.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

ROUNDS = 15  # batches of each way, in turns, so that what else runs meanwhile slows all of them down
WORTH = 0.95  # of the first one's time: what is hardly faster is not worth other numbers

Way = TypeVar("Way")
Results = list[np.ndarray]


@dataclass(frozen=True, eq=False)
class Ways(Generic[Way]):
    """What may be taken in the place of the first.

    what: what computes, such as "the detector on cuda", for the sentence. first: name of the way that is taken without
    a measurement.
    others: ways by name. batch: (N, ...) to try them on.
    agree: whether results of another way (its second argument) may stand for those of the first.
    """

    what: str
    first: str
    others: Mapping[str, Way]
    batch: np.ndarray
    agree: Callable[[Results, Results], bool]


def fastest(
    ways: Ways, runs: Mapping[str, Callable[[np.ndarray], Results]], *, clock: Callable[[], float]
) -> tuple[str, str]:
    """The name of the fastest of `runs` that agrees with `ways.first`, which is one of them; a sentence about it."""
    took_s: dict[str, list[float]] = {name: [] for name in runs}
    results: dict[str, Results] = {}
    for _ in range(ROUNDS):
        for name, run in runs.items():
            started_s = clock()
            results[name] = run(ways.batch)
            took_s[name].append(clock() - started_s)
    median_s = {name: statistics.median(times) for name, times in took_s.items()}
    agreeing = [name for name in runs if name == ways.first or ways.agree(results[ways.first], results[name])]
    best = min(agreeing, key=median_s.__getitem__)
    if median_s[best] > WORTH * median_s[ways.first]:
        best = ways.first
    words = [
        f"{1000 * took:.2f} ms in {name}" + ", which differs too much" * (name not in agreeing)
        for name, took in median_s.items()
    ]
    return best, f"{ways.what} computes in {best}: a batch of {len(ways.batch)} takes {'; '.join(words)}"
