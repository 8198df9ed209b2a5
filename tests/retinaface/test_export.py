"""The detector's deployable form: what its metadata say is enough to find the faces."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import onnx
import onnxruntime
import pytest

from retinaface.detector import SHIPPED, RetinaFace
from retinaface.export import metadata_of

FILE = SHIPPED.with_suffix(".onnx")


def test_the_shipped_file_is_that_of_the_shipped_weights():
    digest = hashlib.sha256(SHIPPED.read_bytes()).hexdigest()
    assert digest.encode() in FILE.read_bytes(), "run python -m retinaface.export, and commit what it writes"
    onnx.checker.check_model(onnx.load(FILE), full_check=True)


def test_a_program_with_the_file_alone_finds_the_face(portrait):
    """The best anchor, with nothing but what the metadata say."""
    session = onnxruntime.InferenceSession(FILE, providers=["CPUExecutionProvider"])
    found = session.get_modelmeta().custom_metadata_map
    about = {key: json.loads(value) for key, value in found.items() if key != "file_sha256"}
    assert about | metadata_of() == about, "run python -m retinaface.export, and commit what it writes"
    scores, boxes, landmarks = session.run(None, {"input": portrait[None]})
    best = int(scores[0].argmax())
    (face,) = RetinaFace.from_file(imgsz=None, conf=about["conf"])([portrait])[0]
    assert face.score == pytest.approx(scores[0, best], abs=1e-6)
    np.testing.assert_allclose(boxes[0, best], face.box_xyxy, atol=0.01 * face.size)  # before the vote
    np.testing.assert_allclose(landmarks[0, best], face.landmarks_xy, atol=0.03 * face.size)
