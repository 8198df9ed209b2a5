"""Face: one detection."""

import numpy as np
import pytest

from retinaface.face import Face


def test_size_is_the_side_of_a_square_as_large():
    face = Face(np.array([10, 20, 50, 110], np.float32), np.zeros((5, 2), np.float32), 0.9)
    assert face.size == pytest.approx(60)  # sqrt(40 * 90)
