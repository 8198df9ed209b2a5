"""How annotations move with a picture, by hand."""

from __future__ import annotations

import numpy as np

from retinaface.training.geometry import MIRRORED_LANDMARKS, box_area, clip_box, transform_box, transform_points

TURNED = np.array([[0.0, -1, 100], [1, 0, 0]])  # a quarter of a turn


def test_points_and_boxes_are_turned():
    np.testing.assert_allclose(transform_points(np.array([[10.0, 20], [0, 0]]), TURNED), [[80, 10], [100, 0]])
    boxes = np.array([[10.0, 20, 30, 60], [0, 0, 10, 10]])
    np.testing.assert_allclose(transform_box(boxes, TURNED), [[40, 10, 80, 30], [90, 0, 100, 10]])
    np.testing.assert_allclose(transform_box(boxes[0], TURNED), [40, 10, 80, 30])


def test_a_turned_face_keeps_the_box_of_its_ellipse():
    angle = np.pi / 4
    matrix = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0]])
    moved = transform_box(np.array([-30.0, -40, 30, 40]), matrix)
    turn = np.linspace(0, 2 * np.pi, 10_000)
    outline = transform_points(np.stack([30 * np.cos(turn), 40 * np.sin(turn)], axis=1), matrix)
    np.testing.assert_allclose(moved, [*outline.min(axis=0), *outline.max(axis=0)], atol=1e-4)


def test_clipping_and_areas():
    boxes, frame = np.array([[-5.0, -5, 10, 10], [30, 30, 40, 40]]), np.array([0, 0, 20, 20])
    np.testing.assert_allclose(clip_box(boxes, frame), [[0, 0, 10, 10], [20, 20, 20, 20]])
    assert box_area(clip_box(boxes, frame)).tolist() == [100, 0]
    assert box_area(np.array([10, 10, 5, 20])) == 0


def test_mirrored_twice_is_as_before():
    order = np.array(MIRRORED_LANDMARKS)
    assert order[order].tolist() == [0, 1, 2, 3, 4]
    assert order.tolist() == [1, 0, 2, 4, 3]  # the eyes change places, so do the mouth's corners


def test_a_stretched_and_turned_face_keeps_the_box_of_its_ellipse():
    matrix = np.array([[0.5, -1.5, 3], [2.0, 0.25, 4]])
    moved = transform_box(np.array([-30.0, -40, 30, 40]), matrix)
    turn = np.linspace(0, 2 * np.pi, 10_000)
    outline = transform_points(np.stack([30 * np.cos(turn), 40 * np.sin(turn)], axis=1), matrix)
    np.testing.assert_allclose(moved, [*outline.min(axis=0), *outline.max(axis=0)], atol=1e-3)
