"""Sentences: numbers in them, and how long one may be; test_process.py tests how errors are told."""

from __future__ import annotations

from support import UserError, count
from support.words import LONGEST_SENTENCE


def test_count():
    assert (count(1, "frame"), count(1234, "frame"), count(2, "person", "people")) == (
        "1 frame",
        "1,234 frames",
        "2 people",
    )


def test_a_sentence_that_quotes_a_long_text_loses_its_middle():
    assert str(UserError("x" * LONGEST_SENTENCE)) == "x" * LONGEST_SENTENCE
    sentence = str(UserError("the table " + "x" * 70_000 + "; repair it."))
    assert len(sentence) <= LONGEST_SENTENCE + 5
    assert sentence.startswith("the table xxx")
    assert sentence.endswith("xxx; repair it.")
