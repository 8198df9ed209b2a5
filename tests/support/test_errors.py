"""One sentence for the person at the keyboard; test_process.py tests how it is told."""

from __future__ import annotations

from support.errors import LONGEST_SENTENCE, UserError


def test_a_sentence_that_quotes_a_long_text_loses_its_middle():
    assert str(UserError("x" * LONGEST_SENTENCE)) == "x" * LONGEST_SENTENCE
    sentence = str(UserError("the table " + "x" * 70_000 + "; repair it."))
    assert len(sentence) <= LONGEST_SENTENCE + 5
    assert sentence.startswith("the table xxx")
    assert sentence.endswith("xxx; repair it.")
