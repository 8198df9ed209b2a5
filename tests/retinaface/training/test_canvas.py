"""A scene under construction: which faces are visible, and where."""

from __future__ import annotations

import numpy as np

from retinaface.training.annotations import Picture
from retinaface.training.canvas import Canvas

BOX = np.array([[70, 50, 130, 130]], np.float32)
LANDMARKS = np.array([[[85, 75], [115, 75], [100, 95], [88, 112], [112, 112]]], np.float32)
NOTHING = np.empty((0, 4), np.float32)


def test_a_face_cut_by_the_edge_is_clipped_and_a_sliver_is_ignored():
    canvas = Canvas(np.zeros((100, 100, 3), np.uint8))
    face = Picture("p", np.zeros((200, 200, 3), np.uint8), BOX, LANDMARKS, NOTHING, NOTHING, complete=False)
    canvas.add(face, np.array([[1.0, 0, -95], [0, 1, -50]]), mirror=False)  # box at -25..35: seven twelfths visible
    canvas.add(face, np.array([[1.0, 0, -120], [0, 1, -50]]), mirror=False)  # box at -50..10: one sixth visible
    boxes, landmarks, ignore = canvas.targets()
    np.testing.assert_allclose(boxes, [[0, 0, 35, 80]])
    np.testing.assert_allclose(landmarks[0], LANDMARKS[0] - [95, 50])
    np.testing.assert_allclose(ignore, [[0, 0, 10, 80]])


def test_covers_a_face_tells_whether_a_patch_would_hide_one():
    canvas = Canvas(np.zeros((100, 100, 3), np.uint8))
    canvas.boxes.append(np.array([20, 20, 60, 60], np.float32))
    here = np.array([[1.0, 0, 20], [0, 1, 20]])
    assert canvas.covers_a_face(here, (30, 30))
    assert not canvas.covers_a_face(here + np.array([[0, 0, 45], [0, 0, 0]]), (30, 30))


def test_a_mirrored_face_swaps_its_left_and_right_landmarks():
    canvas = Canvas(np.zeros((200, 200, 3), np.uint8))
    face = Picture("p", np.zeros((200, 200, 3), np.uint8), BOX, LANDMARKS, NOTHING, NOTHING, complete=False)
    canvas.add(face, np.array([[-1.0, 0, 199], [0, 1, 0]]), mirror=True)
    expected = [[84, 75], [114, 75], [99, 95], [87, 112], [111, 112]]  # x becomes 199 - x; left stays left
    np.testing.assert_allclose(canvas.landmarks[0], expected)
