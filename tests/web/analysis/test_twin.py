"""The page's Pipeline beside Python's over one story, shot by shot: what surrounds the networks gives the same numbers.

Stand-ins for the networks give both sides the same prepared numbers, so no rounding of theirs hides a difference. They
keep what they were asked: in frames of which sizes, of which pixels, for which crops.
"""

from __future__ import annotations

import base64

import numpy as np
import pytest
from helpers.twins.node import FRAME_OF, as_frame, twin
from helpers.twins.story import CELLS, CHANNELS, GRID_HW, MAX_FACES, NAMES, Shot, anchors_of, story

from models.checkpoint import Checkpoint
from models.classifier import Classifier
from models.engines import OnnxEngine as Classification
from models.preprocess import Preprocess
from pipeline.run import EmotionPipeline
from pipeline.tracking import Tracker
from retinaface.detector import RetinaFace
from retinaface.engines import OnnxEngine as Detection
from web.about import about

PIPELINE = """
import { Pipeline } from "./page/analysis/pipeline.js";
const plain = (_, value) => (ArrayBuffer.isView(value) ? Array.from(value) : value);
let shot, asked;
const networks = {
  detect: async (rgb, height, width) => {
    asked.push({ height, width, rgb: Buffer.from(rgb).toString("base64") });
    const [scores, boxes, landmarks] = shot.anchors[`${height}x${width}`].map((numbers) => Float32Array.from(numbers));
    return { scores, boxes, landmarks };
  },
  classify: async (input, dims) => {
    asked.push({ input, dims });
    const [logits, activation] = [shot.logits, shot.activation].map((rows) =>
      Float32Array.from(rows.slice(0, dims[0]).flat(3)));
    return { logits, activation, dims: [dims[0], ...values.layer] };
  },
};
const pipeline = new Pipeline(networks, values.about);
const shots = [];
for (shot of values.shots) {
  asked = [];
  const options = { ...shot.options, imgsz: shot.imgsz };
  if (shot.turned) pipeline.mirror(shot.frame.width);
  const seen = [await pipeline.analyse(frameOf(shot.frame), shot.timeS, options, shot.newScene)];
  for (const options of shot.again) seen.push(pipeline.explain(options));
  shots.push(JSON.parse(JSON.stringify({ asked, seen }, plain)));
}
const result = shots;"""

# Who is seen in each shot: numbers of tracks, from 1; 0 in a picture.
TRACKS = [
    *([1, 2], [2, 1], [1, 2, 3], [], [4, 2], [4, 2], [4, 2], [5, 6]),
    *([7, 8], [9, 10], [11, 9], [12], [13], [], []),
    *([14, 15], [14, 15], [14], [14], [15], [16], [17], [18], [18], [], [18], [19], [20, 18], [18], [19], [0], [18]),
    *([21], [22], [23], [23, 24], [23, 25], [23, 25], [23, 25], [23, 25]),
]


class Networks:
    """Stand-ins for the sessions of both networks: they give a shot's numbers, and keep what they were asked."""

    def __init__(self) -> None:
        self.shot = Shot(np.zeros((1, 1, 3), np.uint8), None, {})
        self.asked: list[np.ndarray] = []

    def detect(self, frames: np.ndarray) -> list[np.ndarray]:
        self.asked.append(frames[0])
        return [values[None] for values in anchors_of(self.shot.people[frames.shape[1:3]])]

    def classify(self, inputs: np.ndarray) -> list[np.ndarray]:
        self.asked.append(inputs)
        return [self.shot.logits[: len(inputs)], self.shot.activation[: len(inputs)]]


@pytest.fixture(scope="module")
def both() -> tuple[list, list]:
    """Of each shot of the story what Python's networks were asked and what they saw; the same of the page's."""
    networks, shots, told = Networks(), story(), about()
    preprocess = Preprocess.from_dict(told["classifier"]["preprocess"])
    prior = (0.4, 0.3, 0.2, 0.1)
    checkpoint = Checkpoint(
        "a stand-in", NAMES, preprocess, {}, crowd_temperature=0.8, class_prior=prior, prior_tau=0.5
    )
    head = np.random.default_rng(4).normal(size=(len(NAMES), CHANNELS)).astype(np.float32)
    engine = Classification(networks.classify, preprocess, head, cells=CELLS)
    classifier = Classifier(checkpoint, prior="balanced", engine=engine)
    detector = RetinaFace(Detection(networks.detect), max_faces=MAX_FACES)
    pipeline = EmotionPipeline(detector, classifier, tracker=Tracker())
    pythons = []
    for one in shots:
        networks.shot, networks.asked = one, []
        if one.turned:
            pipeline.mirror(one.frame.shape[1])
        faces = pipeline.detect([one.frame], imgsz=[one.imgsz])
        (seen,) = pipeline.predict([one.frame], faces, time_s=one.time_s, options=one.options, new_scene=one.new_scene)
        asked = [*networks.asked]  # without what `explain` asks again, for which the page keeps its pass
        pythons.append((asked, [seen, *(pipeline.explain(seen, options) for options in one.again)]))
    bias, temperature = classifier.bias_and_temperature["crowd"]
    told["detector"]["max_faces"] = MAX_FACES
    told["classifier"] |= {"class_names": NAMES, "bias": bias.tolist(), "temperature": temperature}
    told["classifier"] |= {"head": head.tolist(), "cells": CELLS}
    values = {"about": told, "layer": [CHANNELS, *GRID_HW], "shots": [plain(one) for one in shots]}
    return pythons, twin(FRAME_OF + PIPELINE, values)


def plain(one: Shot) -> dict:
    """A shot as JSON values."""
    anchors = {f"{height}x{width}": [values.ravel().tolist() for values in anchors_of(people)]
               for (height, width), people in one.people.items()}  # fmt: skip
    options, *again = [
        {"explainer": options.explainer, "explainClass": options.explain_class} for options in (one.options, *one.again)
    ]
    return {
        "frame": as_frame(one.frame),
        "timeS": one.time_s,
        "newScene": one.new_scene,
        "turned": one.turned,
        "imgsz": one.imgsz,
        "anchors": anchors,
        "logits": one.logits.tolist(),
        "activation": one.activation.tolist(),
        "options": options,
        "again": again,
    }


def test_the_story_holds_what_it_is_for(both):
    shots, results = story(), [seen[0] for _, seen in both[0]]
    assert [[face.track for face in result.faces] for result in results] == TRACKS
    assert {len(result.left_out) for result in results} == {0, 2}
    first = [(face.label, NAMES[one.likely[0]]) for one, result in zip(shots, results, strict=True)
             for face in result.faces[:1]]  # fmt: skip
    assert {said == likely for said, likely in first} == {True, False}  # some labels are those of before
    assert {len(one.people) for one in shots} == {1, 2}  # frames searched twice are among them


def test_the_networks_are_asked_the_same(both):
    pythons, pages = both
    for i, ((wanted, _), page) in enumerate(zip(pythons, pages, strict=True)):
        assert len(page["asked"]) == len(wanted), f"shot {i}"
        for ours, theirs in zip(page["asked"], wanted, strict=True):
            if "rgb" in ours:
                pixels = np.frombuffer(base64.b64decode(ours["rgb"]), np.uint8)
                pixels = pixels.reshape(ours["height"], ours["width"], 3)
            else:
                pixels = np.array(ours["input"]).reshape(ours["dims"])
            assert pixels.shape == theirs.shape, f"shot {i}"
            apart = np.abs(pixels - theirs.astype(float))
            assert apart.max() <= (1 if "rgb" in ours else 0.1), f"shot {i}"
            assert apart.mean() <= 0.02, f"shot {i}"


def test_the_same_is_seen_and_explained(both):
    pythons, pages = both
    for i, ((_, wanted), page) in enumerate(zip(pythons, pages, strict=True)):
        for ours, theirs in zip(page["seen"], wanted, strict=True):
            assert ours["leftOut"] == len(theirs.left_out), f"shot {i}"
            assert ours["searched"] == round(max(theirs.frame_rgb.shape[:2]) / theirs.reduced), f"shot {i}"
            assert len(ours["faces"]) == len(theirs.faces), f"shot {i}"
            for face, wanted_face in zip(ours["faces"], theirs.faces, strict=True):
                same_face(face, wanted_face)


def same_face(ours: dict, theirs) -> None:
    """Everything that the page's result of a face holds is Python's."""
    words = ("label", "explained", "track")
    assert {name: ours[name] for name in words} == {name: getattr(theirs, name) for name in words}
    numbers = {
        "box": (ours["face"]["box"], theirs.box_xyxy, 1e-3),
        "landmarks": (ours["face"]["landmarks"], theirs.landmarks_xy, 1e-3),
        "score": (ours["face"]["score"], theirs.face.score, 1e-6),
        "probabilities": (ours["probabilities"], theirs.probabilities, 1e-5),
        "confidence": (ours["confidence"], theirs.confidence, 1e-5),
        "toCrop": (ours["toCrop"], theirs.to_crop.ravel(), 5e-3),
    }
    for name, (found, wanted, tolerance) in numbers.items():
        np.testing.assert_allclose(found, wanted, atol=tolerance, err_msg=name)
    assert (ours["heatmap"] is None) == (theirs.heatmap is None)
    if theirs.heatmap is not None:
        np.testing.assert_allclose(np.reshape(ours["heatmap"], theirs.heatmap.shape), theirs.heatmap, atol=1e-4)
