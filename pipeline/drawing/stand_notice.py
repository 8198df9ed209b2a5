"""What people are told before a camera looks at them: on the screen with --ask, and on paper (docs/notice.pdf).

In:  the options of a session, which say what is kept; the size of a picture.
Out: a title, paragraphs; a picture (H, W, 3) uint8 RGB that shows them.
"""

from __future__ import annotations

import numpy as np

from pipeline.drawing.primitives import DARK
from pipeline.drawing.text import BOLD, DIM, REGULAR, SMALLEST, WHITE, put_text, wrap
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
STYLES = {TITLE: (1.5, BOLD, WHITE), ASK: (1.0, REGULAR, WHITE)}  # font size in those of a paragraph, weight, colour
PARAGRAPH = (1.0, REGULAR, DIM)


def what_is_kept(options: SessionOptions) -> str:
    """One sentence on what the session keeps of people, as its options say."""
    faces = " with blurred faces" if options.blur else ""
    kept = [
        f"a recording{faces}" if options.save else "",
        "predictions without pictures" if options.log else "",
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
    texts = (TITLE, *PARAGRAPHS, what_is_kept(options), ASK)
    canvas = np.full((height, width, 3), DARK, np.uint8)
    sizes = range(height // 20, SMALLEST, -1)
    size = next((size for size in sizes if _lines(texts, width, size)[1] <= height - 2 * LINE * size), SMALLEST)
    lines, total = _lines(texts, width, size)
    for line, text, above in lines:
        larger, weight, colour = STYLES.get(text, PARAGRAPH)
        letters, top = round(larger * size), (height - total) / 2 + above
        rows = (round(top), round(top + LINE * letters))
        put_text(canvas, line, left=2 * size, rows=rows, size=letters, weight=weight, colour=colour)
    return canvas


def _lines(texts: tuple[str, ...], width: int, size: int) -> tuple[list[tuple[str, str, float]], float]:
    """Every line, the text that it is of, and its top in pixels, where paragraphs are in font `size`; their height."""
    lines, top = [], 0.0
    for text in texts:
        larger, weight, _ = STYLES.get(text, PARAGRAPH)
        for line in wrap(text, width - 4 * size, size=round(larger * size), weight=weight):
            lines.append((line, text, top))
            top += LINE * round(larger * size)
        top += GAP * size
    return lines, top - GAP * size
