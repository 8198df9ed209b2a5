"""Aligned crops: the geometry by hand, the pixels by what was painted."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from models.preprocess import CROP_TEMPLATE
from pipeline.crops import crop_faces, crop_matrix, crop_rects, matrices_from, points_in_frame, similarity
from retinaface.face import Face


def face_at(matrix: np.ndarray, size: int = 48) -> Face:
    """A face whose landmarks lie where `matrix` (2, 3), crop to frame, puts the template."""
    points = (CROP_TEMPLATE * size - 0.5) @ matrix[:, :2].T + matrix[:, 2]
    return Face(np.array([0, 0, 10, 10], np.float32), points.astype(np.float32), 1.0)


def turn(angle_deg: float, scale: float, shift: tuple[float, float]) -> np.ndarray:
    a = np.deg2rad(angle_deg)
    rotation = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    return np.column_stack([scale * rotation, shift])


@pytest.mark.parametrize(("angle", "scale", "shift"), [(0, 1, (0, 0)), (30, 2.5, (100, 40)), (-75, 0.4, (-3, 9))])
def test_similarity_finds_the_turn_scale_and_shift(rng, angle, scale, shift):
    points = rng.uniform(0, 50, (5, 2))
    matrix = turn(angle, scale, shift)
    np.testing.assert_allclose(similarity(points, points @ matrix[:, :2].T + matrix[:, 2]), matrix, atol=1e-9)


def test_similarity_is_opencvs_least_squares(rng):
    points, target = rng.uniform(0, 50, (2, 5, 2))
    found = similarity(points, target)

    def error(m):
        return ((points @ m[:, :2].T + m[:, 2] - target) ** 2).sum()

    for _ in range(50):  # nothing near it is better
        step = rng.normal(0, 1e-3, 4)
        other = found + np.array([[step[0], -step[1], step[2]], [step[1], step[0], step[3]]])
        assert error(found) <= error(other) + 1e-9
    assert np.linalg.det(found[:, :2]) > 0


def test_points_of_a_crop_lie_in_the_frame_where_its_landmarks_do():
    face = face_at(turn(30, 2.5, (100, 40)))
    found = points_in_frame(CROP_TEMPLATE * 48 - 0.5, crop_matrix(face, 48))
    np.testing.assert_allclose(found, face.landmarks_xy, atol=1e-4)
    assert points_in_frame(np.zeros((4, 2)), np.zeros((2, 3))) is None


def test_landmarks_in_one_place_make_no_noise():
    matrix = similarity(np.ones((5, 2)), CROP_TEMPLATE)
    assert np.isfinite(matrix).all()
    crops, _ = crop_faces(np.zeros((20, 20, 3), np.uint8), [Face(np.zeros(4), np.ones((5, 2)), 1.0)], size=48)
    assert crops.shape == (1, 48, 48, 3)


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("angle", [0, 40])
def test_a_picture_put_into_a_frame_comes_out_again(portrait, scale, angle):
    """A 48-pixel picture, enlarged and turned into a frame, is cropped back to itself."""
    original = cv2.resize(portrait[40:230, 128:318], (48, 48), interpolation=cv2.INTER_AREA)
    smooth = cv2.GaussianBlur(original, (0, 0), 1.5)
    matrix = turn(angle, scale, (150, 90))
    frame = cv2.warpAffine(smooth, matrix, (400, 300), flags=cv2.INTER_CUBIC)
    crops, matrices = crop_faces(frame, [face_at(matrix)], size=48)
    difference = np.abs(crops[0].astype(float) - smooth)[4:-4, 4:-4]
    assert difference.mean() < (6 if scale < 1 else 2.5)
    np.testing.assert_allclose(matrices[0][:, :2] @ matrix[:, :2], np.eye(2), atol=1e-5)


def test_a_large_face_is_averaged_not_picked(rng):
    """Pixel noise in a face six times as large as the crop is nearly gone, as in a reduced photograph."""
    noise = rng.normal(128, 40, (300, 300, 1)).clip(0, 255).astype(np.uint8).repeat(3, axis=2)
    crops, _ = crop_faces(noise, [face_at(turn(0, 6, (3, 3)))], size=48)
    assert crops.std() < 40 / 3


def test_faces_at_the_edge_and_no_faces():
    frame = np.full((60, 60, 3), 99, np.uint8)
    crops, _ = crop_faces(frame, [face_at(turn(0, 1, (-30, -30)))], size=48)
    assert (crops == 99).all()  # the edge's pixels go on: no black corner for the network to look at
    crops, matrices = crop_faces(frame, [], size=48)
    assert crops.shape == (0, 48, 48, 3)
    assert matrices.shape == (0, 2, 3)


def test_rectangles_hold_crops_and_a_pixel_around_within_the_frame():
    turns = [turn(25, 2.0, (120, 60)), turn(-70, 3.5, (10, 200)), turn(0, 1.0, (-500, 0))]
    matrices = np.array([*(crop_matrix(face_at(matrix), 48) for matrix in turns), np.zeros((2, 3))])
    rects = crop_rects(matrices, 48, size_hw=(220, 300))
    for rect, matrix in zip(rects[:2], matrices, strict=False):
        corners = points_in_frame(np.array([(x, y) for x in (-1, 48) for y in (-1, 48)]), matrix)
        wanted = [*np.floor(corners.min(axis=0)), *np.ceil(corners.max(axis=0)) + 1]
        np.testing.assert_array_equal(rect, np.clip(wanted, 0, [300, 220, 300, 220]))
    assert ((rects[2:, 0] == rects[2:, 2]) | (rects[2:, 1] == rects[2:, 3])).all()  # beyond the frame; nowhere
    assert crop_rects(matrices[:0], 48, size_hw=(9, 9)).shape == (0, 4)


def test_a_rectangles_pixels_lie_in_the_crop_where_those_of_the_frame_do():
    to_crop = crop_matrix(face_at(turn(25, 2.0, (120, 60))), 48)
    (from_rect,) = matrices_from(np.array([[100, 50, 300, 220]]), to_crop[None])
    np.testing.assert_allclose(from_rect @ [7, 9, 1], to_crop @ [107, 59, 1])


@pytest.mark.parametrize("scale", [1.0, 2.5, 4.0])
def test_each_pixel_of_a_crop_is_the_frames_where_its_centre_lies(scale):
    """A ramp keeps its value under any average: half a block's shift would show."""
    ramp = np.broadcast_to(np.arange(256, dtype=np.uint8)[None, :, None], (256, 256, 3)).copy()
    (crop,), _ = crop_faces(ramp, [face_at(turn(0, scale, (20, 20)))], size=48)
    assert abs((crop[..., 0] - (np.arange(48) * scale + 20)).mean()) < 0.15
