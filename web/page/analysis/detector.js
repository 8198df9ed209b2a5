/**
 * From the detector's outputs to faces: the twin of retinaface/detector.py.
 *
 * In:  a frame of RGBA pixels, and a network. Out: its faces, best score first, in pixels of that frame.
 */
import { reduceToRgb, roundEven } from "./resize.js";

/** @typedef {import("../types.js").AboutDetector} AboutDetector @typedef {import("../types.js").Face} Face */
/** @typedef {import("../types.js").DetectorOutputs} DetectorOutputs */

/**
 * One anchor's score, box and landmarks.
 * @param {DetectorOutputs} outputs @param {number} row
 * @returns {Face}
 */
export function faceAt(outputs, row) {
  const points = outputs.landmarks.subarray(10 * row, 10 * row + 10);
  return {
    box: [...outputs.boxes.subarray(4 * row, 4 * row + 4)],
    landmarks: [0, 2, 4, 6, 8].map((i) => [points[i], points[i + 1]]),
    score: outputs.scores[row],
  };
}

/** Are its numbers some that a picture can have? Never so for NaN. @param {Face} face @param {number} farthest */
const isPlace = ({ score, box, landmarks }, farthest) =>
  Math.abs(score) <= 1 && [...box, ...landmarks.flat()].every((value) => Math.abs(value) <= farthest);

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
 * `best` with the mean landmarks of the candidates whose box and score agree with its own, weighted by score, and their
 * mean box, weighted by a power of the score: where two are equally good, the box does not jump between them.
 * @param {Face} best @param {Face[]} candidates @param {AboutDetector} about
 * @returns {Face}
 */
export function vote(best, candidates, about) {
  const agrees = (/** @type {Face} */ face) =>
    iou(best.box, face.box) >= about.voting_iou &&
    face.score >= about.voting_share * best.score &&
    face.score <= best.score; // else it is of another face
  const voters = candidates.filter((face) => face === best || agrees(face));
  const mean = (/** @type {number} */ power, /** @type {(face: Face) => number} */ value) => {
    const weights = voters.map(({ score }) => (score / best.score) ** power);
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    return voters.reduce((sum, face, i) => sum + weights[i] * value(face), 0) / total;
  };
  return {
    ...best,
    box: best.box.map((_, side) => mean(about.box_power, ({ box }) => box[side])),
    landmarks: best.landmarks.map((_, i) => [
      mean(1, ({ landmarks }) => landmarks[i][0]),
      mean(1, ({ landmarks }) => landmarks[i][1]),
    ]),
  };
}

/**
 * The faces among the anchors of one searched frame, in its own pixels, with those that only a smaller frame can tell.
 * Throws where the network gives numbers that mean nothing.
 * @param {DetectorOutputs} outputs @param {AboutDetector} about
 * @returns {Face[]}
 */
export function facesFrom(outputs, about) {
  /** @type {number[]} */
  const rows = [];
  const lowest = Math.min(about.conf, about.voting_share * about.possible);
  outputs.scores.forEach((score, row) => score < lowest || rows.push(row)); // NaN too: it is refused below
  rows.sort((a, b) => outputs.scores[b] - outputs.scores[a]);
  const candidates = rows.slice(0, about.candidates).map((row) => faceAt(outputs, row));
  if (!candidates.every((face) => isPlace(face, about.farthest))) {
    throw new Error("the detector gives numbers that mean nothing");
  }
  const faces = candidates.filter(({ score }) => score >= Math.min(about.conf, about.possible)); // the others only vote
  return nonMaximumSuppression(faces, about).map((face) => vote(face, candidates, about));
}

/**
 * `faces` with the large ones of `smaller`, found in a smaller frame, in place of their parts; best score first. A face
 * found in both is blended, so that none jumps as it comes nearer; what is large and not found in the smaller frame is
 * a blur (retinaface/near_faces.py).
 * @param {Face[]} faces @param {Face[]} smaller
 * @param {number} near in pixels of the faces @param {AboutDetector} about
 */
export function wholeFaces(faces, smaller, near, about) {
  const overlap = (/** @type {Face} */ face, /** @type {Face} */ other) =>
    face.score >= about.possible === other.score >= about.possible ? iou(face.box, other.box) : 0;
  let kept = faces.filter(
    (face) => sizeOf(face) < about.alone * near || smaller.some((found) => overlap(found, face) >= about.same_iou),
  );
  for (const found of smaller) {
    const same = bestOf(kept, (face) => overlap(found, face));
    const other = same && overlap(found, same) >= about.same_iou ? same : null;
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
    return facesFrom(outputs, about).map(({ box, landmarks, score }) => {
      return { box: [...back(box.slice(0, 2)), ...back(box.slice(2))], landmarks: landmarks.map(back), score };
    });
  };
  const shrink = Math.min(1, imgsz / Math.max(height, width));
  const sure = (/** @type {Face[]} */ found) => found.filter(({ score }) => score >= about.conf);
  const faces = await search(shrink);
  const possible = faces.filter(({ score }) => score >= about.possible);
  const largest = shrink * Math.max(0, ...possible.map(sizeOf));
  if (largest < about.near) return sure(faces);
  const halvings = 1 + Math.floor(Math.log2(largest / about.near)); // it is smaller than `near` then
  const smaller = await search(shrink * 0.5 ** halvings);
  return sure(wholeFaces(faces, smaller, about.near / shrink, about));
}
