"""The strongest moments of a class: where it was most probable, not all within one second.

In:  one probability after the other, each with where it was.
Out: a few `Moment`s, the strongest first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

MOST = 3  # moments kept of each class and person
APART_S = 2.0  # of two moments in one film


@dataclass(frozen=True)
class Moment:
    """time_s: in its film. name: that of a still. picture: a JPEG of the face, or None."""

    probability: float
    time_s: float
    name: str | None = None
    picture: bytes | None = None


class Strongest:
    """The `moments` of one class, strongest first: `MOST` at most, those of a film `APART_S` apart."""

    def __init__(self) -> None:
        self.moments: list[Moment] = []

    def offer(
        self, probability: float, time_s: float, *, name: str | None = None, picture: Callable[[], bytes] | None = None
    ) -> None:
        """Keep it where it is stronger than what it would displace; only then is `picture` asked for."""
        near = [m for m in self.moments if name is None and abs(m.time_s - time_s) < APART_S]
        rivals = near or self.moments[MOST - 1 :]
        if any(rival.probability >= probability for rival in rivals):
            return
        moment = Moment(probability, time_s, name, picture() if picture else None)
        kept = [m for m in self.moments if m not in near]
        self.moments = sorted([*kept, moment], key=lambda m: -m.probability)[:MOST]
