"""Strings are a sequence like any other, in less memory."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from support.strings import Categorical, Strings

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
    texts = [f"train/happiness/{number:07}.jpg" for number in range(1000)]
    strings = Strings(texts)
    held = sys.getsizeof(strings._block) + sys.getsizeof(strings._ends)
    assert held < 0.6 * sum(map(sys.getsizeof, texts))


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
