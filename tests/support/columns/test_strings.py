"""Strings are a sequence like any other, in less memory."""

from __future__ import annotations

import sys
import tracemalloc

import numpy as np
import pytest

from support.columns.strings import BLOCK, Categorical, Strings

TEXTS = ("", "a.png", "sub/ä b.png", "\udcff.png", "日本")


def test_they_are_what_went_in():
    strings = Strings(TEXTS)
    assert list(strings) == list(TEXTS)
    assert len(strings) == 5
    assert strings[-1] == "日本"
    assert strings == TEXTS
    assert strings != TEXTS[:4]
    assert strings != "a"
    assert "a.png" in strings
    with pytest.raises(IndexError):
        strings[5]


def test_parts_are_strings():
    strings = Strings(TEXTS)
    assert strings[1:3] == TEXTS[1:3]
    assert strings[np.array([3, 0])] == (TEXTS[3], TEXTS[0])
    assert isinstance(strings[1:3], Strings)
    assert Strings([]) == ()


def test_they_take_less_memory_than_a_tuple():
    texts = [f"train/happiness/{number:07}.jpg" for number in range(10_000)]
    tracemalloc.start()
    strings = Strings(texts)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 0.1 * sum(map(sys.getsizeof, texts))
    assert strings[:1] == texts[:1]


@pytest.mark.parametrize("count", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK, 3 * BLOCK + 5])
def test_blocks_are_seen_by_nobody(count):
    texts = [f"{number}\0.jpg" for number in range(count)]
    strings = Strings(texts)
    order = np.random.default_rng(0).permutation(count)
    assert len(strings) == count
    assert list(strings) == texts
    assert [strings[row] for row in range(count)] == texts
    assert list(strings[order]) == [texts[row] for row in order]
    assert list(strings[::-3]) == texts[::-3]
    strings.append("more")
    assert strings == [*texts, "more"]


def test_more_categories_than_two_bytes_can_count():
    texts = [str(number) for number in range(2**16)]
    many = Categorical(texts)
    assert not many.equal("x").any()
    first = many.rows(np.array([0, 2**16 - 1]))
    many.append("x")
    assert (len(many), many[-1], many[2**16 - 1]) == (2**16 + 1, "x", "65535")
    assert many.replaced(many.equal("0"), "y")[0] == "y"
    assert many.equal("x").sum() == 1
    assert first.replaced(np.array([True, False]), "x").array().tolist() == ["x", "65535"]


def test_few_texts_are_kept_once():
    texts = ["b", "a", "b", "", "a"]
    few = Categorical(texts)
    assert [few[row] for row in range(len(few))] == few.array().tolist() == texts
    assert few.categories == ["b", "a", ""]
    assert few.equal("a").tolist() == [False, True, False, False, True]
    assert not few.equal("c").any()
    assert few.rows(np.array([4, 0])).array().tolist() == ["a", "b"]
    assert few.replaced(few.equal("a"), "c").array().tolist() == ["b", "c", "b", "", "c"]
    assert few.array().tolist() == texts
    few.append("b")
    assert len(few) == 6
    assert Categorical().array().tolist() == []
