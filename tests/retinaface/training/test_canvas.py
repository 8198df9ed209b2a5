"""A scene under construction: which faces are visible, and where; geometry by hand and by the points of an ellipse."""

from __future__ import annotations

import numpy as np

from retinaface.training.annotations import Picture
from retinaface.training.canvas import Canvas, placement_matrix, transform_box, transform_points

BOX = np.array([[70, 50, 130, 130]], np.float32)
LANDMARKS = np.array([[[85, 75], [115, 75], [100, 95], [88, 112], [112, 112]]], np.float32)
NOTHING = np.empty((0, 4), np.float32)


FACE = Picture("p", np.zeros((200, 200, 3), np.uint8), BOX, LANDMARKS, NOTHING, NOTHING, complete=False)


def test_a_face_cut_by_the_edge_is_clipped_and_a_sliver_is_ignored():
    canvas = Canvas(np.zeros((100, 100, 3), np.uint8))
    canvas.add(FACE, np.array([[1.0, 0, -95], [0, 1, -50]]), mirror=False)  # box at -25..35: seven twelfths visible
    canvas.add(FACE, np.array([[1.0, 0, -120], [0, 1, -50]]), mirror=False)  # box at -50..10: one sixth visible
    np.testing.assert_allclose(canvas.boxes, [[0, 0, 35, 80]])
    np.testing.assert_allclose(canvas.landmarks[0], LANDMARKS[0] - [95, 50])
    np.testing.assert_allclose(canvas.ignore, [[0, 0, 10, 80]])


def test_covers_a_face_tells_whether_a_patch_would_hide_one():
    canvas = Canvas(np.zeros((100, 100, 3), np.uint8))
    canvas.boxes = np.array([[20, 20, 60, 60]])
    here = np.array([[1.0, 0, 20], [0, 1, 20]])
    assert canvas.covers_a_face(here, (30, 30))
    assert not canvas.covers_a_face(here + np.array([[0, 0, 45], [0, 0, 0]]), (30, 30))


def test_a_mirrored_face_swaps_its_left_and_right_landmarks():
    canvas = Canvas(np.zeros((200, 200, 3), np.uint8))
    canvas.add(FACE, np.array([[-1.0, 0, 199], [0, 1, 0]]), mirror=True)
    expected = [[84, 75], [114, 75], [99, 95], [87, 112], [111, 112]]  # x becomes 199 - x; left stays left
    np.testing.assert_allclose(canvas.landmarks[0], expected)


def test_geometry_by_hand():
    matrix = placement_matrix((11, 21), 90, np.array([50.0, 50.0]), np.eye(2))
    np.testing.assert_allclose(transform_points(np.array([[10.0, 5.0], [20.0, 5.0]]), matrix), [[50, 50], [50, 60]])
    mirrored = placement_matrix((11, 21), 0, np.array([50.0, 50.0]), np.diag([-1, 1]))
    np.testing.assert_allclose(transform_points(np.array([20.0, 5.0]), mirrored), [40, 50])
    quarter = np.array([[0.0, -1, 100], [1, 0, 0]])
    np.testing.assert_allclose(transform_box(np.array([10, 20, 30, 60.0]), quarter), [40, 10, 80, 30])
    turned = transform_box(np.array([-20.0, -20, 20, 20]), placement_matrix((1, 1), 45, np.zeros(2), np.eye(2)))
    np.testing.assert_allclose(turned, [-20, -20, 20, 20])  # a circle turned is a circle


def test_the_box_of_a_sheared_face_is_that_of_its_ellipse():
    matrix = placement_matrix((40, 50), 20, np.array([30.0, 30]), np.array([[-1.1, 0.1], [0, 1 / 1.1]]))
    turn = np.linspace(0, 2 * np.pi, 3601)
    edge = transform_points(np.array([20, 19]) + [15, 11] * np.stack([np.cos(turn), np.sin(turn)], axis=1), matrix)
    found = transform_box(np.array([5.0, 8, 35, 30]), matrix)
    np.testing.assert_allclose(found, [*edge.min(axis=0), *edge.max(axis=0)], atol=1e-3)
