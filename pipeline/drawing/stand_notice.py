"""What people are told before a camera looks at them: on the screen with --ask, and on paper (docs/notice.pdf).

In:  the options of a session, which say what is kept; the size of a picture.
Out: a title, paragraphs; a picture (H, W, 3) uint8 RGB that shows them.
"""

from __future__ import annotations

import numpy as np

from pipeline.drawing.primitives import DARK
from pipeline.drawing.text import BOLD, DIM, SMALLEST, WHITE, put_text, text_width, wrap
from pipeline.options import SessionOptions

TITLE = "A camera here predicts facial expressions"
PARAGRAPHS = (
    "A program detects the faces in front of this camera. For each it shows which expression people would probably "
    "name, and which parts of the face a neural network used for that.",
    "Expressions are not feelings. The percentages say nothing certain about what you feel, think or will do, and "
    "they are often wrong.",
    "The pictures stay on this machine. Nobody is recognised: the program does not know who you are.",
    "You need not take part. Stay out of the picture, or ask the person at the stand to stop it.",
)
NOTHING_KEPT = "Nothing is kept: pictures are gone as soon as they have been shown, predictions when the program ends."
ASK = "Press a key to begin, q to leave."
LINE, GAP = 1.45, 0.7  # height of a line, and between paragraphs, in font sizes


def what_is_kept(options: SessionOptions) -> str:
    """One sentence on what the session keeps of people, as its options say."""
    faces = " (faces blurred)" if options.blur else ""
    kept = [
        f"a recording{faces}" if options.save else "",
        "predictions, without pictures" if options.log else "",
        "pictures of faces" if options.crops else "",
        f"a summary{' with pictures of faces' if options.report_faces else ''}" if options.report else "",
    ]
    if options.show and options.report_faces and not options.report:
        kept.append("until the program ends, pictures of faces")
    named = ", ".join(filter(None, kept))
    return f"Kept on this machine: {named}." if named else NOTHING_KEPT


def notice_picture(options: SessionOptions, size_hw: tuple[int, int] = (720, 1280)) -> np.ndarray:
    """The notice in letters as large as the picture takes: (H, W, 3) uint8 RGB."""
    height, width = size_hw
    texts = (*PARAGRAPHS, what_is_kept(options), ASK)
    canvas = np.full((height, width, 3), DARK, np.uint8)
    size = next((size for size in range(height // 20, SMALLEST, -1) if _height(texts, width, size) <= height), SMALLEST)
    top, left = (height - _height(texts, width, size)) / 2, size * 2
    large = min(size * 3 // 2, size * (width - 2 * left) // max(text_width(TITLE, size, BOLD), 1))
    rows = (round(top), round(top + 2 * LINE * size))
    put_text(canvas, TITLE, left=left, rows=rows, size=large, weight=BOLD)
    top += 2 * LINE * size
    for text in texts:
        top += GAP * size
        for line in wrap(text, width - 2 * left, size=size):
            rows = (round(top), round(top + LINE * size))
            put_text(canvas, line, left=left, rows=rows, size=size, colour=WHITE if text == ASK else DIM)
            top += LINE * size
    return canvas


def _height(texts: tuple[str, ...], width: int, size: int) -> float:
    """Of title and texts in this size, with a line's margin above and below, pixels."""
    lines = sum(len(wrap(text, width - 4 * size, size=size)) for text in texts)
    return ((4 + lines) * LINE + len(texts) * GAP) * size
