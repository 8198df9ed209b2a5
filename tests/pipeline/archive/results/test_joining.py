"""Numbers over seams, by hand."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pyarrow as pa

from pipeline.archive.results.joining import join_heatmaps, join_records, join_tables
from pipeline.archive.results.rows import Heatmaps, schema_of
from pipeline.archive.stretches import Stretch

SCHEMA = schema_of(("a", "b"))


def stretch(number, first, start):
    return Stretch(number, 3, first, None, start, start, Fraction(start), Fraction(0), None, 100, 100)


def table(*rows):
    """Rows of (frame, face, track, x1)."""
    values = [{"frame": f, "face": n, "track": t, "x1": x, "source": "s"} for f, n, t, x in rows]
    return pa.Table.from_pylist(values, SCHEMA)


def tracks(joined):
    return [(row["frame"], row["face"], row["track"]) for row in joined.to_pylist()]


def test_people_keep_their_numbers_and_new_ones_get_the_next():
    one = table((0, 0, 1, 5), (1, 0, 1, 5), (1, 1, 2, 9), (2, 0, 2, 9), (3, 0, 1, 5), (3, 1, 2, 9))
    # read from frame 2 on: 2 is the first that is seen there, 1 comes back, two more come
    two = table((2, 0, 1, 9), (3, 0, 2, 5), (3, 1, 1, 9), (4, 0, 1, 9), (5, 0, 3, 1), (5, 1, 2, 5), (6, 0, 4, 2))
    three = table((5, 0, 1, 1), (5, 1, 2, 5), (6, 0, 3, 2), (7, 0, 3, 2), (7, 1, 4, 7), (8, 0, 1, 1))
    joined, numbers, doubts = join_tables([one, two, three], [stretch(0, 0, 0), stretch(1, 4, 2), stretch(2, 7, 5)])
    assert doubts == []
    assert tracks(joined) == [
        (0, 0, 1), (1, 0, 1), (1, 1, 2), (2, 0, 2), (3, 0, 1), (3, 1, 2),
        (4, 0, 2), (5, 0, 3), (5, 1, 1), (6, 0, 4), (7, 0, 4), (7, 1, 5), (8, 0, 3),
    ]  # fmt: skip
    assert numbers == [{1: 1, 2: 2}, {1: 2, 2: 1, 3: 3, 4: 4}, {3: 4, 4: 5, 1: 3}]


def test_seams_that_differ_are_listed():
    one = table((0, 0, 1, 5), (1, 0, 1, 5))
    places = [stretch(0, 0, 0), stretch(1, 2, 1)]
    _, _, doubts = join_tables([one, table((1, 0, 1, 5.5), (2, 0, 1, 5))], places)
    assert doubts == ["frame 2: the same face is not smoothed equally"]
    joined, _, doubts = join_tables([one, table((1, 0, 1, 5), (1, 1, 2, 7), (2, 0, 1, 5), (2, 1, 2, 7))], places)
    assert doubts == ["frame 2: other faces were found in one of the two"]
    assert tracks(joined)[-2:] == [(2, 0, 1), (2, 1, 2)]
    both = table((1, 0, 1, 5), (1, 1, 1, 8))
    _, _, doubts = join_tables([both, table((1, 0, 1, 5), (1, 1, 2, 8), (2, 0, 1, 5))], places)
    assert doubts == ["frame 2: one person has two numbers"]


def test_a_pause_before_a_seam_is_no_face():
    pause = {"frame": 1, "source": "s", "problem": "no frame for 1 s: a pause"}
    one = pa.concat_tables([table((0, 0, 1, 5)), pa.Table.from_pylist([pause], SCHEMA), table((1, 0, 1, 5))])
    places = [stretch(0, 0, 0), stretch(1, 2, 1)]
    joined, _, doubts = join_tables([one, table((1, 0, 1, 5), (2, 0, 1, 5))], places)
    assert doubts == []
    assert tracks(joined) == [(0, 0, 1), (1, None, None), (1, 0, 1), (2, 0, 1)]


def test_stretches_without_faces_and_without_an_overlap():
    empty = table((2, None, None, None), (3, None, None, None))
    late = table((4, 0, 1, 3))
    places = [stretch(0, 0, 0), stretch(1, 2, 1), stretch(2, 4, 4)]
    joined, _, doubts = join_tables([table((0, 0, 1, 5)), empty, late], places)
    assert tracks(joined) == [(0, 0, 1), (2, None, None), (3, None, None), (4, 0, 2)]
    assert doubts == []


def test_a_film_has_failed_where_a_stretch_has_and_no_version_where_its_file_changed():
    stretches = [
        {"frames": 5, "skipped": 0, "faces": 2, "seconds": 1.0, "problem": None, "failed": False, "bytes": 9,
         "mtime_ns": 7}
    ] * 2  # fmt: skip
    whole = join_records(stretches, [])
    assert (whole["failed"], whole["bytes"], whole["mtime_ns"], whole["frames"]) == (False, 9, 7, 10)
    away = {**stretches[0], "failed": True, "problem": "it was away"}
    assert join_records([away, stretches[1]], [])["failed"]
    for changed in ({"mtime_ns": 8}, {"bytes": None, "mtime_ns": None}):
        whole = join_records([stretches[0] | changed, stretches[1]], [])
        assert (whole["bytes"], whole["mtime_ns"]) == (None, None)


def test_mean_heatmaps_of_a_person_over_a_seam():
    sums = []
    for values, track in (((0.25, 0.5), 1), ((1.0,), 2)):
        heatmaps = Heatmaps()
        for value in values:
            heatmaps.add_sum(("s", track, "a"), np.full((2, 2), value), 1)
        sums.append(heatmaps.sums())
    (row,) = join_heatmaps(sums, [{1: 1}, {2: 1}]).to_pylist()
    assert (row["track"], row["expression"], row["count"], row["size"]) == (1, "a", 3, 2)
    assert row["heatmap"] == [float(np.float16(1.75 / 3))] * 4
