"""A face that fills the frame is one face: parts go, others stay."""

from __future__ import annotations

import numpy as np

from retinaface.face import Face
from retinaface.near_faces import whole_faces


def test_parts_go_and_others_stay_by_hand():
    def face(box, score):
        return Face(np.array(box, np.float32), np.zeros((5, 2), np.float32), score)

    whole = face((0, 0, 100, 100), 0.9)
    mouth, small, beside, same = (
        face((20, 50, 70, 95), 0.95),
        face((80, 5, 90, 15), 0.8),  # smaller than a part: another face
        face((90, 0, 180, 100), 0.7),  # its centre lies outside
        face((2, 2, 99, 99), 0.6),  # the same face, found at both sizes
    )
    assert whole_faces([mouth, small, beside, same], [whole]) == [whole, small, beside]
    unsure = face((0, 0, 100, 100), 0.7)
    assert whole_faces([mouth, same], [unsure]) == [mouth, unsure]  # the part scores higher
    better = face((2, 2, 99, 99), 0.75)
    assert whole_faces([better], [unsure]) == [better]
    assert whole_faces([], [whole]) == [whole]
    assert whole_faces([mouth], []) == [mouth]
