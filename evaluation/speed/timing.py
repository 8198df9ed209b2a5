"""Statistics of times, lags and memory readings: pure functions of numbers.

In:  durations, moments on one clock, readings of memory.
Out: small dicts of plain values, as they stand in benchmark.json.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def spread(values: Sequence[float] | np.ndarray) -> dict[str, float]:
    """Median, 95th percentile (linear interpolation) and count of one or more values, in their own unit."""
    median, p95 = np.percentile(values, (50, 95))
    return {"median": float(median), "p95": float(p95), "count": len(values)}


def rate(moments_s: Sequence[float] | np.ndarray) -> float:
    """Frames a second between the first and the last of the rising `moments_s`; 0.0 for fewer than two."""
    if len(moments_s) < 2:
        return 0.0
    return float((len(moments_s) - 1) / (moments_s[-1] - moments_s[0]))


def lag(arrived_s: Sequence[float] | np.ndarray, done_s: Sequence[float] | np.ndarray) -> dict[str, float]:
    """From arrival to annotated picture, of two or more frames in the order they were done; one clock for both.

    p50_ms, p95_ms: milliseconds. p50_frames, p95_frames: the same in units of `frame_ms`, the mean time between two
    frames done. growth_ms: median of the last third minus median of the first third, which stays near 0 where frames
    are dropped and not queued.
    """
    lags_ms = 1000 * np.subtract(done_s, arrived_s)
    p50, p95 = np.percentile(lags_ms, (50, 95))
    frame_ms = 1000 / rate(done_s)
    third = -(-len(lags_ms) // 3)
    return {
        "p50_ms": float(p50),
        "p95_ms": float(p95),
        "frame_ms": frame_ms,
        "p50_frames": float(p50 / frame_ms),
        "p95_frames": float(p95 / frame_ms),
        "growth_ms": float(np.median(lags_ms[-third:]) - np.median(lags_ms[:third])),
    }


def growth(readings: Sequence[tuple[int, float]], *, since: int) -> float | None:
    """How much a quantity grew after frame `since`; readings: (frame, value), in order.

    Median of the last fifth of the readings from `since` on, minus the median of their first fifth; None for fewer
    than two readings. Medians, because single readings depend on what the allocator happens to hold.
    """
    values = [value for frame, value in readings if frame >= since]
    if len(values) < 2:
        return None
    fifth = -(-len(values) // 5)
    return float(np.median(values[-fifth:]) - np.median(values[:fifth]))
