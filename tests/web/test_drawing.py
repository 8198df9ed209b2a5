"""What is painted over the picture, in Chromium: heat as Python paints it, a message in the picture or beside it."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import cv2
import numpy as np
from helpers.browsers.chromium import Chromium
from helpers.browsers.page import close_source, messages_held, wait_for_frames

from data.sources.sample import portrait
from pipeline.drawing.heat import paint_heatmaps
from pipeline.options import SessionOptions
from pipeline.run import FaceResult
from retinaface.face import Face

SHOWN = "getComputedStyle(document.getElementById('message')).clipPath === 'none'"


def faces_with_heat(rng: np.random.Generator) -> list[FaceResult]:
    """Three with smooth heat: two whose crops, one of them turned, overlap, and one apart."""
    nobody = Face(box_xyxy=np.zeros(4, np.float32), landmarks_xy=np.zeros((5, 2), np.float32), score=0.9)
    faces = []
    for centre, tilt, scale in (((90, 80), 0, 0.5), ((130, 100), 20, 0.4), ((250, 180), -10, 0.6)):
        to_crop = cv2.getRotationMatrix2D(centre, tilt, scale)
        to_crop[:, 2] += np.array((24, 24)) - centre
        heat = cv2.GaussianBlur(rng.uniform(size=(48, 48)).astype(np.float32), (0, 0), 6)
        heat = (heat - heat.min()) / (heat.max() - heat.min())
        faces.append(FaceResult(nobody, np.ones(1), "happiness", 1.0, heat, "happiness", to_crop))
    return faces


def painted(page: Chromium, faces: list[FaceResult], *, scale: float) -> np.ndarray:
    """(240, 320, 3) uint8 RGB: heat over grey as the page paints it on a canvas `scale` times as dense."""
    values = [{"heatmap": face.heatmap.ravel().tolist(), "toCrop": face.to_crop.ravel().tolist()} for face in faces]
    page.evaluate("import('/drawing/heat.js').then((module) => { globalThis.heat = module; })")
    page.evaluate("fetch('about.json').then((a) => a.json()).then((about) => { globalThis.about = about; })")
    address = page.evaluate(
        f"""(() => {{
        const make = () => document.createElement("canvas");
        const canvas = Object.assign(make(), {{ width: {320 * scale}, height: {240 * scale} }});
        const ctx = canvas.getContext("2d");
        ctx.fillStyle = "rgb(120 120 120)";
        ctx.fillRect(0, 0, canvas.width, canvas.height);
        new heat.HeatPainter(about, make).paint(ctx, {json.dumps(values)}, 48, {scale});
        return canvas.toDataURL(); }})()"""
    )
    png = np.frombuffer(base64.b64decode(address.partition(",")[2]), np.uint8)
    return cv2.resize(cv2.imdecode(png, cv2.IMREAD_COLOR), (320, 240), interpolation=cv2.INTER_AREA)[..., ::-1]


def test_heat_is_pythons_also_where_crops_overlap(page, rng):
    faces = faces_with_heat(rng)
    wanted = np.full((240, 320, 3), 120, np.uint8)
    paint_heatmaps(wanted, faces, alpha=SessionOptions.alpha)
    for scale in (1, 2):
        difference = np.abs(painted(page, faces, scale=scale).astype(int) - wanted)
        assert np.percentile(difference, 99) <= 12  # at the crops' edges Python's heat fades, the page's ends
        assert difference.mean() < 1.0
    apart = np.full((240, 320, 3), 120, np.uint8)
    for face in faces:  # one upon the other it adds up, which is another picture
        paint_heatmaps(apart, [face], alpha=SessionOptions.alpha)
    assert np.abs(apart.astype(int) - wanted).max() > 40


def test_a_message_stands_in_the_picture_and_beside_one_that_has_no_room(page, tmp_path: Path):
    """A screen reader finds it in either case."""
    for picture, shown in ((portrait(), False), (np.ascontiguousarray(portrait()[:8]), True)):
        path = tmp_path / f"{shown}.png"
        cv2.imwrite(str(path), picture[..., ::-1])
        page.upload("#file", path)
        wait_for_frames(page, 1)
        with messages_held(page):
            page.evaluate("document.dispatchEvent(new DragEvent('drop')); true")
            page.wait_for("document.getElementById('message').textContent.startsWith('drop a picture')")
            assert page.evaluate(SHOWN) is shown
            assert "status" in {node["role"] for node in page.accessibility_tree()}
        assert page.evaluate("document.getElementById('message').textContent") == ""
        assert "status" in {node["role"] for node in page.accessibility_tree()}  # it is known before it speaks
        close_source(page)
