"""Text: it is as wide as it says, stays readable for any string, and breaks where it should."""

import numpy as np
import pytest

from pipeline.drawing.text import BOLD, printable, put_text, text_size, text_width, truncate, wrap

ODD = ["", " ", "a\nb\tc", "a\x00b", "\udc80 surrogate", "😀", "Überraschung", "радость", "悲しみ", "שלום", "\u202ertl"]


def written(text, *, size, weight=400):
    canvas = np.zeros((100, 600, 3), np.uint8)
    put_text(canvas, text, left=20, rows=(10, 90), size=size, weight=weight)
    return canvas.any(axis=2)


@pytest.mark.parametrize("size", [9, 14, 31])
@pytest.mark.parametrize("weight", [400, BOLD])
def test_ink_stays_in_its_width(size, weight):
    columns = np.flatnonzero(written("looks like happiness 82 %", size=size, weight=weight).any(axis=0))
    width = text_width("looks like happiness 82 %", size, weight)
    assert columns.min() >= 20 - 1
    assert 0.9 * width <= columns.max() - 20 <= width + 1


@pytest.mark.parametrize("size", [9, 14, 31, 63])
def test_capitals_stand_in_the_middle_of_their_row(size):
    rows = np.flatnonzero(written("HE", size=size).any(axis=1))
    assert abs((rows.min() + rows.max()) / 2 - 49.5) <= 1


@pytest.mark.parametrize("text", ODD)
def test_any_string_can_be_written(text):
    written(text, size=14)
    assert text_width(text, 14) >= 0


def test_letters_of_other_scripts_are_not_question_marks():
    for word in ("Ü", "ж", "λ", "悲", "한"):
        assert (written(word, size=20) != written("?", size=20)).any()


def test_signs_without_a_shape_become_spaces():
    assert printable("a\nb\udc80c") == "a b c"
    assert printable("naïve 82 %") == "naïve 82 %"


@pytest.mark.parametrize("width", range(20, 300, 23))
def test_truncated_text_fits_and_keeps_as_much_as_possible(width):
    text = "looks like happiness and joy"
    kept = truncate(text, width, size=14)
    assert text_width(kept, 14) <= width
    if kept != text:
        assert kept.endswith("…")
        assert text.startswith(kept[:-1])
        longer = text[: len(kept[:-1]) + 2].rstrip() + "…"  # + 2: the next letter may stand behind a space
        assert text_width(longer, 14) > width


def test_wrap_keeps_all_words_in_few_lines_of_like_length():
    text = "Expressions are not feelings: this says how a face reads, not what a person feels."
    for width in (120, 200, 290, 400, 1000):
        lines = wrap(text, width, size=12)
        assert " ".join(lines) == text
        assert max(text_width(line, 12) for line in lines) <= width
    assert wrap(text, 1000, size=12) == (text,)
    words, lines = text.split(), wrap(text, 400, size=12)
    halves = [(" ".join(words[:i]), " ".join(words[i:])) for i in range(1, len(words))]
    narrowest = min(max(text_width(half, 12) for half in two) for two in halves)
    assert len(lines) == 2
    assert max(text_width(line, 12) for line in lines) <= narrowest + 12


def test_wrap_truncates_a_word_wider_than_the_line_and_takes_nothing():
    assert wrap("", 100, size=12) == ()
    (line,) = wrap("x" * 300, 100, size=12)
    assert line.endswith("…")
    assert text_width(line, 12) <= 100


def test_text_size_follows_the_smaller_side():
    assert text_size((480, 640, 3)) == 14
    assert text_size((1080, 1920, 3)) == 31
    assert text_size((2160, 3840, 3)) == 63
    assert text_size((40, 4000, 3)) == text_size((4000, 40, 3)) == 9
