"""The annotated picture: a new array, any frame, any number of faces."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from helpers.turned_faces import CROP, NAMES, noise, spot, turned_face

from pipeline.drawing.overlay import Overlay, Show, Status, draw, paint_window
from pipeline.run import FrameResult

EVERYTHING: dict[str, Any] = {
    "show": Show(keys=(("q", "quit"), ("?", "help"))),
    "status": Status(24.0, "cpu", "gradcam", "happiness", True, True, "saved snapshot.png"),
}


@pytest.mark.parametrize("options", [{}, EVERYTHING])
@pytest.mark.parametrize("step", [1, -1])
def test_the_frame_stays_as_it_was(options, step):
    frame = noise(240, 320)[:, ::step]
    kept = frame.copy()
    frame.setflags(write=False)
    result = FrameResult(frame, (turned_face((150, 120), degrees=20, heatmap=spot(16, 16)),), NAMES)
    drawn = draw(result, **options)
    assert (frame == kept).all()
    assert not np.shares_memory(drawn, frame)
    assert (drawn.shape, drawn.dtype) == (frame.shape, np.uint8)
    assert (drawn != frame).any()
    copied = dataclasses.replace(result, frame_rgb=kept)
    assert (draw(copied, **options) == drawn).all()  # a mirrored view is drawn like its copy


def test_bars_do_not_jump_between_the_sides_of_a_face_that_jitters():
    rng, background = np.random.default_rng(0), np.full((480, 640, 3), 120, np.uint8)
    steady, sides, sides_anew = Overlay(), [], []
    for _ in range(30):
        face = dataclasses.replace(turned_face((465.0, 240.0) + rng.normal(0, 1.0, 2), side=120), track=1)
        result = FrameResult(background, (face,), NAMES)
        for draw_it, kept in ((steady.draw, sides), (draw, sides_anew)):
            rows = (draw_it(result)[200:280] != background[200:280]).any(axis=(0, 2))
            kept.append(bool(rows[: int(face.box_xyxy[0]) - 10].any()))
    assert np.diff(sides_anew).sum() > 5
    assert np.diff(sides).sum() <= 1


def test_nothing_is_kept_of_faces_without_a_track():
    """Of one in the upper right corner, whose label stands below and whose bars stand at its left."""
    background, overlay = np.full((480, 640, 3), 120, np.uint8), Overlay()
    corner = FrameResult(background, (turned_face((580.0, 40.0)),), NAMES)
    for y in range(50, 130, 5):
        result = FrameResult(background, (turned_face((320.0, float(y))),), NAMES)
        overlay.draw(corner)
        np.testing.assert_array_equal(overlay.draw(result), draw(result))


@pytest.mark.parametrize("size_hw", [(480, 640), (1080, 1920), (120, 160), (97, 61), (33, 300), (8, 8), (1, 1)])
@pytest.mark.parametrize("count", [0, 1, 30])
def test_any_frame_and_any_number_of_faces(size_hw, count):
    height, width = size_hw
    rng = np.random.default_rng(count)
    faces = tuple(
        turned_face(
            rng.uniform(-0.1, 1.1, 2) * [width, height] if i else np.array([5000, -900]),  # one far away
            side=rng.uniform(0.05, 0.3) * min(size_hw),
            degrees=rng.uniform(-60, 60),
            heatmap=spot(16, 16),
            label=NAMES[i % 8],
        )
        for i in range(count)
    )
    for options in ({}, EVERYTHING):
        drawn = draw(FrameResult(np.full((*size_hw, 3), 128, np.uint8), faces, NAMES), **options)
        assert drawn.shape == (*size_hw, 3)


@pytest.mark.parametrize("background", [0, 255])
def test_what_is_switched_off_is_not_drawn(background):
    result = FrameResult(
        np.full((480, 640, 3), background, np.uint8), (turned_face((250, 240), heatmap=spot(16, 16)),), NAMES
    )
    full = draw(result)
    for show in (Show(alpha=0.0), Show(bars=False), Show(keys=(("q", "quit"),))):
        assert (draw(result, show=show) != full).any()
    beside = np.s_[200:280, 305:420]  # right of the box, where the bars stand
    assert (full[beside] != background).any()
    assert (draw(result, show=Show(bars=False))[beside] == background).all()


def test_the_colour_of_a_box_tells_classes_of_any_names_apart():
    names, boxes = ("cat", "dog"), []
    for name in names:
        face = dataclasses.replace(turned_face((150, 120)), label=name)
        drawn = draw(FrameResult(np.full((240, 320, 3), 90, np.uint8), (face,), names), show=Show(bars=False))
        boxes.append(drawn[140:164, 106:130])  # its lower left corner
    assert (boxes[0] != boxes[1]).any()


def test_the_notice_is_always_there_and_the_status_line_when_told():
    empty = FrameResult(np.full((480, 640, 3), 255, np.uint8), (), NAMES)
    plain = draw(empty)
    assert (plain[440:, :300] != 255).any()
    assert (plain[:430] == 255).all()
    assert (draw(empty, status=Status(fps=12.0))[:50] != 255).any()


def test_the_window_that_a_network_saw_is_a_thin_line():
    window = np.array([[40.0, 50.0], [120.0, 50.0], [120.0, 110.0], [40.0, 110.0]])
    face = turned_face((80, 80), side=120, heatmap=np.zeros((CROP, CROP), np.float32))
    framed = dataclasses.replace(face, window_xy=window)
    frame = np.full((160, 200, 3), 128, np.uint8)
    canvas = frame.copy()
    paint_window(canvas, framed, colour=(250, 200, 0))
    line = np.concatenate([canvas[[50, 110], 80], canvas[80, [40, 120]]])
    assert (abs(line.astype(int) - (250, 200, 0)) < 40).all()  # smoothed, it is a little darker
    assert (canvas[[49, 51], 80] < 128).all()  # its edge
    y, x = np.mgrid[:160, :200]
    off = np.maximum(abs(x - 80) - 40, abs(y - 80) - 30)  # pixels outside the window's edge
    assert not (canvas != frame).any(axis=2)[abs(off) > 3].any()
    drawn = [draw(FrameResult(frame, (one,), NAMES), show=Show(bars=False)) for one in (face, framed)]
    assert (drawn[0] != drawn[1]).any()
    paint_window(canvas, dataclasses.replace(face, window_xy=1e9 * window), colour=(250, 200, 0))  # far away
