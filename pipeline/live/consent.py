"""The notice before and during a session at a stand: who is in front of the camera is told first (--ask, key n).

In:  the options of the session, keys from a window.
Out: whether to go on.
"""

from __future__ import annotations

from collections.abc import Callable

from pipeline.drawing.stand_notice import notice_picture
from pipeline.options import SessionOptions
from pipeline.output.window import Screen, Window, display_available
from support import FAILED, UserError

LOOK_S = 0.05  # between two looks at the keyboard


def ask(options: SessionOptions) -> bool:
    """Show the notice in a window of its own until a key is pressed; False where that is q or Esc, or it is closed.

    Raises `UserError` where no window can open.
    """
    if not (options.show and display_available()):
        raise UserError("--ask shows a notice in a window, and none can open here; leave --ask out.", exit_code=FAILED)
    with Window("Before you begin") as window:
        return wait_for_consent(window, options)


def wait_for_consent(
    window: Screen, options: SessionOptions, *, stop_requested: Callable[[], bool] = lambda: False
) -> bool:
    """Show the notice in `window` until a key is pressed; as `ask`. stop_requested: True ends the waiting, too."""
    window.show(notice_picture(options))
    while not (window.closed or stop_requested()):
        if key := window.key(round(1000 * LOOK_S)):
            return key not in ("q", "esc")
    return False
