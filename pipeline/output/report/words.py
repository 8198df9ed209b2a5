"""Numbers and names as the report writes them.

In:  seconds, shares, texts from anywhere.
Out: HTML-safe text.
"""

from __future__ import annotations

import html

MOST_UNREAD = 100  # sentences kept


def safe(text: object) -> str:
    """`text` as HTML: escaped, control characters and halves of surrogate pairs made visible."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))
    return html.escape(shown)


def clock(seconds: float, *, tenths: bool = False) -> str:
    """0:12 or 1:02:03; with `tenths` 0:12.3."""
    units = round(seconds * 10) if tenths else round(seconds) * 10
    minutes, rest = divmod(units // 10, 60)
    hours, minutes = divmod(minutes, 60)
    fraction = f".{units % 10}" if tenths else ""
    return f"{hours}:{minutes:02}:{rest:02}{fraction}" if hours else f"{minutes}:{rest:02}{fraction}"


def percent(share: float) -> str:
    """62 %; what is there and would be rounded to nothing is < 1 %."""
    return "&lt;&nbsp;1&nbsp;%" if 0 < share < 0.005 else f"{100 * share:.0f}&nbsp;%"


class Unread:
    """Sentences on what could not be read or may be missing: the first `MOST_UNREAD`; `surplus`: how many more."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.surplus = 0

    def add(self, line: str) -> None:
        """One more."""
        if len(self.lines) < MOST_UNREAD:
            self.lines.append(line)
        else:
            self.surplus += 1
