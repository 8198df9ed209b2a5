"""The report's charts as inline SVG: who looked how at which time, and shares as bars.

In:  a person's `Timeline`, a share; colours (R, G, B).
Out: SVG text. Positions are attributes, never style attributes, which the page's security policy forbids.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from pipeline.drawing.text import Colour
from pipeline.output.report.timeline import BINS, Timeline, width_for
from pipeline.output.report.words import clock, safe

LEVELS = 200  # steps of a probability in a timeline
PLOT, AXIS = 132, 22  # pixels: heights of the plot and of the times below it
MOST_TICKS = 6
TICKS_S = (0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)


def hex_colour(colour: Colour) -> str:
    """#rrggbb."""
    return "#" + bytes(colour).hex()


def timeline_svg(
    timeline: Timeline,
    *,
    end: float,
    still: bool,
    colours: Sequence[Colour],
    title: str,
    description: str,
) -> str:
    """The mean probabilities of all classes over 0 to `end`, stacked; dark where the person was not seen.

    still: the axis counts pictures and no seconds.
    """
    starts, sums = regroup(timeline, end=end, most=BINS)
    width = starts[1] if len(starts) > 1 else end or 1.0
    seen = sums[:, 0] > 1e-9
    shares = sums[:, 1:] / np.where(seen, sums[:, 0], 1.0)[:, None]
    tops = (LEVELS * np.cumsum(shares, axis=1)).round().astype(int)  # (B, K), rising along a row
    areas = "".join(  # the whole stack in the last colour, then less and less of it over that
        f'<path fill="{hex_colour(colour)}" d="{area_path(tops[:, k], seen)}"/>'
        for k, colour in reversed(list(enumerate(colours)))
        if (tops[:, k] > (tops[:, k - 1] if k else 0))[seen].any()
    )
    places = [at for at in ticks(end) if not (still and at % 1)]
    marks = "".join(_tick(at, end, f"{at + 1:.0f}" if still else clock(at, tenths=at % 1 > 0)) for at in places)
    return (
        f'<svg class="timeline" role="img" width="100%" height="{PLOT + AXIS}">'
        f"<title>{safe(title)}</title><desc>{safe(description)}</desc>"
        f'<rect class="panel" width="100%" height="{PLOT}"/>'
        f'<svg width="100%" height="{PLOT}" viewBox="0 0 {end / width:.4f} {LEVELS}" preserveAspectRatio="none">'
        f'{areas}</svg><rect class="plot" width="100%" height="{PLOT}"/>'
        f'<line class="half" x1="0" x2="100%" y1="{PLOT // 2}" y2="{PLOT // 2}"/>{marks}</svg>'
    )


def regroup(timeline: Timeline, *, end: float, most: int) -> tuple[list[float], np.ndarray]:
    """The bins up to `end`, joined two and two until there are at most `most`: their starts (B,), and sums (B, R)."""
    width = width_for(end, width=timeline.width, most=most)
    joined = round(width / timeline.width)
    bins = max(1, min(most, math.ceil(end / width - 1e-9)))
    sums = np.zeros((bins, timeline.sums.shape[1]))
    merged = np.add.reduceat(timeline.sums, np.arange(0, BINS, joined))[:bins]
    sums[: len(merged)] = merged
    return [i * width for i in range(bins)], sums


def area_path(tops: np.ndarray, seen: np.ndarray) -> str:
    """Steps of heights `tops` (B,) int over the bins that were `seen` (B,) bool, down to the ground: an SVG path."""
    pieces, height, length, open_ = [], 0, 0, False
    for i, (top, here) in enumerate(zip(tops.tolist(), seen.tolist(), strict=True)):
        if open_ and (not here or top != height):
            pieces.append(f"h{length}")
            length = 0
            if not here:
                pieces.append(f"V{LEVELS}z")
        if here and not open_:
            pieces.append(f"M{i} {LEVELS}v{-top}")
        elif here and top != height:
            pieces.append(f"v{height - top}")
        length, height, open_ = length + here, top, here
    return "".join(pieces) + (f"h{length}V{LEVELS}z" if open_ else "")


def ticks(end: float) -> list[float]:
    """At most `MOST_TICKS` round times from 0 on, before `end`."""
    step = next((step for step in TICKS_S if end / step <= MOST_TICKS), 86400 * math.ceil(end / 86400 / MOST_TICKS))
    return [i * step for i in range(math.ceil(end / step))]


def _tick(at: float, end: float, text: str) -> str:
    x = f"{100 * at / end:.2f}%"
    line = f'<line class="tick" x1="{x}" x2="{x}" y1="0" y2="{PLOT}"/>' if at else ""
    if at > 0.95 * end:  # the text would be cut off
        return line
    return f'{line}<text x="{x}" dx="{4 if at else 2}" y="{PLOT + 15}">{text}</text>'


def bar_svg(share: float, colour: Colour) -> str:
    """A bar as long as `share` of a line; the number beside it says the same."""
    part = f'<rect width="{100 * share:.2f}%" height="100%" rx="3" fill="{hex_colour(colour)}"/>' if share > 0 else ""
    return f'<svg class="bar share" aria-hidden="true"><rect class="line" y="5" width="100%" height="1"/>{part}</svg>'


def stacked_svg(shares: Sequence[float], colours: Sequence[Colour]) -> str:
    """All shares one after the other in one bar."""
    parts, left = [], 0.0
    for share, colour in zip(shares, colours, strict=True):
        if share > 0:
            parts.append(
                f'<rect x="{100 * left:.2f}%" width="{100 * share:.2f}%" height="100%" fill="{hex_colour(colour)}"/>'
            )
        left += share
    return f'<svg class="bar" aria-hidden="true"><rect class="panel" width="100%" height="100%"/>{"".join(parts)}</svg>'


def swatch_svg(colour: Colour) -> str:
    """A dot in the colour of a class, on the charts' dark ground."""
    return (
        '<svg class="swatch" aria-hidden="true" viewBox="0 0 16 16">'
        '<rect class="panel" width="16" height="16" rx="4"/>'
        f'<circle cx="8" cy="8" r="5" fill="{hex_colour(colour)}"/></svg>'
    )
