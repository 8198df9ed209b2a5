"""The annotated picture: a new array, heat where the crop was cut and nowhere else, any frame, any number of faces."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from gradcam import blend
from pipeline.crops import back_to_frame, crop_matrix
from pipeline.drawing.overlay import Overlay, Show, Status, draw, paint_heatmaps, paint_window
from pipeline.run import FaceResult, FrameResult
from retinaface.face import Face

NAMES = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
CROP = 32
EVERYTHING: dict[str, Any] = {
    "show": Show(keys=(("q", "quit"), ("?", "help"))),
    "status": Status(24.0, "cpu", "gradcam", "happiness", True, True, "saved snapshot.png"),
}


def turned_face(centre_xy, *, side=100.0, degrees=0.0, heatmap=None, label="happiness"):
    """A face whose crop is a square of about `side` pixels, turned."""
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = np.array([[-0.18, -0.12], [0.18, -0.12], [0, 0.085], [-0.14, 0.257], [0.14, 0.257]])
    landmarks = side * points @ turn.T + centre_xy
    box = np.array([*(centre_xy - 0.4 * np.array([side, side])), *(centre_xy + 0.4 * np.array([side, side]))])
    found = Face(box.astype(np.float32), landmarks.astype(np.float32), 0.9)
    probabilities = np.full(len(NAMES), 0.02, np.float32)
    probabilities[NAMES.index(label)] = 0.86
    return FaceResult(found, probabilities, label, 0.86, heatmap, label, crop_matrix(found, CROP))


def spot(column, row, *, spread=2.0):
    """(CROP, CROP) float32: a round spot of heat."""
    y, x = np.mgrid[:CROP, :CROP]
    return np.exp(-((x - column) ** 2 + (y - row) ** 2) / (2 * spread**2)).astype(np.float32)


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def crop_coordinates(matrix, height, width):
    """(height, width, 2): where each pixel of the frame lies in the crop."""
    y, x = np.mgrid[:height, :width]
    return np.stack([matrix[i, 0] * x + matrix[i, 1] * y + matrix[i, 2] for i in (0, 1)], axis=-1)


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


@pytest.mark.parametrize("centre", [(150, 120), (5, 10), (315, 230)])
@pytest.mark.parametrize("degrees", [0, 33, -75])
def test_heat_changes_nothing_outside_the_crop_square(centre, degrees):
    face = turned_face(centre, degrees=degrees, heatmap=np.ones((CROP, CROP), np.float32))
    frame = np.full((240, 320, 3), 90, np.uint8)
    canvas = frame.copy()
    paint_heatmaps(canvas, [face], alpha=0.5)
    place = crop_coordinates(face.to_crop, 240, 320)
    changed = (canvas != frame).any(axis=2)
    inside = ((place >= 0) & (place <= CROP - 1)).all(axis=2)
    outside = ((place <= -1) | (place >= CROP)).any(axis=2)  # between the two: the crop's last pixel fades out
    assert changed[inside].all()
    assert not changed[outside].any()


@pytest.mark.parametrize(
    ("heatmap", "alpha", "side"),
    [
        (np.zeros((CROP, CROP), np.float32), 1.0, 100),
        (spot(16, 16), 0.0, 100),
        (None, 1.0, 100),
        (spot(16, 16), 1.0, 0),  # landmarks that all lie in one place
    ],
)
def test_no_heat_no_strength_or_no_crop_leaves_every_pixel(heatmap, alpha, side):
    frame = noise(240, 320)
    canvas = frame.copy()
    paint_heatmaps(canvas, [turned_face((150, 120), side=side, degrees=20, heatmap=heatmap)], alpha=alpha)
    assert (canvas == frame).all()


@pytest.mark.parametrize("alpha", [0.3, 0.55, 1.0])
def test_heat_is_that_of_the_explainers_own_picture(alpha):
    """The overlay paints in whole numbers what `gradcam.blend` computes in floats."""
    heatmap = np.random.default_rng(1).random((CROP, CROP)).astype(np.float32)
    face, background = turned_face((150, 120), degrees=20, heatmap=heatmap), noise(240, 320)
    canvas = background.copy()
    paint_heatmaps(canvas, [face], alpha=alpha)
    whole = back_to_frame(heatmap, face.to_crop, rect_xyxy=np.array([0, 0, 320, 240]))
    away = np.abs(canvas.astype(int) - blend(background, whole, alpha=alpha))
    assert away.max() <= 8  # a step of one in 256 heights
    assert away.mean() < 0.5


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
