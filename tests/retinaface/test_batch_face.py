"""The optional backend: what it does with nothing; that its faces are ours is in test_detector.py."""

from __future__ import annotations

import numpy as np
import pytest

from retinaface.detector import SHIPPED
from support import UserError

pytest.importorskip("batch_face")

from retinaface.batch_face import BatchFaceDetector


def test_no_face_no_frame_and_no_weights(tmp_path, public_weights):
    detector = BatchFaceDetector.from_file(public_weights)
    assert detector([np.full((64, 64, 3), 128, np.uint8)]) == [[]]
    assert detector([]) == []
    with pytest.raises(UserError, match="no file"):
        BatchFaceDetector.from_file(tmp_path / "none.pth")
    with pytest.raises(UserError, match="runs the public RetinaFace"):
        BatchFaceDetector.from_file(SHIPPED)
