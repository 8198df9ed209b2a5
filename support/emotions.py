"""Names of expressions: the one list every data set maps its own words to, by name and never by number.

In:  a word as some data set writes it ("Happy", "anger", "surprised").
Out: the project's term for it; `EMOTIONS` is the order in which FER+ networks give their probabilities.
"""

from __future__ import annotations

EMOTIONS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")

LONGEST_NAME = 100  # characters of a class's name
JOINERS = "\u200c\u200d"  # of no width; Persian and Hindi words are spelt with them

# What RAF-DB, FER2013, CK+, JAFFE, FERG and AffectNet call the same eight.
SYNONYMS = {
    "neutral": ("neutrality", "natural", "ne"),
    "happiness": ("happy", "joy", "smile", "ha"),
    "surprise": ("surprised", "su"),
    "sadness": ("sad", "sa"),
    "anger": ("angry", "an"),
    "disgust": ("disgusted", "di"),
    "fear": ("fearful", "afraid", "scared", "fe"),
    "contempt": ("contemptuous", "co"),
}
_CANONICAL = {word: name for name, words in SYNONYMS.items() for word in (name, *words)}


def canonical_name(word: str) -> str:
    """The project's term for `word`; a word it does not know stays itself, in lower case and with plain blanks."""
    word = " ".join(word.lower().split())
    return _CANONICAL.get(word, word)


def is_name(value: object) -> bool:
    """Is that a text that can name a class: 1 to `LONGEST_NAME` printable characters or joiners?"""
    return (
        isinstance(value, str)
        and 0 < len(value) <= LONGEST_NAME
        and all(sign.isprintable() or sign in JOINERS for sign in value)
    )


def ordered_names(names: set[str]) -> tuple[str, ...]:
    """Expressions in the order of `EMOTIONS`, then the other names by alphabet."""
    return (*(name for name in EMOTIONS if name in names), *sorted(names - set(EMOTIONS)))
