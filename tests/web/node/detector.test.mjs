// Outputs, suppression, votes and whole faces by hand-made cases (tests/retinaface has the same in Python).
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  detect,
  faceAt,
  facesFrom,
  iou,
  nonMaximumSuppression,
  vote,
  wholeFaces,
} from "../../../web/page/analysis/detector.js";
import { Pipeline } from "../../../web/page/analysis/pipeline.js";

const about = {
  conf: 0.5,
  iou_threshold: 0.4,
  containment: 0.9,
  voting_iou: 0.6,
  voting_share: 0.5,
  box_power: 32,
  near: 256,
  possible: 0.3,
  whole_score: 0.8,
  part: 0.15,
  alone: 1.25,
  same_iou: 0.5,
  candidates: 1000,
  max_faces: 20,
  farthest: 1e6,
};
const face = (box, score, at = 0) => ({ box, score, landmarks: Array.from({ length: 5 }, () => [at, at]) });

test("an anchor's numbers are its face", () => {
  const counted = (length) => Float32Array.from({ length }, (_, i) => i);
  const outputs = { scores: Float32Array.of(0, 0.5), boxes: counted(8), landmarks: counted(20) };
  const landmarks = [10, 12, 14, 16, 18].map((i) => [i, i + 1]);
  assert.deepEqual(faceAt(outputs, 1), { score: 0.5, box: [4, 5, 6, 7], landmarks });
});

test("of two boxes that overlap the better stays, and of one inside another too", () => {
  assert.equal(iou([0, 0, 10, 10], [5, 0, 15, 10]), 1 / 3);
  assert.equal(iou([0, 0, 0, 0], [0, 0, 0, 0]), 0);
  const [best, same, inside, other] = [
    face([0, 0, 100, 100], 0.9),
    face([5, 5, 105, 105], 0.8),
    face([40, 40, 60, 60], 0.7),
    face([90, 90, 190, 190], 0.6),
  ];
  assert.deepEqual(nonMaximumSuppression([best, same, inside, other], about), [best, other]);
});

test("anchors that agree vote on landmarks by their scores", () => {
  const [best, near, far, unsure, others] = [
    face([0, 0, 100, 100], 0.9, 10),
    face([2, 2, 102, 102], 0.6, 50),
    face([60, 60, 160, 160], 0.9, 99),
    face([2, 2, 102, 102], 0.44, 99),
    face([2, 2, 102, 102], 0.95, 99), // of a face that suppressed it
  ];
  const voted = vote(best, [best, near, far, unsure, others], about);
  assert.ok(Math.abs(voted.landmarks[0][0] - (0.9 * 10 + 0.6 * 50) / 1.5) < 1e-9);
  assert.ok(Math.abs(voted.box[0]) < 1e-4);
});

test("a box lies between two anchors that are equally good", () => {
  const [best, equal, worse] = [
    face([0, 0, 100, 100], 0.8),
    face([4, 0, 104, 100], 0.8),
    face([4, 0, 104, 100], 0.76),
  ];
  assert.deepEqual(vote(best, [best, equal], about).box, [2, 0, 102, 100]);
  const expected = (4 * 0.76 ** 32) / (0.76 ** 32 + 0.8 ** 32);
  assert.ok(Math.abs(vote(best, [best, worse], about).box[0] - expected) < 1e-9);
});

test("of a large face only what is possible changes faces that are", () => {
  const sure = face([0, 0, 400, 400], 0.6);
  const doubtful = face([100, 0, 500, 400], 0.2); // an IoU of 0.6
  assert.deepEqual(wholeFaces([sure], [doubtful], 330, about), [sure]);
  const whole = face([100, 0, 500, 400], 0.5);
  assert.deepEqual(wholeFaces([face([0, 0, 400, 400], 0.2)], [whole], 330, about), [whole]);
});

test("what is large and not found in the smaller frame is a blur", () => {
  const [whole, blur] = [face([0, 0, 400, 400], 0.9), face([500, 0, 900, 400], 0.95)];
  assert.deepEqual(wholeFaces([whole, blur], [whole], 256, about), [whole]);
  assert.deepEqual(wholeFaces([whole, blur], [whole], 330, about), [blur, whole]);
});

test("anchors that score less than a face may vote on its landmarks", () => {
  const outputs = (conf) => {
    const boxes = Float32Array.of(0, 0, 100, 100, 2, 2, 102, 102);
    const landmarks = Float32Array.from({ length: 20 }, (_, i) => (i < 10 ? 10 : 50));
    return facesFrom({ scores: Float32Array.of(0.5, 0.26), boxes, landmarks }, { ...about, conf });
  };
  assert.deepEqual(outputs(0.5), outputs(0.05));
  assert.ok(outputs(0.5)[0].landmarks[0][0] > 10);
});

test("a face found in a smaller frame takes the place of its parts, not of a small neighbour", () => {
  const whole = face([0, 0, 400, 400], 0.85);
  const [mouth, child] = [face([100, 250, 300, 380], 0.95), face([10, 10, 40, 40], 0.9)];
  assert.deepEqual(wholeFaces([mouth, child], [whole], 256, about), [child, whole]);
  const unsure = face([0, 0, 400, 400], 0.6);
  assert.deepEqual(
    wholeFaces([mouth], [unsure], 256, about).map(({ score }) => score),
    [0.95, 0.6],
  );
  assert.deepEqual(wholeFaces([mouth], [face([0, 0, 200, 200], 0.9)], 256, about), [mouth]); // small there, too
});

test("a face found in both frames is blended by its size", () => {
  const [at, half, beyond] = [256, 288, 400].map((side) => face([0, 0, side, side], 0.9, 0));
  const box = (one) =>
    wholeFaces(
      [one],
      [
        face(
          one.box.map((value) => value + 8),
          0.7,
          8,
        ),
      ],
      256,
      about,
    )[0].box[0];
  assert.equal(box(at), 0);
  assert.equal(box(half), 4);
  assert.equal(box(beyond), 8);
});

test("nothing above the threshold is no face", () => {
  const count = 9;
  const outputs = {
    scores: new Float32Array(count).fill(0.29),
    boxes: new Float32Array(4 * count),
    landmarks: new Float32Array(10 * count),
  };
  assert.deepEqual(facesFrom(outputs, about), []);
});

test("numbers that mean nothing are refused", () => {
  const good = { scores: [0.9], boxes: [1, 1, 9, 9], landmarks: Array(10).fill(5) };
  const of = (outputs) =>
    Object.fromEntries(Object.entries(outputs).map(([name, values]) => [name, Float32Array.from(values)]));
  assert.equal(facesFrom(of(good), about).length, 1);
  for (const bad of [
    { scores: [NaN] },
    { scores: [1.5] },
    { boxes: [1, 1, 2e6, 9] },
    { boxes: [1, NaN, 9, 9] },
    { landmarks: Array(10).fill(-Infinity) },
  ]) {
    assert.throws(() => facesFrom(of({ ...good, ...bad }), about), /the detector gives numbers that mean nothing/);
  }
});

test("logits or activations that are not finite are refused", async () => {
  const classifier = {
    class_names: ["neutral", "happiness"],
    preprocess: { size_hw: [8, 8], channels: 1, mean: null, std: null },
    luma: [1, 0, 0],
    standard_deviation_floor: 1,
    crop_template: Array.from({ length: 5 }, (_, i) => [i / 5, (i % 2) / 5]),
    finest: 1,
  };
  const frame = { rgba: new Uint8ClampedArray(32 * 32 * 4), width: 32, height: 32 };
  const detect = async () => ({
    scores: Float32Array.of(0.9),
    boxes: Float32Array.of(4, 4, 20, 20),
    landmarks: Float32Array.from({ length: 10 }, (_, i) => 4 + i),
  });
  for (const [logit, value] of [
    [NaN, 1],
    [1, Infinity],
  ]) {
    const classify = async () => ({ logits: Float32Array.of(1, logit), activation: Float32Array.of(value), dims: [] });
    const pipeline = new Pipeline({ detect, classify }, { detector: about, classifier, tracking: {} });
    const options = { explainer: null, explainClass: null, imgsz: 32 };
    await assert.rejects(pipeline.analyse(frame, null, options), /numbers that are not finite/);
  }
});

test("what may be a near face is searched for in a smaller frame, which decides", async () => {
  const asked = [];
  const network = (inSmaller) => async (_, height) => {
    asked.push(height);
    const side = 0.9 * height;
    const scores = Float32Array.of(height === 320 ? 0.4 : inSmaller);
    return { scores, boxes: Float32Array.of(0, 0, side, side), landmarks: new Float32Array(10) };
  };
  const frame = { rgba: new Uint8ClampedArray(320 * 320 * 4), width: 320, height: 320 };
  const found = await detect(frame, network(0.7), { imgsz: 640, about });
  assert.deepEqual(
    found.map(({ score }) => score),
    [Math.fround(0.7)],
  );
  assert.deepEqual(await detect(frame, network(0.4), { imgsz: 640, about }), []);
  assert.deepEqual(asked, [320, 160, 320, 160]);
});

test("a large frame is searched reduced, and its faces come back in its own pixels", async () => {
  const asked = [];
  const network = async (rgb, height, width) => {
    asked.push([rgb.length, height, width]);
    return { scores: Float32Array.of(0.9), boxes: Float32Array.of(-4, -4, 12, 12), landmarks: new Float32Array(10) };
  };
  const frame = { rgba: new Uint8ClampedArray(128 * 64 * 4), width: 128, height: 64 };
  const [found] = await detect(frame, network, { imgsz: 64, about });
  assert.deepEqual(asked, [[64 * 32 * 3, 32, 64]]);
  assert.deepEqual(found.box, [-7.5, -7.5, 24.5, 24.5]);
});
