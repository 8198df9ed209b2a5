"""--ask: the notice until a key is pressed, before anything else."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import live
from data.sources import open_source
from pipeline.drawing.stand_notice import notice_picture
from pipeline.live import consent
from pipeline.options import SessionOptions
from pipeline.output.window import SAME_RATIO
from support import UserError


class Keys:
    """A window that shows nothing and gives these keys; closed where they are used up."""

    def __init__(self, *keys: str | None) -> None:
        self.keys, self.shown, self.closed = list(keys), [], False

    def show(self, image_rgb: np.ndarray) -> None:
        self.shown.append(image_rgb)

    def key(self, wait_ms: int = 1) -> str | None:
        key = self.keys.pop(0)
        self.closed = not self.keys
        return key

    def __enter__(self) -> Keys:
        return self

    def __exit__(self, *exception: object) -> None:
        self.closed = True


@pytest.mark.parametrize(
    ("keys", "goes_on"), [((None, None, "a", None), True), ((None, "q"), False), (("esc",), False), ((None,), False)]
)
def test_a_key_goes_on_and_q_escape_or_a_closed_window_do_not(keys, goes_on):
    window = Keys(*keys)
    assert consent.wait_for_consent(window, SessionOptions(log="a.csv")) is goes_on
    (shown,) = window.shown
    assert np.array_equal(shown, notice_picture(SessionOptions(log="a.csv")))


@pytest.mark.parametrize("wh", [(640, 480), (720, 1280), (1920, 1080)])
def test_the_window_keeps_its_shape(wh):
    window = Keys("a", None)
    consent.wait_for_consent(window, SessionOptions(), ratio=wh[0] / wh[1])
    height, width = window.shown[0].shape[:2]
    assert width / height == pytest.approx(wh[0] / wh[1], rel=SAME_RATIO)


def test_in_a_window_like_a_strip_the_notice_is_still_written_whole():
    for ratio in (0.01, 100):
        window = Keys("a", None)
        consent.wait_for_consent(window, SessionOptions(), ratio=ratio)
        assert min(window.shown[0].shape[:2]) >= 360


def test_a_stop_ends_the_waiting():
    stops: Iterator[bool] = iter([False, False, True])
    window = Keys(*[None] * 9)
    assert not consent.wait_for_consent(window, SessionOptions(), stop_requested=lambda: next(stops))
    assert len(window.keys) == 7


def test_without_a_window_it_is_refused(monkeypatch):
    monkeypatch.setattr(consent, "display_available", lambda: False)
    with pytest.raises(UserError, match="none can open here"):
        consent.ask(SessionOptions(ask=True))
    monkeypatch.setattr(consent, "display_available", None)  # is not asked
    with pytest.raises(UserError, match="--no-show opens none; leave one of the two out") as error:
        live.main(["--ask", "--no-show", "--device", "cpu"])
    assert error.value.exit_code == 2


@pytest.mark.parametrize(("key", "opened"), [("q", 0), ("space", 1)])
def test_no_camera_opens_before_a_key_is_pressed(monkeypatch, key, opened):
    asked = []

    def no_camera(*arguments, **options):
        asked.append(arguments)
        raise UserError("there is none")

    monkeypatch.setattr(consent, "display_available", lambda: True)
    monkeypatch.setattr(consent, "Window", lambda title: Keys(key, None))
    monkeypatch.setattr(open_source, "open_source", no_camera)
    if opened:
        with pytest.raises(UserError, match="there is none"):
            live.main(["--ask", "--device", "cpu"])
    else:
        assert live.main(["--ask", "--device", "cpu"]) == 0
    assert len(asked) == opened
