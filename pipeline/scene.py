"""Cuts: does a frame follow from the one before, or did another scene begin?

In:  the frames of a camera or film, (H, W, 3) uint8 RGB, one after the other.
Out: True for a frame after a cut.

Most of a frame is found in the frame before, a little moved: also in a pan, or where a face that fills the frame moves.
So a small grey copy is divided into blocks, and each is searched for around its place in the copy before by normalised
cross-correlation (Lewis 1995), which a light that is switched on, a flash or a fade does not change. After a cut hardly
a block is found. Blocks without structure, as of a wall or of a white flash, tell nothing and are not asked; a frame
with too few is passed over, and the next is compared with the one before it. A cross-fade is no cut.
"""

from __future__ import annotations

import cv2
import numpy as np

LONGER = 96  # pixels of the grey copy's longer side
BLOCK = 16  # pixels of a block's side
REACH = 24  # pixels that a block may have moved to either side: a quarter of the frame
STRUCTURE = 4.0  # standard deviation of grey values, of 255, from which on a block has structure
SAME = 0.7  # correlation of whole frames, unmoved, from which on blocks need not be asked
FOUND = 0.85  # correlation from which on a block is found
CUT = 0.2  # of the blocks asked, the share that is found after a cut at most
WHITE, BLEACHED = 250, 0.1  # grey value that a flash has bleached; share of a block that may be, for it to be asked
FEWEST = 4  # blocks that must have something to tell
PATIENCE = 60  # frames without them that are passed over, one after the other


class SceneCut:
    """Asked frame after frame; remembers one small grey copy (7 KB)."""

    def __init__(self) -> None:
        self._before: np.ndarray | None = None
        self._size_hw: tuple[int, ...] = ()
        self._passed_over = 0  # frames since `_before`

    def is_cut(self, frame_rgb: np.ndarray, *, first: bool = False) -> bool:
        """Whether there is a cut between the frame (H, W, 3) uint8 RGB asked about before and this one.

        first: it is known that this frame follows from none: True, and the frame after it is compared with this one.
        A frame of another size follows from none.
        """
        now, before = small_grey(frame_rgb), self._before
        resized, self._size_hw = self._size_hw != frame_rgb.shape[:2], frame_rgb.shape[:2]
        if first or before is None or resized:
            self._before, self._passed_over = now, 0
            return first or before is not None
        share = 1.0 if correlation(before, now) >= SAME else share_found(before, now)
        if share is None and before.std() >= STRUCTURE and self._passed_over < PATIENCE:
            self._passed_over += 1
            return False
        self._before, self._passed_over = now, 0
        return share is not None and share <= CUT

    def mirror(self) -> None:
        """The next frames are mirror images, which is no cut."""
        if self._before is not None:
            self._before = np.ascontiguousarray(self._before[:, ::-1])


def small_grey(frame_rgb: np.ndarray) -> np.ndarray:
    """(h, w) uint8: a grey copy of `LONGER` pixels on its longer side. Large frames are sampled, which costs little."""
    for longer, interpolation in ((2 * LONGER, cv2.INTER_LINEAR), (LONGER, cv2.INTER_AREA)):
        zoom = longer / max(frame_rgb.shape[:2])
        size_wh = tuple(max(BLOCK, round(side * zoom)) for side in frame_rgb.shape[1::-1])
        frame_rgb = cv2.resize(frame_rgb, size_wh, interpolation=interpolation)
    return cv2.cvtColor(frame_rgb, cv2.COLOR_RGB2GRAY)


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson's correlation of two pictures (h, w), -1 to 1; 0 where one has no structure."""
    a, b = a - a.mean(), b - b.mean()
    norm = np.sqrt((a * a).sum() * (b * b).sum())
    return float((a * b).sum() / norm) if norm > 0 else 0.0


def share_found(before: np.ndarray, now: np.ndarray) -> float | None:
    """Of the blocks of `now` (h, w) uint8 the share that is found in `before`; None where too few can be asked."""
    height, width = now.shape
    found = []
    for top in range(0, height - BLOCK + 1, BLOCK):
        for left in range(0, width - BLOCK + 1, BLOCK):
            block = now[top : top + BLOCK, left : left + BLOCK]
            around = before[max(0, top - REACH) : top + BLOCK + REACH, max(0, left - REACH) : left + BLOCK + REACH]
            there = before[top : top + BLOCK, left : left + BLOCK]
            bleached = max((block >= WHITE).mean(), (there >= WHITE).mean())
            if block.std() >= STRUCTURE and around.std() >= STRUCTURE and bleached <= BLEACHED:
                found.append(cv2.matchTemplate(around, block, cv2.TM_CCOEFF_NORMED).max() >= FOUND)
    return float(np.mean(found)) if len(found) >= FEWEST else None
