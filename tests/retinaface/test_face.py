"""Face: one detection."""

import numpy as np
import pytest

from retinaface.face import Face


def test_size_is_the_side_of_a_square_as_large():
    face = Face(np.array([10, 20, 50, 110], np.float32), np.zeros((5, 2), np.float32), 0.9)
    assert face.size == pytest.approx(60)  # sqrt(40 * 90)


def test_a_face_moves_with_its_landmarks():
    face = Face(np.array([10, 20, 50, 110], np.float32), np.full((5, 2), 30, np.float32), 0.9).moved((3, 200))
    assert face.box_xyxy.tolist() == [13, 220, 53, 310]
    assert face.landmarks_xy.tolist() == [[33, 230]] * 5
