"""The kinds of hostile input, and one case of a kind by its number.

In:  the name of a kind and a number, which seed all that is random.
Out: an action that reads the input the way the programs do: it gives a result or raises `UserError`.

A kind is a function (rng, folder, shared) -> action: it writes its input into the empty `folder`; `shared` is a folder
for what is made once, such as a trained network.
"""

from __future__ import annotations

import importlib
import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from fuzz.hostile import Rng

MODULES = ("fuzz.media", "fuzz.weights", "fuzz.labels", "fuzz.configs", "fuzz.logs")
Action = Callable[[], object]
Make = Callable[[Rng, Path, Path], Action]


class Kind(NamedTuple):
    """`share`: how many of a hundred cases are of this kind."""

    make: Make
    share: float


def all_kinds() -> dict[str, Kind]:
    """Every kind, by name: those of `MODULES`, or of the module that a test of the fuzz names."""
    modules = [os.environ["FUZZ_KINDS"]] if "FUZZ_KINDS" in os.environ else MODULES
    return {name: kind for module in modules for name, kind in importlib.import_module(module).KINDS.items()}


def generator_of(kind: str, number: int) -> Rng:
    """The random numbers of a case."""
    return np.random.default_rng([zlib.crc32(kind.encode()), number])


def numbers_of(count: int) -> list[tuple[str, int]]:
    """`count` cases or a few more, (kind, number), of all kinds by their shares; a kind's numbers count from 0.

    Kinds take turns, so that any part of a run has tried all of them.
    """
    kinds = all_kinds()
    total = sum(kind.share for kind in kinds.values())
    numbers = {name: max(1, round(count * kind.share / total)) for name, kind in kinds.items()}
    cases = [(name, number) for name, most in numbers.items() for number in range(most)]
    return sorted(cases, key=lambda case: (case[1] + 0.5) / numbers[case[0]])
