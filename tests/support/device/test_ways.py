"""The fastest way is taken if it is worth it and agrees, by a clock that each way moves by its own time."""

from __future__ import annotations

import numpy as np
import pytest

from support.device.ways import ROUNDS, WORTH, Ways, fastest

BATCH = np.zeros((8, 4), np.uint8)
VALUES = {"float32": 0.0, "bfloat16": 0.01, "wrong": 5.0}


def measured(**ms: float) -> tuple[str, str, list[str]]:
    """What `fastest` says of ways that take so long, and the order in which they ran."""
    now_s, ran = [0.0], []

    def run(name):
        def once(batch):
            assert batch is BATCH
            ran.append(name)
            now_s[0] += ms[name] / 1000 * (100 if len(ran) < 4 else 1)  # something else has the first round stall
            return [np.array([VALUES[name]])]

        return once

    ways = Ways("a network", "float32", {}, BATCH, lambda first, other: abs(first[0] - other[0]).max() < 0.1)
    return *fastest(ways, {name: run(name) for name in ms}, clock=lambda: now_s[0]), ran


def test_the_fastest_is_taken_and_every_time_is_said():
    best, sentence, ran = measured(float32=0.62, bfloat16=0.41)
    assert best == "bfloat16"
    assert sentence == "a network computes in bfloat16: a batch of 8 takes 0.62 ms in float32; 0.41 ms in bfloat16"
    assert ran == ["float32", "bfloat16"] * ROUNDS  # in turns


@pytest.mark.parametrize("ms", [{"float32": 0.4, "bfloat16": 0.5}, {"float32": 1.0, "bfloat16": WORTH + 0.01}])
def test_what_is_slower_or_hardly_faster_is_not_taken(ms):
    best, sentence, _ = measured(**ms)
    assert best == "float32"
    assert sentence.startswith("a network computes in float32: ")


def test_what_differs_too_much_is_not_taken_however_fast_it_is():
    best, sentence, _ = measured(float32=1.0, wrong=0.1, bfloat16=0.8)
    assert best == "bfloat16"
    assert "0.10 ms in wrong, which differs too much" in sentence
    assert measured(float32=1.0, wrong=0.1)[0] == "float32"
