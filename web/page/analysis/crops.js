/**
 * Aligned square crops of faces, and the network's input made of them: the twin of pipeline/crops.py and
 * models/preprocess.py.
 *
 * In:  a frame of RGBA pixels, faces with landmarks.
 * Out: crops (N, S, S, 3) RGB and matrices from frame to crop; the input (N, C, S, S); probabilities from logits.
 */
import { between, roundMean } from "./resize.js";

/** @typedef {import("../types.js").Matrix} Matrix @typedef {import("../types.js").AboutClassifier} AboutClassifier */

/**
 * Turn, scale and shift that bring `points` closest to `target` (Umeyama 1991, in two dimensions, as complex numbers).
 * @param {number[][]} points @param {number[][]} target @returns {Matrix}
 */
export function similarity(points, target) {
  const mean = (/** @type {number[][]} */ xy) =>
    [0, 1].map((axis) => xy.reduce((sum, p) => sum + p[axis], 0) / xy.length);
  const [zx, zy] = mean(points);
  const [wx, wy] = mean(target);
  let real = 0,
    imaginary = 0,
    spread = 0;
  points.forEach(([x, y], i) => {
    const [u, v] = [target[i][0] - wx, target[i][1] - wy];
    real += (x - zx) * u + (y - zy) * v;
    imaginary += (x - zx) * v - (y - zy) * u;
    spread += (x - zx) ** 2 + (y - zy) ** 2;
  });
  const a = spread > 0 ? real / spread : 0;
  const b = spread > 0 ? imaginary / spread : 0;
  return [a, -b, wx - a * zx + b * zy, b, a, wy - b * zx - a * zy];
}

/**
 * From the crop back to the frame; null where the matrix is one of zeros.
 * @param {Matrix} matrix @returns {Matrix | null}
 */
export function inverse([a, b, tx, c, d, ty]) {
  const determinant = a * d - b * c;
  if (Math.abs(determinant) < 1e-12) return null;
  const [e, f, g, h] = [d / determinant, -b / determinant, -c / determinant, a / determinant];
  return [e, f, -(e * tx + f * ty), g, h, -(g * tx + h * ty)];
}

/**
 * @param {import("../types.js").Frame} frame @param {import("../types.js").Face[]} faces
 * @param {AboutClassifier} about
 * @returns {{crops: Uint8Array, matrices: Matrix[], size: number}} crops (N, size, size, 3)
 */
export function cropFaces(frame, faces, about) {
  const size = about.preprocess.size_hw[0];
  const target = about.crop_template.map(([x, y]) => [x * size - 0.5, y * size - 0.5]);
  const matrices = faces.map((face) => similarity(face.landmarks, target));
  const crops = new Uint8Array(faces.length * size * size * 3);
  matrices.forEach((matrix, i) => warp(frame, matrix, size, about.finest, crops.subarray(i * size * size * 3)));
  return { crops, matrices, size };
}

/**
 * One crop, linear between pixels; beyond the edge the outermost pixels are repeated. A face larger than the crop is
 * sampled finely and averaged: picking single pixels would alias.
 * @param {import("../types.js").Frame} frame @param {Matrix} matrix @param {number} size @param {number} finest
 * @param {Uint8Array} out
 */
export function warp({ rgba, width, height }, matrix, size, finest, out) {
  const scale = Math.hypot(matrix[0], matrix[3]);
  const finer = scale > 0 ? Math.min(Math.max(Math.ceil(1 / scale), 1), finest) : 1;
  const round = roundMean(finer);
  const [a, b, tx, c, d, ty] = inverse(matrix) ?? [0, 0, 0, 0, 0, 0];
  const [lastX, lastY, count] = [width - 1, height - 1, finer * finer];
  for (let row = 0, to = 0; row < size; row++) {
    for (let column = 0; column < size; column++, to += 3) {
      let red = 0,
        green = 0,
        blue = 0;
      for (let k = 0; k < count; k++) {
        const u = column + ((k % finer) + 0.5) / finer - 0.5;
        const v = row + (Math.floor(k / finer) + 0.5) / finer - 0.5;
        const x = Math.min(Math.max(a * u + b * v + tx, 0), lastX);
        const y = Math.min(Math.max(c * u + d * v + ty, 0), lastY);
        const left = Math.floor(x);
        const top = Math.floor(y);
        const upper = 4 * (top * width + left);
        const lower = top < lastY ? upper + 4 * width : upper;
        const right = left < lastX ? 4 : 0;
        red += between(rgba, upper, lower, right, x - left, y - top);
        green += between(rgba, upper + 1, lower + 1, right, x - left, y - top);
        blue += between(rgba, upper + 2, lower + 2, right, x - left, y - top);
      }
      out[to] = round(red / count);
      out[to + 1] = round(green / count);
      out[to + 2] = round(blue / count);
    }
  }
}

/**
 * Crops (N, S, S, 3) RGB as the network wants them.
 * @param {Uint8Array} crops @param {number} count @param {AboutClassifier} about
 * @returns {{input: Float32Array, dims: number[]}} (N, channels, S, S)
 */
export function toInput(crops, count, about) {
  const {
    channels,
    mean,
    std,
    size_hw: [height, width],
  } = about.preprocess;
  const pixels = height * width;
  const input = new Float32Array(count * channels * pixels);
  for (let n = 0; n < count; n++) {
    const crop = crops.subarray(n * pixels * 3, (n + 1) * pixels * 3);
    const planes = input.subarray(n * channels * pixels, (n + 1) * channels * pixels);
    for (let i = 0; i < pixels; i++) {
      const rgb = crop.subarray(3 * i, 3 * i + 3);
      if (channels === 1) planes[i] = rgb[0] * about.luma[0] + rgb[1] * about.luma[1] + rgb[2] * about.luma[2];
      else for (let c = 0; c < channels; c++) planes[c * pixels + i] = rgb[c];
    }
    if (mean && std) {
      for (let i = 0; i < planes.length; i++) {
        const c = Math.floor(i / pixels);
        planes[i] = (planes[i] / 255 - mean[c]) / std[c];
      }
    } else standardise(planes, about.standard_deviation_floor);
  }
  return { input, dims: [count, channels, height, width] };
}

/** By its own mean and deviation, in place. @param {Float32Array} values @param {number} floor */
function standardise(values, floor) {
  let mean = 0,
    variance = 0;
  for (const value of values) mean += value / values.length;
  for (const value of values) variance += (value - mean) ** 2 / values.length;
  const deviation = Math.max(Math.sqrt(variance), floor);
  for (let i = 0; i < values.length; i++) values[i] = (values[i] - mean) / deviation;
}

/**
 * Logits (K,) -> probabilities, which sum to 1, as live.py reads them by default (models/classifier.py).
 * @param {ArrayLike<number>} logits @param {AboutClassifier} about @returns {number[]}
 */
export function toProbabilities(logits, { bias, temperature }) {
  const read = Array.from(logits, (logit, k) => (logit + bias[k]) / temperature);
  const highest = Math.max(...read);
  const powers = read.map((logit) => Math.exp(logit - highest));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => power / total);
}
