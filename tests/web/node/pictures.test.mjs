// Resizing, mirrors, crops, network input, heatmaps by hand-made cases.
import assert from "node:assert/strict";
import { test } from "node:test";
import { cropFaces, inverse, similarity, toInput, toProbabilities } from "../../../web/page/analysis/crops.js";
import { EXPLAINERS, enlarge, heatmap } from "../../../web/page/analysis/gradcam.js";
import { bestCorrelation } from "../../../web/page/analysis/grey.js";
import { mirror, reduceToRgb, roundEven } from "../../../web/page/analysis/resize.js";

const close = (a, b, tolerance = 1e-6) => assert.ok(Math.abs(a - b) <= tolerance, `${a} is not ${b}`);
const rgbaOf = (...greys) => Uint8ClampedArray.from(greys.flatMap((grey) => [grey, grey, grey, 255]));

test("halves go to the even neighbour, as in Python", () => {
  assert.deepEqual([0.5, 1.5, 2.5, 2.4, 2.6].map(roundEven), [0, 2, 2, 2, 3]);
});

test("a reduced picture holds the means of areas, whole and in parts", () => {
  assert.deepEqual([...reduceToRgb(rgbaOf(0, 10, 20, 30), 4, 1, 2, 1)], [5, 5, 5, 25, 25, 25]);
  assert.deepEqual([...reduceToRgb(rgbaOf(0, 30, 60), 3, 1, 2, 1)], [10, 10, 10, 50, 50, 50]); // 1.5 pixels each
});

test("a mirror turns each row round", () => {
  const pixels = rgbaOf(1, 2, 3, 4, 5, 6);
  mirror(pixels, 3);
  assert.deepEqual([...pixels], [...rgbaOf(3, 2, 1, 6, 5, 4)]);
});

test("the similarity of a known turn, scale and shift is found again, and taken back", () => {
  const points = [
    [0, 0],
    [10, 0],
    [5, 7],
    [1, 12],
    [9, 12],
  ];
  const [a, b] = [1.5 * Math.cos(0.3), 1.5 * Math.sin(0.3)];
  const target = points.map(([x, y]) => [a * x - b * y + 4, b * x + a * y - 2]);
  const matrix = similarity(points, target);
  [a, -b, 4, b, a, -2].forEach((value, i) => close(matrix[i], value, 1e-12));
  const [c, d, tx] = inverse(matrix);
  close(c * target[2][0] + d * target[2][1] + tx, points[2][0], 1e-12);
  assert.equal(
    inverse(
      similarity(
        points.map(() => [3, 3]),
        target,
      ),
    ),
    null,
  ); // all in one place
});

const classifier = {
  preprocess: { size_hw: [4, 4], channels: 1, mean: null, std: null },
  luma: [0.299, 0.587, 0.114],
  finest: 4,
  standard_deviation_floor: 8,
  crop_template: [
    [0.25, 0.25],
    [0.75, 0.25],
    [0.5, 0.5],
    [0.25, 0.75],
    [0.75, 0.75],
  ],
  cells: null,
};

test("a crop of landmarks that stand where the template has them is the picture itself", () => {
  const greys = Array.from({ length: 16 }, (_, i) => 10 * i);
  const landmarks = classifier.crop_template.map(([x, y]) => [4 * x - 0.5, 4 * y - 0.5]);
  const { crops } = cropFaces({ rgba: rgbaOf(...greys), width: 4, height: 4 }, [{ landmarks }], classifier);
  assert.deepEqual(
    [...crops],
    greys.flatMap((grey) => [grey, grey, grey]),
  );
});

test("an input has mean 0 and deviation 1, a flat one stays flat, and means of channels are taken off", () => {
  const crops = Uint8Array.from({ length: 48 }, (_, i) => (i * 37) % 256);
  const { input, dims } = toInput(crops, 1, classifier);
  assert.deepEqual(dims, [1, 1, 4, 4]);
  close(
    input.reduce((sum, value) => sum + value, 0),
    0,
    1e-5,
  );
  close(input.reduce((sum, value) => sum + value ** 2, 0) / 16, 1, 1e-5);
  assert.ok(toInput(new Uint8Array(48).fill(90), 1, classifier).input.every((value) => Math.abs(value) < 1e-4));
  const colour = {
    ...classifier,
    preprocess: { size_hw: [1, 1], channels: 3, mean: [0.5, 0.4, 0], std: [0.5, 0.2, 1] },
  };
  toInput(Uint8Array.of(255, 51, 0), 1, colour).input.forEach((value, i) => close(value, [1, -1, 0][i]));
});

test("probabilities sum to 1, survive large logits, and take bias and temperature", () => {
  assert.deepEqual(toProbabilities([1000, 1000], { bias: [0, 0], temperature: 1 }), [0.5, 0.5]);
  const [first, second] = toProbabilities([1, 0], { bias: [0, 2], temperature: 0.5 }); // a logit of (0 + 2 - 1) / 0.5
  close(second, 1 / (1 + Math.exp(-2)), 1e-12);
  close(first + second, 1, 1e-12);
});

test("Grad-CAM of a 1 x 2 grid by hand", () => {
  const head = [
    [2, -4],
    [-1, -1],
  ]; // two classes, two channels
  const activation = Float32Array.of(1, 3, 0.5, 1); // A^0 = (1, 3), A^1 = (0.5, 1)
  const about = {
    tiny: 1e-6,
    classifier: { ...classifier, head, preprocess: { ...classifier.preprocess, size_hw: [1, 2] } },
  };
  // gradients head / 2: (1, -2): maps 1 - 1 = 0 and 3 - 2 = 1; class 1 is negative everywhere
  assert.deepEqual([...heatmap(activation, [1, 2], 0, "gradcam", about)], [0, 1]);
  assert.deepEqual([...heatmap(activation, [1, 2], 0, "hirescam", about)], [0, 1]);
  assert.deepEqual([...heatmap(activation, [1, 2], 1, "gradcam", about)], [0, 0]);
  const attention = EXPLAINERS.attention(activation, Float32Array.of(1, -2), 0);
  assert.deepEqual([...attention], [1.25, 10]);
  // Grad-CAM++ of channel 0: alpha = 1 / (2 + 4) in two cells, w = 1/3; channel 1 has no positive gradient
  const plus = EXPLAINERS["gradcam++"](activation, Float32Array.of(1, -2), 0);
  [1 / 3, 1].forEach((value, i) => close(plus[i], value));
});

test("a map of cells that look at pixels 0 and 4 is level outside and linear between", () => {
  const about = { cells: [0, 4], preprocess: { size_hw: [1, 6] } };
  assert.deepEqual([...enlarge(Float64Array.of(0, 1), [1, 2], about)], [0, 0.25, 0.5, 0.75, 1, 1]);
});

test("a pattern is found where it is, whatever its brightness", () => {
  const values = Uint8Array.from({ length: 25 }, (_, i) => (i * i * 7) % 100);
  const block = { values: Uint8Array.of(6, 7, 11, 12).map((at) => 2 * values[at] + 20), width: 2, height: 2 };
  close(bestCorrelation({ values, width: 5, height: 5 }, block), 1, 1e-5);
});
