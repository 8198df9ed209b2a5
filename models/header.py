"""Entries of a file's header, checked one by one: headers are JSON, which anyone can write.

In:  a JSON value, and what it should be.
Out: the value as that; ValueError, with the entry's name, where it is something else.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from support.emotions import LONGEST_NAME, is_name

LARGEST = 1e30  # well inside float32, which ends at 3.4e38


def number(
    value: Any, *, what: str, least: float = -math.inf, above: float = -math.inf, most: float = math.inf
) -> float:
    """A finite number from `least` to `most` and more than `above`."""
    fits = type(value) in (int, float) and abs(value) < LARGEST and least <= value <= most  # never so for NaN
    if not fits or value <= above:
        limits = f" above {above:g}" * math.isfinite(above) + f" of at least {least:g}" * math.isfinite(least)
        limits += f" and at most {most:g}" * math.isfinite(most)
        raise ValueError(f"{what} must be a finite number{limits}, not {value!r:.40}")
    return float(value)


def numbers(values: Any, count: int, *, what: str, least: float = -math.inf, above: float = -math.inf) -> tuple:
    """`count` numbers, each as `number` wants it."""
    if not isinstance(values, (list, tuple)) or len(values) != count:
        raise ValueError(f"{what} must be {count} numbers, not {values!r:.40}")
    return tuple(number(value, what=what, least=least, above=above) for value in values)


def whole(value: Any, *, what: str, within: tuple[int, int]) -> int:
    """A whole number within these bounds, both included."""
    if type(value) is not int or not within[0] <= value <= within[1]:
        raise ValueError(f"{what} must be a whole number from {within[0]} to {within[1]}, not {value!r:.40}")
    return value


def texts(values: Any, *, what: str) -> tuple[str, ...]:
    """At least one text, each as `is_name` wants it, and none twice."""
    if not isinstance(values, (list, tuple)) or not values or not all(map(is_name, values)):
        raise ValueError(f"{what} must be texts of 1 to {LONGEST_NAME} printable characters, not {values!r:.40}")
    if len(set(values)) < len(values):
        raise ValueError(f"{what} names {next(v for v in values if list(values).count(v) > 1)!r} twice")
    return tuple(values)


def mapping(value: Any, *, what: str) -> dict:
    """Values by name."""
    if not isinstance(value, dict):
        raise ValueError(f"{what} must be values by name, not {value!r:.40}")
    return dict(value)


def matrix(values: Any, *, what: str, rows: int) -> list[tuple]:
    """`rows` rows of numbers, each as long as the first."""
    if not isinstance(values, (list, tuple)) or len(values) != rows or not rows:
        raise ValueError(f"{what} must have {rows} rows, not {values!r:.40}")
    columns = len(values[0]) if isinstance(values[0], Sequence) else 1
    return [numbers(row, columns, what=f"a row of {what}") for row in values]
