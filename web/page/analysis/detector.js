/**
 * From the detector's outputs to faces: the twin of retinaface/anchors.py and retinaface/detector.py.
 *
 * In:  a frame of RGBA pixels, and a network. Out: its faces, best score first, in pixels of that frame.
 */
import { reduceToRgb, roundEven } from "./resize.js";

/** @typedef {import("../types.js").AboutDetector} AboutDetector @typedef {import("../types.js").Face} Face */
/** @typedef {import("../types.js").DetectorOutputs} DetectorOutputs */

/** @type {Map<string, Float32Array>} */
const anchorsBySize = new Map();

/**
 * Centre x, centre y, width, height of every anchor, row by row, finest grid first.
 * @param {number} height @param {number} width @param {AboutDetector} about
 */
export function anchorsFor(height, width, about) {
  const key = `${height} ${width}`;
  let anchors = anchorsBySize.get(key);
  if (!anchors) {
    /** @type {number[]} */
    const values = [];
    about.strides.forEach((stride, level) => {
      for (let y = 0; y < Math.ceil(height / stride); y++) {
        for (let x = 0; x < Math.ceil(width / stride); x++) {
          for (const side of about.sizes[level]) values.push((x + 0.5) * stride, (y + 0.5) * stride, side, side);
        }
      }
    });
    anchors = Float32Array.from(values);
    if (anchorsBySize.size > 16) anchorsBySize.clear();
    anchorsBySize.set(key, anchors);
  }
  return anchors;
}

/**
 * One anchor's offsets as a box and landmarks in pixels (Ren et al. 2015, eq. 2, with variances).
 * @param {DetectorOutputs} outputs @param {number} row @param {Float32Array} anchors @param {AboutDetector} about
 * @returns {Face}
 */
export function decode(outputs, row, anchors, about) {
  const [x, y, width, height] = anchors.subarray(4 * row, 4 * row + 4);
  const offsets = outputs.boxes.subarray(4 * row, 4 * row + 4);
  const centreX = x + offsets[0] * about.centre_variance * width;
  const centreY = y + offsets[1] * about.centre_variance * height;
  const halfWidth = (width * Math.exp(offsets[2] * about.size_variance)) / 2;
  const halfHeight = (height * Math.exp(offsets[3] * about.size_variance)) / 2;
  const points = outputs.landmarks.subarray(10 * row, 10 * row + 10);
  const landmarks = [0, 2, 4, 6, 8].map((i) => [
    x + points[i] * about.centre_variance * width,
    y + points[i + 1] * about.centre_variance * height,
  ]);
  const box = [centreX - halfWidth, centreY - halfHeight, centreX + halfWidth, centreY + halfHeight];
  return { box, landmarks, score: outputs.scores[row] };
}

/** Pixels that two boxes share. @param {number[]} a @param {number[]} b */
function intersection(a, b) {
  const width = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
  const height = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  return Math.max(width, 0) * Math.max(height, 0);
}

/** @param {number[]} box */
const area = (box) => Math.max(box[2] - box[0], 0) * Math.max(box[3] - box[1], 0);

/** Side of the square with the box's area, pixels. @param {Face} face */
export const sizeOf = (face) => Math.sqrt(area(face.box));

/** Intersection over union, 0 to 1. @param {number[]} a @param {number[]} b */
export function iou(a, b) {
  const shared = intersection(a, b);
  const union = area(a) + area(b) - shared;
  return union > 0 ? shared / union : 0;
}

/**
 * The faces that stay of `sorted`, best first: none overlaps a better one more than it may, or lies inside one.
 * @param {Face[]} sorted @param {AboutDetector} about
 */
export function nonMaximumSuppression(sorted, about) {
  /** @type {Face[]} */
  const kept = [];
  for (const face of sorted) {
    const apart = kept.every(({ box }) => {
      const shared = intersection(box, face.box);
      const union = area(box) + area(face.box) - shared;
      return shared <= about.iou_threshold * union && shared <= about.containment * area(face.box);
    });
    if (apart) kept.push(face);
  }
  return kept;
}

/**
 * The mean landmarks of the candidates whose box agrees with that of `best`, weighted by score.
 * @param {Face} best @param {Face[]} candidates @param {AboutDetector} about
 */
export function voteLandmarks(best, candidates, about) {
  const voters = candidates.filter((face) => face === best || iou(best.box, face.box) >= about.voting_iou);
  const total = voters.reduce((sum, face) => sum + face.score, 0);
  const mean = (/** @type {number} */ i, /** @type {number} */ axis) =>
    voters.reduce((sum, face) => sum + face.score * face.landmarks[i][axis], 0) / total;
  return best.landmarks.map((_, i) => [mean(i, 0), mean(i, 1)]);
}

/**
 * The faces among the anchors of one searched frame, in its own pixels.
 * @param {DetectorOutputs} outputs @param {number} height @param {number} width @param {AboutDetector} about
 * @returns {Face[]}
 */
export function facesFrom(outputs, height, width, about) {
  const anchors = anchorsFor(height, width, about);
  /** @type {number[]} */
  const rows = [];
  outputs.scores.forEach((score, row) => score >= about.conf && rows.push(row));
  rows.sort((a, b) => outputs.scores[b] - outputs.scores[a]);
  const candidates = rows.slice(0, about.candidates).map((row) => decode(outputs, row, anchors, about));
  return nonMaximumSuppression(candidates, about).map((face) => {
    return { ...face, landmarks: voteLandmarks(face, candidates, about) };
  });
}

/**
 * `faces` with the large ones of `smaller`, found in a smaller frame, in place of their parts; best score first. A face
 * found in both is blended, so that none jumps as it comes nearer (retinaface/near_faces.py).
 * @param {Face[]} faces @param {Face[]} smaller
 * @param {number} near in pixels of the faces @param {AboutDetector} about
 */
export function wholeFaces(faces, smaller, near, about) {
  let kept = [...faces];
  for (const found of smaller) {
    const same = bestOf(kept, (face) => iou(found.box, face.box));
    const other = same && iou(found.box, same.box) >= about.same_iou ? same : null;
    if (sizeOf(other ?? found) < near) continue;
    const whole = other ? blended(other, found, (sizeOf(other) / near - 1) / (about.alone - 1)) : found;
    kept = kept
      .filter((face) => face !== other)
      .filter((face) => {
        const x = (face.box[0] + face.box[2]) / 2;
        const y = (face.box[1] + face.box[3]) / 2;
        const inside = x > whole.box[0] && x < whole.box[2] && y > whole.box[1] && y < whole.box[3];
        const part = sizeOf(face) >= about.part * sizeOf(whole);
        return !(inside && part && whole.score >= Math.min(about.whole_score, face.score));
      });
    if (other || kept.every((face) => iou(whole.box, face.box) <= about.iou_threshold)) kept.push(whole);
  }
  return kept.sort((a, b) => b.score - a.score);
}

/**
 * The first one with the highest value; null of none.
 * @template T @param {T[]} items @param {(item: T) => number} value @returns {T | null}
 */
function bestOf(items, value) {
  return items.reduce(
    (/** @type {T | null} */ best, item) => (best === null || value(item) > value(best) ? item : best),
    null,
  );
}

/**
 * The mean of two, `share` of the second; with the better score.
 * @param {Face} face @param {Face} other @param {number} share @returns {Face}
 */
function blended(face, other, share) {
  const part = Math.min(Math.max(share, 0), 1);
  const mix = (/** @type {number} */ a, /** @type {number} */ b) => a + part * (b - a);
  return {
    box: face.box.map((value, i) => mix(value, other.box[i])),
    landmarks: face.landmarks.map(([x, y], i) => [mix(x, other.landmarks[i][0]), mix(y, other.landmarks[i][1])]),
    score: Math.max(face.score, other.score),
  };
}

/**
 * All faces of a frame, best first, searched where its longer side has `imgsz` pixels at most; very large faces a
 * second time, in a smaller frame.
 * @param {import("../types.js").Frame} frame
 * @param {import("../types.js").Networks["detect"]} network
 * @param {{imgsz: number, about: AboutDetector}} options
 * @returns {Promise<Face[]>}
 */
export async function detect({ rgba, width, height }, network, { imgsz, about }) {
  const search = async (/** @type {number} */ shrink) => {
    const newHeight = Math.max(1, roundEven(height * shrink));
    const newWidth = Math.max(1, roundEven(width * shrink));
    const outputs = await network(reduceToRgb(rgba, width, height, newWidth, newHeight), newHeight, newWidth);
    const [scaleX, scaleY] = [width / newWidth, height / newHeight];
    const back = (/** @type {number[]} */ [x, y]) => [(x + 0.5) * scaleX - 0.5, (y + 0.5) * scaleY - 0.5];
    return facesFrom(outputs, newHeight, newWidth, about).map(({ box, landmarks, score }) => {
      return { box: [...back(box.slice(0, 2)), ...back(box.slice(2))], landmarks: landmarks.map(back), score };
    });
  };
  const shrink = Math.min(1, imgsz / Math.max(height, width));
  const faces = await search(shrink);
  const largest = shrink * Math.max(0, ...faces.map(sizeOf));
  if (largest < about.near) return faces;
  const halvings = 1 + Math.floor(Math.log2(largest / about.near)); // it is smaller than `near` then
  const smaller = await search(shrink * 0.5 ** halvings);
  return wholeFaces(faces, smaller, about.near / shrink, about);
}
