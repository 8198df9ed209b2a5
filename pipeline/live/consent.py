"""The notice before and during a session at a stand: who is in front of the camera is told first (--ask, key n).

In:  the options of the session, keys from a window, the shape of the picture that the window shows.
Out: whether to go on.
"""

from __future__ import annotations

from collections.abc import Callable

from pipeline.drawing.primitives import clamp
from pipeline.drawing.stand_notice import notice_picture
from pipeline.options import SessionOptions
from pipeline.output.window import Screen, Window, display_available
from support import FAILED, UserError

LOOK_S = 0.05  # between two looks at the keyboard
HEIGHT = 720  # of the notice, pixels
RATIOS = (0.5, 2.5)  # its width over its height


def ask(options: SessionOptions) -> bool:
    """Show the notice in a window of its own until a key is pressed; False where that is q or Esc, or it is closed.

    Raises `UserError` where no window can open.
    """
    if not display_available():
        raise UserError("--ask shows a notice in a window, and none can open here; leave --ask out.", exit_code=FAILED)
    with Window("Before you begin") as window:
        return wait_for_consent(window, options)


def wait_for_consent(
    window: Screen,
    options: SessionOptions,
    *,
    ratio: float = 16 / 9,
    stop_requested: Callable[[], bool] = lambda: False,
) -> bool:
    """Show the notice in `window` until a key is pressed; as `ask`. stop_requested: True ends the waiting, too.

    ratio: width over height of what the window shows, so that it keeps its shape; beyond `RATIOS` letters need more.
    """
    window.show(notice_picture(options, (HEIGHT, round(HEIGHT * clamp(ratio, *RATIOS)))))
    while not (window.closed or stop_requested()):
        if key := window.key(round(1000 * LOOK_S)):
            return key not in ("q", "esc")
    return False
