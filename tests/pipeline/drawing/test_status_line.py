"""The status line, the notice, messages and the list of keys: what they say, and that they stay in the frame."""

import itertools

import numpy as np
import pytest

from pipeline.drawing.primitives import Rect
from pipeline.drawing.status_line import NOTICE, Status, paint_keys, paint_text_box, place_texts, status_items
from pipeline.drawing.text import text_size

FULL = Status(23.7, "cuda:0", "gradcam", "happiness", paused=True, recording=True, message="saved snapshot.png")
KEYS = (("q / Esc", "quit"), ("space", "pause, or the next picture"), ("?", "this help"))
FRAMES = [Rect(0, 0, 640, 480), Rect(0, 0, 1920, 1080), Rect(0, 0, 320, 240), Rect(0, 0, 161, 97), Rect(0, 0, 5, 3)]


def size_of(frame):
    return text_size((frame.height, frame.width))


def boxes_of(frame):
    texts, bounds, message = place_texts(FULL, faces=3, frame=frame, size=size_of(frame))
    assert all(box.rect.inside(bounds) for box in message)
    assert not any(box.rect.intersects(bounds) for box in texts)
    return [*texts, *message]


@pytest.mark.parametrize(
    ("status", "faces", "texts"),
    [
        (FULL, 3, ["recording", "24 fps · cuda:0 · 3 faces", "heat: gradcam for happiness", "paused"]),
        (Status(), 0, ["no face"]),
        (Status(fps=7.31, device="cpu"), 1, ["7.3 fps · cpu · 1 face"]),
        (Status(explainer="gradcam"), 2, ["2 faces", "heat: gradcam"]),
        (Status(explain_class="fear"), 2, ["2 faces"]),
    ],
)
def test_the_status_line_says_what_is_on_and_leaves_out_what_is_not(status, faces, texts):
    assert [text for text, _ in status_items(status, faces=faces)] == texts


def test_limits_of_the_search_are_said_in_it():
    limits = {"--max-faces": "20 of 37 faces; --max-faces", "--imgsz": "searched at 640 of 4032 px; --imgsz"}
    items = status_items(Status(fps=7.31, device="cpu"), faces=20, limits=limits)
    assert [text for text, _ in items] == [
        "7.3 fps · cpu · 20 of 37 faces; --max-faces",
        "searched at 640 of 4032 px; --imgsz",
    ]


@pytest.mark.parametrize("frame", FRAMES)
def test_text_boxes_lie_in_the_frame_and_apart(frame):
    rects = [box.rect for box in boxes_of(frame)]
    assert all(rect.inside(frame) for rect in rects)
    assert not any(one.intersects(other) for one, other in itertools.combinations(rects, 2))


def test_ordinary_frames_show_them_all():
    for frame in FRAMES[:2]:
        lines = [line for box in boxes_of(frame) for line in box.lines]
        assert lines[-1] == "saved snapshot.png"
        assert " ".join(lines[4:-1]) == NOTICE
        assert len(lines) == 6
    (notice,), _, message = place_texts(None, faces=0, frame=FRAMES[2], size=9)
    assert (" ".join(notice.lines), message) == (NOTICE, [])


@pytest.mark.parametrize("frame", FRAMES[:3])
@pytest.mark.parametrize("background", [0, 255])
def test_text_and_icons_stay_on_their_panels(frame, background):
    canvas = np.full((frame.height, frame.width, 3), background, np.uint8)
    for box in boxes_of(frame):
        paint_text_box(canvas, box)
        ink = np.ptp(box.rect.view(canvas).astype(int), axis=(0, 1))
        assert ink.max() > 120  # letters stand out
        box.rect.view(canvas)[:] = background
    assert (canvas == background).all()


def test_a_notice_that_finds_no_room_is_left_out_not_cut():
    notices = []
    for width in range(20, 400, 20):
        texts, _, _ = place_texts(Status(), faces=0, frame=Rect(0, 0, width, 3000), size=40)
        notices += [" ".join(box.lines) for box in texts if box.rect.top > 1500]
    assert 0 < len(notices) < 19
    assert set(notices) == {NOTICE}


def test_the_list_of_keys_covers_the_middle_and_fits():
    for frame in FRAMES[:3]:
        canvas = np.full((frame.height, frame.width, 3), 255, np.uint8)
        paint_keys(canvas, KEYS, size=size_of(frame))
        assert canvas[frame.height // 2, frame.width // 2].max() < 255
        edge = np.concatenate([canvas[0], canvas[-1], canvas[:, 0], canvas[:, -1]])
        assert (edge == 255).all()
    canvas = np.full((30, 40, 3), 255, np.uint8)
    paint_keys(canvas, KEYS, size=9)
    assert (canvas == 255).all()  # where it cannot fit it stays away
