"""The page's numbers are Python's: a dozen faces through both networks in Chromium and in Python's ONNX Runtime.

Compared are raw outputs, boxes, landmarks, crops, logits and the heat of every class, not only of the likeliest one:
probabilities near 1 would hide differences.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import cv2
import numpy as np
import pytest
from helpers.browsers.chromium import Chromium

from data.sources.sample import portrait, sample_frame
from models.classifier import Classifier
from pipeline.crops import crop_faces
from pipeline.run import EmotionPipeline
from retinaface.detector import RetinaFace
from web.about import MAX_FACES, about

OPEN = """
globalThis.opened ??= (async () => {
  const about = await (await fetch("about.json")).json();
  const { openEngine } = await import("/engine.js");
  return { about, engine: await openEngine(about, "wasm", 1) };
})();
await opened; true"""
HELPERS = """
const bytes = (text) => Uint8ClampedArray.from(atob(text), (sign) => sign.charCodeAt(0));
const base64 = (array) => {
  const view = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  let text = "";
  for (let i = 0; i < view.length; i += 32768) text += String.fromCharCode(...view.subarray(i, i + 32768));
  return btoa(text);
};
"""


def in_page(page: Chromium, body: str, **values: object) -> Any:
    """What an async function of the page returns, with `values`, `about` and `engine` in its reach."""
    page.evaluate(f"(async () => {{ {OPEN} }})()")
    return page.evaluate(
        f"(async () => {{ const {{ about, engine }} = await opened; const values = {json.dumps(values)};"
        f" {HELPERS} {body} }})()"
    )


def floats(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), np.float32)


def rgba(frame_rgb: np.ndarray) -> str:
    return base64.b64encode(cv2.cvtColor(frame_rgb, cv2.COLOR_RGB2RGBA).tobytes()).decode()


WARPS = (("collins", 88), ("hopper", 15), ("hopper", 69), ("hopper", 42), ("hopper", 55), ("hopper", 43))


def warped_portraits() -> np.ndarray:
    """(480, 640, 3): the portraits through smooth warps whose seeds give several expressions: a face bent at random
    looks happy, neutral, sad or angry to the network."""
    frame = np.full((480, 640, 3), 128, np.uint8)
    x, y = np.meshgrid(np.arange(200, dtype=np.float32), np.arange(200, dtype=np.float32))
    for i, (name, seed) in enumerate(WARPS):
        rng = np.random.default_rng(seed)
        fields = [cv2.GaussianBlur(rng.normal(size=(200, 200)).astype(np.float32), (0, 0), 9) for _ in range(2)]
        across, down = (8 * field / field.std() for field in fields)  # pixels
        face = cv2.resize(portrait(name)[:380, 60:440], (200, 200))
        top, left = 20 + 230 * (i // 3), 10 + 210 * (i % 3)
        frame[top : top + 200, left : left + 200] = cv2.remap(
            face, x + across, y + down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
    return frame


PICTURES = {
    "the sample": lambda: sample_frame(0),
    "six expressions": warped_portraits,
    "a face that fills the frame": lambda: cv2.resize(portrait()[20:340, 80:400], (480, 480)),
    "a frame that is reduced": lambda: cv2.resize(sample_frame(300, (720, 960)), (1000, 750)),
}


@pytest.fixture(scope="module")
def detector() -> RetinaFace:
    return RetinaFace.from_file(engine="onnx", threads=1, max_faces=MAX_FACES)


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier.from_file(engine="onnx", threads=1)


def test_raw_outputs(page, detector):
    frame = sample_frame(0, (240, 320))
    raw = in_page(
        page,
        """const rgb = bytes(values.rgba).filter((_, i) => i % 4 < 3);
        const out = await engine.detect(new Uint8Array(rgb), 240, 320);
        return [out.scores, out.boxes, out.landmarks].map(base64);""",
        rgba=rgba(frame),
    )
    for ours, theirs, tolerance in zip(raw, detector.engine(frame[None]), (5e-6, 1e-4, 1e-4), strict=True):
        np.testing.assert_allclose(floats(ours), np.asarray(theirs).ravel(), atol=tolerance)


@pytest.mark.parametrize("name", PICTURES)
def test_faces_crops_logits_and_heat(page, detector, classifier, name):
    frame = PICTURES[name]()
    (wanted,) = detector([frame])
    found = in_page(
        page,
        """const { detect } = await import("/analysis/detector.js");
        const { cropFaces, toInput } = await import("/analysis/crops.js");
        const { heatmap } = await import("/analysis/gradcam.js");
        const frame = { rgba: bytes(values.rgba), width: values.width, height: values.height };
        const faces = await detect(frame, engine.detect, { imgsz: about.page.imgsz, about: about.detector });
        const { crops } = cropFaces(frame, faces, about.classifier);
        const { input, dims } = toInput(crops, faces.length, about.classifier);
        const { logits, activation, dims: [count, channels, h, w] } = await engine.classify(input, dims);
        const one = (i) => activation.subarray(i * channels * h * w, (i + 1) * channels * h * w);
        const heat = faces.flatMap((_, i) => about.classifier.class_names.map((_, k) =>
          base64(heatmap(one(i), [h, w], k, "gradcam", about))));
        const plus = faces.map((_, i) => base64(heatmap(one(i), [h, w], 3, "gradcam++", about)));
        return { faces, crops: base64(crops), logits: base64(logits), heat, plus };""",
        rgba=rgba(frame),
        width=frame.shape[1],
        height=frame.shape[0],
    )
    assert len(found["faces"]) == len(wanted) > 0
    for ours, theirs in zip(found["faces"], wanted, strict=True):
        assert ours["score"] == pytest.approx(theirs.score, abs=5e-6)
        np.testing.assert_allclose(ours["box"], theirs.box_xyxy, atol=1e-3)
        np.testing.assert_allclose(ours["landmarks"], theirs.landmarks_xy, atol=1e-3)
    crops, _ = crop_faces(frame, wanted, size=classifier.size_hw[0])
    ours = np.frombuffer(base64.b64decode(found["crops"]), np.uint8).reshape(crops.shape)
    assert np.abs(ours.astype(int) - crops).max() <= 1
    logits = floats(found["logits"]).reshape(len(crops), -1)
    same_crops = classifier.forward(ours)  # what the network makes of equal crops is equal to rounding
    np.testing.assert_allclose(logits, same_crops.logits, atol=2e-5)
    prediction = classifier.forward(crops)
    np.testing.assert_allclose(logits, prediction.logits, atol=2e-2)
    size = (len(crops), len(classifier.class_names), *classifier.size_hw)
    heat = np.stack([floats(text) for text in found["heat"]]).reshape(size)
    for k in range(size[1]):  # rounding is enlarged where a map is divided by a small maximum
        np.testing.assert_allclose(heat[:, k], same_crops.heatmaps(k, "gradcam"), atol=1e-3)
        np.testing.assert_allclose(heat[:, k], prediction.heatmaps(k, "gradcam"), atol=2e-2)
    plus = np.stack([floats(text) for text in found["plus"]]).reshape(len(crops), *classifier.size_hw)
    np.testing.assert_allclose(plus, same_crops.heatmaps(3, "gradcam++"), atol=1e-3)


def test_labels_and_percentages_are_those_that_live_shows(page):
    frame = PICTURES["six expressions"]()
    found = in_page(
        page,
        """const { Pipeline } = await import("/analysis/pipeline.js");
        const frame = { rgba: bytes(values.rgba), width: 640, height: 480 };
        const options = { explainer: null, explainClass: null, imgsz: about.page.imgsz };
        const { faces } = await new Pipeline(engine, about).analyse(frame, null, options);
        return faces.map(({ label, confidence, probabilities }) => ({ label, confidence, probabilities }));""",
        rgba=rgba(frame),
    )
    (wanted,) = EmotionPipeline.from_files(engine="onnx", threads=1, max_faces=MAX_FACES)([frame])
    assert [face["label"] for face in found] == [face.label for face in wanted.faces]
    for ours, theirs in zip(found, wanted.faces, strict=True):
        np.testing.assert_allclose(ours["probabilities"], theirs.probabilities, atol=5e-3)
        assert ours["confidence"] == max(ours["probabilities"])


def test_a_dozen_faces_and_several_expressions_were_compared(detector, classifier):
    labels, count = set(), 0
    for make in PICTURES.values():
        frame = make()
        (faces,) = detector([frame])
        prediction = classifier.forward(crop_faces(frame, faces, size=classifier.size_hw[0])[0])
        labels |= {classifier.class_names[i] for i in prediction.probabilities.argmax(axis=1)}
        count += len(faces)
    assert count >= 12
    assert len(labels) >= 4, labels


def test_the_sample_looks_as_in_python(page):
    text = in_page(
        page,
        """const { openSample } = await import("/app/sample.js");
        const sample = await openSample(about);
        const { rgba, timeS } = await sample.next();
        sample.close();
        return { rgba: base64(rgba), index: Math.round(timeS * about.sample.fps) };""",
    )
    ours = np.frombuffer(base64.b64decode(text["rgba"]), np.uint8).reshape(480, 640, 4)[..., :3]
    difference = np.abs(cv2.blur(ours, (9, 9)).astype(int) - cv2.blur(sample_frame(text["index"]), (9, 9)))
    assert np.percentile(difference, 99) < 6
    assert difference.mean() < 1.5


def test_the_samples_time_does_not_run_backwards_when_it_pauses(page):
    times = in_page(
        page,
        """const { openSample } = await import("/app/sample.js");
        const sample = await openSample(about);
        const times = [(await sample.next()).timeS];
        for (let i = 0; i < 4; i++) {
          const waited = sample.next();
          sample.pause(true);
          times.push((await waited).timeS);
          sample.pause(false);
          times.push((await sample.next()).timeS);
        }
        sample.close();
        return times;""",
    )
    assert times == sorted(set(times))


def test_about_holds_what_the_files_say(page):
    told, own = in_page(page, "return about;"), about()
    assert told == json.loads(json.dumps(own))
