"""The geometry of scenes, by hand and against the points of an ellipse."""

from __future__ import annotations

import numpy as np

from retinaface.training.geometry import placement_matrix, transform_box, transform_points


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
