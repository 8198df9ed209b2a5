// Anchors, decoding, suppression, votes and whole faces by hand-made cases (tests/retinaface has the same in Python).
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  anchorsFor,
  decode,
  detect,
  facesFrom,
  iou,
  nonMaximumSuppression,
  voteLandmarks,
  wholeFaces,
} from "../../../web/page/analysis/detector.js";

const about = {
  strides: [8, 16],
  sizes: [[16, 32], [64]],
  centre_variance: 0.1,
  size_variance: 0.2,
  conf: 0.5,
  iou_threshold: 0.4,
  containment: 0.9,
  voting_iou: 0.6,
  near: 256,
  whole_score: 0.8,
  part: 0.15,
  alone: 1.25,
  same_iou: 0.5,
  candidates: 1000,
  max_faces: 20,
};
const face = (box, score, at = 0) => ({ box, score, landmarks: Array.from({ length: 5 }, () => [at, at]) });

test("anchors stand in the middle of each cell, finest grid first, rows before columns", () => {
  const anchors = anchorsFor(9, 17, about); // 2 x 3 cells of 8 with two anchors each, 1 x 2 cells of 16 with one
  assert.equal(anchors.length / 4, 2 * 3 * 2 + 1 * 2);
  assert.deepEqual([...anchors.slice(0, 12)], [4, 4, 16, 16, 4, 4, 32, 32, 12, 4, 16, 16]);
  assert.deepEqual([...anchors.slice(-4)], [24, 8, 64, 64]);
});

test("offsets of zero are the anchor itself; those of one move by a tenth and grow by e^0.2", () => {
  const anchors = Float32Array.of(100, 50, 20, 40);
  const zero = { scores: Float32Array.of(0.9), boxes: new Float32Array(4), landmarks: new Float32Array(10) };
  assert.deepEqual(decode(zero, 0, anchors, about).box, [90, 30, 110, 70]);
  const one = {
    scores: Float32Array.of(0.9),
    boxes: new Float32Array(4).fill(1),
    landmarks: new Float32Array(10).fill(1),
  };
  const moved = decode(one, 0, anchors, about);
  assert.ok(Math.abs(moved.box[2] - moved.box[0] - 20 * Math.exp(0.2)) < 1e-9);
  assert.deepEqual(moved.landmarks[4], [102, 54]);
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
  const [best, near, far] = [
    face([0, 0, 100, 100], 0.9, 10),
    face([2, 2, 102, 102], 0.3, 50),
    face([60, 60, 160, 160], 0.9, 99),
  ];
  const [x] = voteLandmarks(best, [best, near, far], about)[0];
  assert.ok(Math.abs(x - (0.9 * 10 + 0.3 * 50) / 1.2) < 1e-9);
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
  const count = anchorsFor(64, 64, about).length / 4;
  const outputs = {
    scores: new Float32Array(count).fill(0.4),
    boxes: new Float32Array(4 * count),
    landmarks: new Float32Array(10 * count),
  };
  assert.deepEqual(facesFrom(outputs, 64, 64, about), []);
});

test("a large frame is searched reduced, and its faces come back in its own pixels", async () => {
  const asked = [];
  const network = async (rgb, height, width) => {
    asked.push([rgb.length, height, width]);
    const count = anchorsFor(height, width, about).length / 4;
    const scores = new Float32Array(count);
    scores[0] = 0.9; // a 16 pixel anchor at (4, 4)
    return { scores, boxes: new Float32Array(4 * count), landmarks: new Float32Array(10 * count) };
  };
  const frame = { rgba: new Uint8ClampedArray(128 * 64 * 4), width: 128, height: 64 };
  const [found] = await detect(frame, network, { imgsz: 64, about });
  assert.deepEqual(asked, [[64 * 32 * 3, 32, 64]]);
  assert.deepEqual(found.box, [-7.5, -7.5, 24.5, 24.5]);
});
