"""The detector's deployable form: what its metadata say is enough to find the faces."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import onnx
import onnxruntime
import pytest

from retinaface.detector import SHIPPED, RetinaFace

FILE = SHIPPED.with_suffix(".onnx")


def test_the_shipped_file_is_that_of_the_shipped_weights():
    digest = hashlib.sha256(SHIPPED.read_bytes()).hexdigest()
    assert digest.encode() in FILE.read_bytes(), "run python -m retinaface.export, and commit what it writes"
    onnx.checker.check_model(onnx.load(FILE), full_check=True)


def test_a_program_with_the_file_alone_finds_the_face(portrait):
    """The best anchor, decoded from the metadata by hand."""
    session = onnxruntime.InferenceSession(FILE, providers=["CPUExecutionProvider"])
    found = session.get_modelmeta().custom_metadata_map
    about = {key: json.loads(value) for key, value in found.items() if key != "file_sha256"}
    scores, boxes, landmarks = session.run(None, {"input": portrait[None]})
    best = int(scores[0].argmax())
    anchors = []
    for stride, sizes in zip(about["strides"], about["sizes"], strict=True):
        cells = -(-512 // stride)
        anchors += [
            ((x + 0.5) * stride, (y + 0.5) * stride, size) for y in range(cells) for x in range(cells) for size in sizes
        ]
    assert len(anchors) == scores.shape[1]
    x, y, size = anchors[best]
    dx, dy, dw, dh = boxes[0, best]
    x, y = x + dx * about["centre_variance"] * size, y + dy * about["centre_variance"] * size
    half = np.exp(np.array([dw, dh]) * about["size_variance"]) * size / 2
    (face,) = RetinaFace.from_file(imgsz=None, conf=about["conf"])([portrait])[0]
    np.testing.assert_allclose([x - half[0], y - half[1], x + half[0], y + half[1]], face.box_xyxy, atol=0.01)
    points = anchors[best][:2] + landmarks[0, best].reshape(5, 2) * about["centre_variance"] * size
    np.testing.assert_allclose(points, face.landmarks_xy, atol=0.03 * face.size)  # before the vote
    assert face.score == pytest.approx(scores[0, best], abs=1e-6)
