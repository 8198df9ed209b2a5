"""A source that gives hundreds of pictures of one constant colour is broken somewhere, and the person should know.

In:  the pictures of a source, one after the other.
Out: the colour, once, where `LONG_RUN` of them in a row were plain.
"""

from __future__ import annotations

import numpy as np

LONG_RUN = 100  # pictures in a row
SAMPLES = 24  # a side: pixels looked at, whatever the size
LARGEST_DEVIATION = 3.0  # of 255, in every channel; the noise of a covered camera stays below it
SAME_COLOUR = 12.0  # of 255, between two pictures of one run
DARK, BRIGHT = 32, 223


class PlainRun:
    """Counts pictures of one constant colour in a row."""

    def __init__(self) -> None:
        self.length = 0
        self._colour: np.ndarray | None = None

    def look(self, image_rgb: np.ndarray) -> str | None:
        """Look at the next picture, (H, W, 3) uint8 RGB; the colour in words where the run is now long, else None."""
        colour = _constant_colour(image_rgb)
        if colour is None or self._colour is None or np.abs(colour - self._colour).max() > SAME_COLOUR:
            self.length = 0
            self._colour = colour
        self.length += colour is not None
        return colour_name(self._colour) if self.length == LONG_RUN and self._colour is not None else None


def _constant_colour(image_rgb: np.ndarray) -> np.ndarray | None:
    """The mean (3,) float64 of a picture that varies nowhere, else None; a grid of its pixels stands for all."""
    height, width = image_rgb.shape[:2]
    rows = np.linspace(0, height - 1, min(height, SAMPLES)).astype(int)
    columns = np.linspace(0, width - 1, min(width, SAMPLES)).astype(int)
    grid = image_rgb[np.ix_(rows, columns)].reshape(-1, 3)
    return grid.mean(axis=0) if grid.std(axis=0).max() <= LARGEST_DEVIATION else None


def colour_name(colour_rgb: np.ndarray) -> str:
    """Black, white, or the numbers: (3,) of 0 to 255."""
    if colour_rgb.max() < DARK:
        return "black"
    if colour_rgb.min() > BRIGHT:
        return "white"
    return "one colour, RGB " + " ".join(str(round(part)) for part in colour_rgb)
