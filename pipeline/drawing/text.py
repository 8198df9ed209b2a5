"""Text on pictures, in the vector font that OpenCV carries inside itself: no font file, no display needed.

In:  a picture (H, W, 3) uint8 RGB to write on, in place; words; positions and sizes in pixels.
Out: widths in pixels, text truncated or wrapped to a width.

Letters that the font lacks (Greek, Chinese ...) come from OpenCV's second font; what no font has becomes a "?".
"""

from __future__ import annotations

import bisect
import functools

import cv2
import numpy as np

Colour = tuple[int, int, int]  # RGB

WHITE: Colour = (255, 255, 255)
DIM: Colour = (205, 205, 205)
REGULAR, BOLD = 400, 600  # weights of the font
SMALLEST = 9  # font size in pixels; below this the font is a blur
CAP_HEIGHT = 0.72  # height of a capital letter, in font sizes


def text_size(shape: tuple[int, ...]) -> int:
    """The font size in pixels that suits a picture of `shape` (H, W, ...): 14 at 640x480, 31 at 1080p."""
    height, width = shape[:2]
    return max(SMALLEST, round(0.029 * min(height, 0.9 * width)))


def printable(text: str) -> str:
    """`text` with line breaks and other signs that have no shape as spaces; a lone surrogate would crash OpenCV."""
    return text if text.isprintable() else "".join(sign if sign.isprintable() else " " for sign in text)


@functools.lru_cache(maxsize=4096)
def text_width(text: str, size: int, weight: int = REGULAR) -> int:
    """The width of `text` in pixels."""
    return cv2.getTextSize((0, 0), printable(text), (0, 0), _font(), size, weight)[2]


def put_text(
    canvas: np.ndarray,
    text: str,
    *,
    left: int,
    rows: tuple[int, int],
    size: int,
    weight: int = REGULAR,
    colour: Colour = WHITE,
) -> None:
    """Write `text` into `canvas` (H, W, 3) uint8 RGB, from the column `left`; its capitals in the middle of `rows`."""
    baseline = round((sum(rows) + CAP_HEIGHT * size) / 2)
    cv2.putText(canvas, printable(text), (left, baseline), colour, _font(), size, weight)


def padding(size: int) -> int:
    """Between text and the edge of its panel, in pixels."""
    return round(0.6 * size)


def truncate(text: str, width: int, *, size: int, weight: int = REGULAR) -> str:
    """`text`, or as much of its beginning as fits in `width` pixels with "…" behind it."""
    if text_width(text, size, weight) <= width:
        return text
    too_long = bisect.bisect_left(
        range(len(text)), True, key=lambda kept: text_width(text[:kept].rstrip() + "…", size, weight) > width
    )
    return text[: max(0, too_long - 1)].rstrip() + "…"


@functools.lru_cache(maxsize=64)
def wrap(text: str, width: int, *, size: int, weight: int = REGULAR) -> tuple[str, ...]:
    """`text` broken between words into the fewest lines of at most `width` pixels, of similar lengths.

    A word wider than a line is truncated.
    """
    lines = _fill_lines(text, width, size, weight)
    narrower = _fill_lines(text, width - size, size, weight)
    while len(narrower) == len(lines) > 1 and " ".join(narrower) == " ".join(text.split()):  # no word is truncated yet
        lines, width = narrower, width - size
        narrower = _fill_lines(text, width - size, size, weight)
    return lines


def _fill_lines(text: str, width: int, size: int, weight: int) -> tuple[str, ...]:
    """Each line with as many words as fit."""
    lines: list[str] = []
    for word in text.split():
        if lines and text_width(f"{lines[-1]} {word}", size, weight) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(truncate(word, width, size=size, weight=weight))
    return tuple(lines)


@functools.cache
def _font() -> cv2.FontFace:
    """Rubik, variable in weight. Unpacking it takes about 50 ms, once."""
    return cv2.FontFace("sans")
