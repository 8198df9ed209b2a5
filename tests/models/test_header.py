"""Entries of headers: what each check takes and refuses; whole headers are tested in test_checkpoint.py."""

from __future__ import annotations

import pytest

from models.header import mapping, matrix, number, numbers, texts, whole


def test_what_fits_comes_back():
    assert number(3, what="a", least=3) == 3.0
    assert numbers([1, 2.5], 2, what="a", above=0) == (1.0, 2.5)
    assert whole(7, what="a", within=(0, 7)) == 7
    assert texts(["x", "y"], what="a") == ("x", "y")
    for name in ("très étonné", "b" * 100, "بی\u200cطرف", "क्\u200dष"):
        assert texts([name], what="a") == (name,)
    assert mapping({"x": 1}, what="a") == {"x": 1}
    assert matrix([[1, 2], [3, 4]], what="a", rows=2) == [(1, 2), (3, 4)]


@pytest.mark.parametrize(
    "check",
    [
        lambda: number(10**400, what="a"),
        lambda: number("1", what="a"),
        lambda: number(2, what="a", above=2),
        lambda: numbers("12", 2, what="a"),
        lambda: whole(1.0, what="a", within=(0, 9)),
        lambda: whole(True, what="a", within=(0, 9)),
        *[lambda t=text: texts(["x", t], what="a") for text in ("", "\x1b]0;b\x07", "b\n", "\ud800", "\0", "b" * 101)],
        lambda: mapping([], what="a"),
        lambda: matrix([], what="a", rows=0),
        lambda: matrix([1, 2], what="a", rows=2),
    ],
)
def test_anything_else_is_refused_by_its_name(check):
    with pytest.raises(ValueError, match="a"):
        check()


@pytest.mark.parametrize("value", [1.5, -0.1, float("nan"), True, None, 10**400])
def test_a_number_from_least_to_most(value):
    assert number(0, what="share", least=0, most=1) == 0
    assert number(1, what="share", least=0, most=1) == 1
    with pytest.raises(ValueError, match="share must be a finite number of at least 0 and at most 1, not "):
        number(value, what="share", least=0, most=1)
