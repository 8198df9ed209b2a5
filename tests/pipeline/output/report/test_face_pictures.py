"""The report's pictures, decoded again."""

from __future__ import annotations

import base64
import xml.etree.ElementTree as ET

import cv2
import numpy as np

from gradcam import TURBO_RGB
from models.preprocess import CROP_TEMPLATE
from pipeline.crops import crop_matrix
from pipeline.output.report.face_pictures import (
    HEAT_SIDE,
    OPACITY,
    SIDE,
    drawn_face,
    face_with_heat,
    heat_uri,
    jpeg_uri,
)
from pipeline.run import FaceResult
from retinaface.face import Face


def decoded(uri: str) -> np.ndarray:
    kind, _, encoded = uri.partition(";base64,")
    assert kind in ("data:image/png", "data:image/jpeg")
    return cv2.imdecode(np.frombuffer(base64.b64decode(encoded), np.uint8), cv2.IMREAD_UNCHANGED)


def test_a_heatmap_keeps_its_heights_as_colour_and_opacity():
    heatmap = np.linspace(0, 1, 32 * 32, dtype=np.float32).reshape(32, 32)
    bgra = decoded(heat_uri(heatmap))
    np.testing.assert_allclose(bgra[..., 3] / 255, OPACITY * heatmap, atol=0.004)
    height = np.round(255 * heatmap).astype(int)
    np.testing.assert_array_equal(bgra[..., 2::-1], TURBO_RGB[height, 0])


def test_a_large_heatmap_is_made_small():
    assert decoded(heat_uri(np.zeros((112, 112), np.float32))).shape == (HEAT_SIDE, HEAT_SIDE, 4)


def test_the_drawn_face_has_its_eyes_where_crops_have_them():
    root = ET.fromstring(f"<svg>{drawn_face(np.zeros((8, 8), np.float32))}</svg>")
    pupils = [(float(c.get("cx")), float(c.get("cy"))) for c in root.iter("circle")]
    np.testing.assert_allclose(pupils, 100 * CROP_TEMPLATE[:2], atol=0.06)
    assert len(list(root.iter("image"))) == 1


def test_a_face_is_cut_out_aligned_with_its_heat():
    frame = np.full((200, 200, 3), 128, np.uint8)
    landmarks = (CROP_TEMPLATE * 80 + [60, 40]).astype(np.float32)
    cv2.circle(frame, landmarks[2].astype(int).tolist(), 8, (0, 0, 255), -1)  # a blue nose
    face = Face(np.array([60, 40, 140, 120], np.float32), landmarks, 0.9)
    heatmap = np.zeros((16, 16), np.float32)
    result = FaceResult(face, np.array([1.0]), "fear", 1.0, heatmap, "fear", crop_matrix(face, 16), 1)
    plain = decoded(jpeg_uri(face_with_heat(frame, result)))
    assert plain.shape == (SIDE, SIDE, 3)
    nose = (CROP_TEMPLATE[2] * SIDE).astype(int)
    assert plain[nose[1], nose[0], 0] > 200
    assert plain[nose[1], nose[0], 2] < 60
    heatmap[:4] = 1
    hot = decoded(jpeg_uri(face_with_heat(frame, result))).astype(int)
    changed = np.abs(hot - plain).sum(axis=2)
    assert changed[: SIDE // 8].min() > 60
    assert changed[SIDE // 2 :].max() < 20
