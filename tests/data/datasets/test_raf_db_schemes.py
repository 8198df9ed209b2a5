"""Which expressions RAF-DB's labels count: the seven basic ones, the eleven compound ones, or something else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.tiny_sets import make_raf_official, raf_names, write_lines

from data.datasets import load_format, raf_db
from support import UserError

LIST = "EmoLabel/list_patition_label.txt"
COMPOUND = (  # in RAF-DB's order, from 1
    "happily surprised", "happily disgusted", "sadly fearful", "sadly angry", "sadly surprised", "sadly disgusted",
    "fearfully angry", "fearfully surprised", "angrily surprised", "angrily disgusted", "disgustedly surprised",
)  # fmt: skip


@pytest.fixture
def official(tmp_path):
    return make_raf_official(tmp_path / "RAF")


def relabel(root: Path, change: Callable[[int], int]) -> None:
    rows = [line.split() for line in (root / LIST).read_text().splitlines()]
    write_lines(root / LIST, [f"{name} {change(int(label))}" for name, label in rows])


@pytest.mark.parametrize("skip_bad", [False, True])
def test_compound_labels_are_the_eleven_compound_expressions(official, skip_bad):
    write_lines(official / LIST, [f"{name}.jpg {i % 11 + 1}" for i, name in enumerate(raf_names())])
    faces = load_format(raf_db, official, "test", skip_bad=skip_bad)
    assert faces.class_names == COMPOUND
    assert faces.labels.tolist() == [i % 11 for i in range(42, 49)]


@pytest.mark.parametrize("change", [lambda label: label - 1, lambda label: label + 1, lambda label: 2 * label])
def test_labels_of_another_scheme_are_refused_even_with_skip_bad(official, change):
    relabel(official, change)
    with pytest.raises(UserError, match=r"the labels reach from .* they count something else"):
        load_format(raf_db, official, "test", skip_bad=True)
