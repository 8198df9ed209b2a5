"""How a face moves: smoothed where it rests, followed where it moves, predicted where it is hidden.

In:  places at times.
Out: the same, smoothed (`OneEuroFilter`), or where a face would be by now (`Motion`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

VELOCITY_S = 0.15  # time constant over which a velocity is estimated
COAST_S = 0.8  # time constant with which a hidden face is taken to come to rest


@dataclass
class OneEuroFilter:
    """The 1-euro filter (Casiez et al. 2012): smooths strongly what stands still, hardly what moves.

    min_cutoff_hz: cut-off frequency at rest. beta: how much it rises with speed, in Hz for a unit a second.
    d_cutoff_hz: cut-off frequency of the filter that the speed goes through.
    """

    min_cutoff_hz: float = 1.0
    beta: float = 4.0
    d_cutoff_hz: float = 1.0
    value: np.ndarray | None = None
    speed: np.ndarray | float = 0.0

    def __call__(self, value: np.ndarray, *, passed_s: float, unit: float = 1.0) -> np.ndarray:
        """The smoothed value, `passed_s` after the one before; `unit` is what a speed of 1 is measured in (pixels)."""
        if self.value is None or passed_s <= 0:
            self.value = value.astype(np.float64) if self.value is None else self.value
            return self.value
        raw_speed = (value - self.value) / passed_s / unit
        self.speed = self.speed + smoothing_factor(self.d_cutoff_hz, passed_s) * (raw_speed - self.speed)
        cutoff_hz = self.min_cutoff_hz + self.beta * np.abs(self.speed)
        self.value = self.value + smoothing_factor(cutoff_hz, passed_s) * (value - self.value)
        return self.value


def smoothing_factor(cutoff_hz: np.ndarray | float, passed_s: float) -> np.ndarray | float:
    """Alpha, the share of a new value that an exponential filter takes (Casiez et al. 2012, equations 4 and 5)."""
    turn = 2 * np.pi * cutoff_hz * passed_s
    return turn / (turn + 1)


@dataclass
class Motion:
    """Centre (2,) and size of a face, pixels, when it was last seen, and its velocity (2,), pixels a second.

    The velocity is an exponential mean over `VELOCITY_S`. Out of sight it decays with the time constant `COAST_S`, so
    after t seconds the face is taken to be at x + v c (1 - exp(-t / c)): a head turns back sooner than it goes on.
    """

    centre_xy: np.ndarray
    size: float
    seen_s: float
    velocity_xy: np.ndarray = field(default_factory=lambda: np.zeros(2))

    def predict(self, time_s: float) -> np.ndarray:
        """The centre (2,) at a time after `seen_s`."""
        return self.centre_xy + self.velocity_xy * COAST_S * -np.expm1(-(time_s - self.seen_s) / COAST_S)

    def update(self, centre_xy: np.ndarray, size: float, time_s: float) -> None:
        """The face was seen there."""
        passed_s = time_s - self.seen_s
        if passed_s > 0:
            share = -np.expm1(-passed_s / VELOCITY_S)
            self.velocity_xy = self.velocity_xy + share * ((centre_xy - self.centre_xy) / passed_s - self.velocity_xy)
            self.centre_xy, self.size, self.seen_s = centre_xy, size, time_s
