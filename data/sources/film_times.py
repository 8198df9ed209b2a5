"""The times of a film's frames, which never go backwards, and reports of pauses in a regular film.

In:  the time stamps of its frames, in the order they are shown.
Out: seconds since the first frame, as in the file.
"""

from __future__ import annotations

import math

REGULAR_STEPS = 25  # equal steps in a row, after which a pause of `PAUSE_S` is reported
PAUSE_S = 0.5


class FilmTimes:
    """Times in seconds since the first frame; where stamps stand still or jump back, `step_s` apart.

    longest_s: the longest step so far, at least `step_s`: for so long the last frame may stand.
    """

    def __init__(self, step_s: float) -> None:
        self.step_s = self.longest_s = step_s
        self.time_s = -math.inf
        self._start_s = 0.0
        self._regular = 0  # steps in a row that were about `step_s`

    def next(self, stamp_s: float | None, *, after_damage: bool = False) -> tuple[float, int]:
        """The time of the next frame, and how many are missing before it, by what was regular so far.

        A short pause means that frames are missing only where damaged ones were left out in it.
        """
        if self.time_s == -math.inf:
            self._start_s, self.time_s = stamp_s or 0.0, 0.0
            return 0.0, 0
        by_stamp_s = self.time_s if stamp_s is None else stamp_s - self._start_s
        step_s = by_stamp_s - self.time_s if by_stamp_s > self.time_s else self.step_s
        self.time_s = by_stamp_s if by_stamp_s > self.time_s else self.time_s + step_s
        self.longest_s = max(self.longest_s, step_s)
        is_pause = after_damage or step_s >= max(PAUSE_S, 3 * self.step_s)
        missing = round(step_s / self.step_s) - 1 if self._regular >= REGULAR_STEPS and is_pause else 0
        if not after_damage:
            self._regular = self._regular + 1 if abs(step_s - self.step_s) < 0.1 * self.step_s else 0
        return self.time_s, missing

    def pause(self, missing: int) -> str:
        """The reason to report for a pause in which so many frames are missing."""
        return f"no frame for {missing * self.step_s:.2f} s: a pause, or a damaged stretch"
