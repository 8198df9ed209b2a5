"""Columns and types."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from pipeline.archive.results.rows import Heatmaps, schema_of
from pipeline.output.log import COLUMNS, LAST_COLUMNS


def test_columns_are_those_of_the_log_then_own_ones():
    schema = schema_of(("a", "b"), ("room",))
    assert schema.names == [*COLUMNS, "p_a", "p_b", *LAST_COLUMNS, "room"]
    assert {str(schema.field(name).type) for name in ("x1", "score", "confidence", "p_a")} == {"float"}
    kinds = {
        "time_s": "double",
        "frame": "int64",
        "face": "int16",
        "track": "int32",
        "label": "string",
        "room": "string",
    }
    assert {name: str(schema.field(name).type) for name in kinds} == kinds


def test_means_are_half_floats_of_double_sums():
    heatmaps, rng = Heatmaps(), np.random.default_rng(0)
    values = rng.random((50, 4, 4)).astype(np.float32)
    for value in values:
        heatmaps.add_sum(("s", 0, "a"), value.astype(np.float64), 1)
    table = heatmaps.means()
    assert table.schema.field("heatmap").type == pa.list_(pa.float16())
    (row,) = table.to_pylist()
    assert (row["track"], row["count"], row["size"]) == (None, 50, 4)
    wanted = values.astype(np.float64).mean(axis=0).astype(np.float16)
    assert np.array_equal(np.array(row["heatmap"], np.float16).reshape(4, 4), wanted)
