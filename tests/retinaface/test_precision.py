"""Ways to compute the detector: which there are, and when two of them find the same faces."""

from __future__ import annotations

import numpy as np
import pytest

from retinaface.face import Face
from retinaface.mobilenet import MobileNetRetinaFace
from retinaface.network import RetinaFaceNetwork
from retinaface.precision import PIXELS, SCORE, alternatives, same_faces


def face(score: float = 0.9, shift: float = 0.0, *, at: float = 10.0, points: float = 0.0) -> Face:
    box_xyxy = np.array([at, at, at + 50, at + 60 + shift], np.float32)
    landmarks_xy = np.full((5, 2), at + 20, np.float32)
    landmarks_xy[3, 1] += points
    return Face(box_xyxy, landmarks_xy, score)


def test_fewer_bits_are_for_the_backbone_of_the_network_whose_range_is_known():
    ours, public = RetinaFaceNetwork(), MobileNetRetinaFace()
    layout = ["float32, channels-first"]
    fewer = ["float16 in the backbone, channels-last", "float16 in the backbone, channels-first"]
    assert list(map(str, alternatives(ours, amp=True))) == layout + fewer
    assert list(map(str, alternatives(ours, amp=False))) == layout
    assert list(map(str, alternatives(public, amp=True))) == layout


@pytest.mark.parametrize(
    ("first", "other", "same"),
    [
        ([face(0.9), face(0.7, at=200)], [face(0.7, at=200), face(0.9 + 0.9 * SCORE, 0.9 * PIXELS)], True),
        ([face(0.9)], [face(0.9 + 1.1 * SCORE)], False),
        ([face()], [face(shift=1.1 * PIXELS)], False),
        ([face()], [face(points=1.1 * PIXELS)], False),
        ([face(), face(0.5 + SCORE / 2, at=200)], [face()], True),  # as near to the threshold as scores may differ
        ([face(), face(0.7, at=200)], [face()], False),
        ([face()], [face(), face(0.7, at=200)], False),
        ([], [], False),  # no face tells nothing
        ([face(np.nan)], [face(np.nan)], False),
    ],
)
def test_faces_are_the_same_within_the_bounds(first, other, same):
    assert same_faces(first, other, conf=0.5) is same
