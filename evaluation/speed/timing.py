"""What times, lags and memory readings add up to: pure functions of numbers.

In:  durations, moments on one clock, readings of memory.
Out: small dicts of plain values, as they stand in benchmark.json.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def spread(values: Sequence[float]) -> dict[str, float | int]:
    """Median, 95th percentile (between neighbours, linear) and count of one or more values, in their own unit."""
    median, p95 = np.percentile(values, (50, 95))
    return {"median": float(median), "p95": float(p95), "count": len(values)}


def rate(moments_s: Sequence[float]) -> float:
    """Frames a second between the first and the last of the rising `moments_s`; 0.0 for fewer than two."""
    if len(moments_s) < 2:
        return 0.0
    return float((len(moments_s) - 1) / (moments_s[-1] - moments_s[0]))


def lag(seen_s: Sequence[float], shown_s: Sequence[float]) -> dict[str, float]:
    """From frame in to annotated frame out, for two or more frames in the order they were shown; one clock for both.

    p50_ms, p95_ms: milliseconds. p50_frames, p95_frames: the same in frame times, one of which is the mean time
    between two frames shown (`frame_ms`). growth_ms: median of the last third minus median of the first, which stays
    near 0 where frames are dropped and not queued.
    """
    lags_ms = 1000 * np.subtract(shown_s, seen_s)
    p50, p95 = np.percentile(lags_ms, (50, 95))
    frame_ms = 1000 / rate(shown_s)
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
    """How much a quantity grew after frame `since`: (frame, value) readings -> a difference of medians.

    Median of the last fifth of the readings from `since` on, minus the median of their first fifth; None for fewer
    than two readings. Single readings jump with what the allocator happens to hold.
    """
    values = [value for frame, value in readings if frame >= since]
    if len(values) < 2:
        return None
    fifth = -(-len(values) // 5)
    return float(np.median(values[-fifth:]) - np.median(values[:fifth]))
