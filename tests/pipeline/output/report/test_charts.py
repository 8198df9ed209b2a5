"""Charts, read back from their SVG."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from pipeline.output.report.charts import (
    LEVELS,
    MOST_TICKS,
    area_path,
    bar_svg,
    regroup,
    stacked_svg,
    ticks,
    timeline_svg,
)
from pipeline.output.report.timeline import BINS, Timeline

COLOURS = [(255, 0, 0), (0, 255, 0), (0, 0, 255)]


def drawn_heights(path: str, bins: int) -> np.ndarray:
    """(B,): the height of the area over each bin, 0 where there is none; as an SVG reader would draw the path."""
    heights, x, y = np.zeros(bins), 0, 0
    for letter, numbers in re.findall(r"([MvhVz])([-\d ]*)", path):
        values = [int(v) for v in numbers.split()]
        if letter == "M":
            x, y = values
        elif letter == "v":
            y += values[0]
        elif letter == "V":
            y = values[0]
        elif letter == "h":
            heights[x : x + values[0]] = LEVELS - y
            x += values[0]
    return heights


def test_area_path_draws_the_heights(rng):
    tops, seen = rng.integers(0, LEVELS + 1, 300), rng.random(300) < 0.8
    tops[50:90] = 120  # steps of one height
    np.testing.assert_array_equal(drawn_heights(area_path(tops, seen), 300), np.where(seen, tops, 0))
    assert area_path(tops, np.zeros(300, bool)) == ""


def test_a_timeline_stacks_the_mean_probabilities():
    timeline = Timeline(4, width=1.0)
    for i, p in enumerate([[0.5, 0.3, 0.2], [0.1, 0.9, 0.0], None, [0.0, 1.0, 0.0]]):
        if p:
            timeline.add(i, 1.0, np.array([1.0, *p]))
    svg = timeline_svg(timeline, end=4.0, still=False, colours=COLOURS, title="<b>", description="a & b")
    root = ET.fromstring(svg)
    assert (root.find("title").text, root.find("desc").text) == ("<b>", "a & b")
    inner = root.find("svg")
    assert inner.get("viewBox") == f"0 0 4.0000 {LEVELS}"
    drawn = {path.get("fill"): drawn_heights(path.get("d"), 4).tolist() for path in inner.findall("path")}
    assert drawn == {"#0000ff": [200, 200, 0, 200], "#00ff00": [160, 200, 0, 200], "#ff0000": [100, 20, 0, 0]}
    assert list(drawn) == ["#0000ff", "#00ff00", "#ff0000"], "the tallest first: later ones cover it"


def test_what_takes_no_time_has_a_timeline():
    timeline = Timeline(4, width=1.0)
    timeline.add(0, 1.0, np.array([1.0, 0.2, 0.8, 0.0]))
    svg = timeline_svg(timeline, end=0.0, still=False, colours=COLOURS, title="a", description="b")
    assert ET.fromstring(svg).find("svg").get("viewBox") == f"0 0 0.0000 {LEVELS}"


@pytest.mark.parametrize(("end", "most"), [(37.5, 600), (37.6, 600), (37.5, 20), (1000.0, 20), (0.2, 600)])
def test_regroup_keeps_all_and_reaches_to_the_end(rng, end, most):
    timeline = Timeline(2, width=1 / 16)
    for start in np.arange(0, end * 0.6, 0.1):
        timeline.add(float(start), 0.1, rng.random(2))
    starts, sums = regroup(timeline, end=end, most=most)
    assert len(starts) == len(sums) <= most
    np.testing.assert_allclose(sums.sum(axis=0), timeline.sums.sum(axis=0))
    width = starts[1] if len(starts) > 1 else 1 / 16
    assert starts[-1] < end <= starts[-1] + width * (1 + 1e-9)
    assert len(starts) > most / 2 or width == 1 / 16


def test_a_moment_at_the_start_of_what_ends_after_a_jump_of_the_clock(rng):
    timeline = Timeline(2, width=1 / 16)
    timeline.add(0.0, 10.0, values := rng.random(2))
    starts, sums = regroup(timeline, end=1e12, most=20)
    assert len(starts) == len(sums) <= 20
    np.testing.assert_allclose(sums[0], values)
    assert not sums[1:].any()


@pytest.mark.parametrize("end", [0.4, 1.0, 7.3, 59.0, 3600.0, 86_400.0, 1e7])
def test_ticks_are_few_and_before_the_end(end):
    at = ticks(end)
    assert at[0] == 0
    assert at[-1] < end
    assert 1 <= len(at) <= MOST_TICKS


@pytest.mark.parametrize(("end", "last"), [(10.1, "0:08"), (60.5, "0:45"), (10.9, "0:10")])
def test_no_time_is_written_where_the_chart_ends(end, last):
    svg = timeline_svg(Timeline(4, width=1.0), end=end, still=False, colours=COLOURS, title="a", description="b")
    root = ET.fromstring(svg)
    assert [text.text for text in root.iter("text")][-1] == last
    assert len([line for line in root.iter("line") if line.get("class") == "tick"]) == len(ticks(end)) - 1


@pytest.mark.parametrize("pictures", [1, 2, 3, 4, 7, 30])
def test_pictures_are_numbered_by_whole_numbers_each_once(pictures):
    svg = timeline_svg(Timeline(4, width=1.0), end=pictures, still=True, colours=COLOURS, title="a", description="b")
    labels = [(float(text.get("x").removesuffix("%")), text.text) for text in ET.fromstring(svg).iter("text")]
    assert labels[0] == (0, "1")
    assert len({text for _, text in labels}) == len(labels) >= min(pictures, 3)
    assert [x for x, _ in labels] == pytest.approx([100 * (int(text) - 1) / pictures for _, text in labels], abs=0.01)


def test_bars_are_as_long_as_the_shares():
    assert 'width="25.00%"' in bar_svg(0.25, COLOURS[0])
    assert 'fill="#' not in bar_svg(0.0, COLOURS[0])
    rects = ET.fromstring(stacked_svg([0.5, 0.0, 0.25], COLOURS)).findall("rect")[1:]
    assert [(r.get("x"), r.get("width"), r.get("fill")) for r in rects] == [
        ("0.00%", "50.00%", "#ff0000"), ("50.00%", "25.00%", "#0000ff"),
    ]  # fmt: skip
    assert BINS % 2 == 0
