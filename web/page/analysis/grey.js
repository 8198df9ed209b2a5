/**
 * Small grey pictures and how alike they are: the twin of pipeline/appearance.py and pipeline/scene.py.
 *
 * In:  frames of RGBA pixels, boxes. Out: is this the face, is this the scene of a moment ago?
 *
 * @typedef {{values: Uint8Array, width: number, height: number}} Grey
 * @typedef {import("../types.js").Frame} Frame @typedef {import("../types.js").AboutTracking} AboutTracking
 */
import { warp } from "./crops.js";
import { reduceToRgb, roundEven, sampled } from "./resize.js";

/** @param {Uint8Array} rgb @param {number} width @param {number} height @param {number[]} luma @returns {Grey} */
function greyOf(rgb, width, height, luma) {
  const values = new Uint8Array(width * height);
  for (let i = 0, from = 0; i < values.length; i++, from += 3) {
    values[i] = roundEven(luma[0] * rgb[from] + luma[1] * rgb[from + 1] + luma[2] * rgb[from + 2]);
  }
  return { values, width, height };
}

/**
 * @param {Grey} grey @param {number} left @param {number} top @param {number} right @param {number} bottom
 * @returns {Grey}
 */
function part({ values, width, height }, left, top, right, bottom) {
  const [x0, y0, x1, y1] = [Math.max(0, left), Math.max(0, top), Math.min(right, width), Math.min(bottom, height)];
  const cut = new Uint8Array((x1 - x0) * (y1 - y0));
  for (let y = y0; y < y1; y++) cut.set(values.subarray(y * width + x0, y * width + x1), (y - y0) * (x1 - x0));
  return { values: cut, width: x1 - x0, height: y1 - y0 };
}

/** The mirror image. @param {Grey} grey @returns {Grey} */
export function mirrored({ values, width, height }) {
  return { values: values.map((_, i) => values[i - 2 * (i % width) + width - 1]), width, height };
}

/** Standard deviation. @param {Grey} grey */
function deviation({ values }) {
  let sum = 0,
    squares = 0;
  for (const value of values) {
    sum += value;
    squares += value * value;
  }
  return Math.sqrt(Math.max(squares / values.length - (sum / values.length) ** 2, 0));
}

/** Share of pixels that a flash has bleached. @param {Grey} grey @param {number} white */
const bleached = ({ values }, white) =>
  values.reduce((count, value) => count + Number(value >= white), 0) / values.length;

/**
 * The highest normalised cross-correlation of `block` over all its places in `around` (Lewis 1995), -1 to 1.
 * @param {Grey} around @param {Grey} block
 */
export function bestCorrelation(around, block) {
  const count = block.values.length;
  const mean = block.values.reduce((sum, value) => sum + value, 0) / count;
  const centred = Float32Array.from(block.values, (value) => value - mean);
  const blockEnergy = centred.reduce((sum, value) => sum + value * value, 0);
  let best = -1;
  for (let top = 0; top <= around.height - block.height; top++) {
    for (let left = 0; left <= around.width - block.width; left++) {
      let sum = 0,
        squares = 0,
        product = 0;
      for (let y = 0, i = 0; y < block.height; y++) {
        for (let x = 0, at = (top + y) * around.width + left; x < block.width; x++, at++, i++) {
          const value = around.values[at];
          sum += value;
          squares += value * value;
          product += value * centred[i];
        }
      }
      const energy = (squares - (sum * sum) / count) * blockEnergy;
      if (energy > 0) best = Math.max(best, product / Math.sqrt(energy));
    }
  }
  return best;
}

/**
 * The face and what is around it; null where it is too small or tells nothing.
 * @param {Frame} frame @param {number[]} box @param {AboutTracking} about @returns {Grey | null}
 */
export function facePatch(frame, box, { appearance: n, luma }) {
  const size = Math.sqrt(Math.max(box[2] - box[0], 0) * Math.max(box[3] - box[1], 0));
  if (size < n.smallest) return null;
  const zoom = n.patch / (n.around * size);
  const shift = [0, 1].map((axis) => (n.patch - 1) / 2 - (zoom * (box[axis] + box[axis + 2])) / 2);
  const rgb = new Uint8Array(n.patch * n.patch * 3);
  warp(frame, [zoom, 0, shift[0], 0, zoom, shift[1]], n.patch, 2, rgb);
  const patch = greyOf(rgb, n.patch, n.patch, luma);
  return deviation(patch) >= n.structure && bleached(middleOf(patch, n), n.white) <= n.bleached ? patch : null;
}

/** @param {Grey} patch @param {Record<string, number>} n */
function middleOf(patch, n) {
  const edge = Math.floor((n.patch - n.middle) / 2);
  return part(patch, edge, edge, edge + n.middle, edge + n.middle);
}

/**
 * How alike the face of now is to the one of before, -1 to 1.
 * @param {Grey} before @param {Grey} now @param {AboutTracking} about
 */
export const likeness = (before, now, { appearance }) => bestCorrelation(before, middleOf(now, appearance));

/** Asked frame after frame whether there is a cut; remembers one small grey copy. */
export class SceneCut {
  /** @param {AboutTracking} about */
  constructor(about) {
    this.about = about;
    /** @type {Grey | null} */
    this.before = null;
    this.size = "";
    this.passedOver = 0;
  }

  /** The next frames are mirror images, which is no cut. */
  mirror() {
    this.before = this.before && mirrored(this.before);
  }

  /** @param {Frame} frame @param {boolean} first it is known that it follows from none */
  isCut(frame, first) {
    const { scene: n } = this.about;
    const [now, before] = [smallGrey(frame, this.about), this.before];
    const [size, sizeBefore] = [`${frame.width} x ${frame.height}`, this.size];
    this.size = size;
    if (first || !before || size !== sizeBefore) {
      [this.before, this.passedOver] = [now, 0];
      return first || before !== null;
    }
    const share = bestCorrelation(before, now) >= n.same ? 1 : shareFound(before, now, n);
    if (share === null && deviation(before) >= n.structure && this.passedOver < n.patience) {
      this.passedOver++;
      return false;
    }
    [this.before, this.passedOver] = [now, 0];
    return share !== null && share <= n.cut;
  }
}

/**
 * A grey copy of a few pixels; the frame is sampled, linear between pixels, then averaged.
 * @param {Frame} frame @param {AboutTracking} about
 */
export function smallGrey(frame, { scene: n, luma }) {
  const sizeOf = (/** @type {number} */ longer, /** @type {number} */ width, /** @type {number} */ height) =>
    [width, height].map((side) => Math.max(n.block, roundEven((side * longer) / Math.max(width, height))));
  const [columns, rows] = sizeOf(2 * n.longer, frame.width, frame.height);
  const [newWidth, newHeight] = sizeOf(n.longer, columns, rows);
  const rgb = reduceToRgb(sampled(frame, columns, rows), columns, rows, newWidth, newHeight);
  return greyOf(rgb, newWidth, newHeight, luma);
}

/**
 * Of the blocks of `now` the share that is found in `before`; null where too few tell anything.
 * @param {Grey} before @param {Grey} now @param {Record<string, number>} n
 */
function shareFound(before, now, n) {
  let asked = 0,
    found = 0;
  for (let top = 0; top + n.block <= now.height; top += n.block) {
    for (let left = 0; left + n.block <= now.width; left += n.block) {
      const block = part(now, left, top, left + n.block, top + n.block);
      const there = part(before, left, top, left + n.block, top + n.block);
      const around = part(before, left - n.reach, top - n.reach, left + n.block + n.reach, top + n.block + n.reach);
      if (Math.max(bleached(block, n.white), bleached(there, n.white)) > n.bleached) continue;
      if (deviation(block) < n.structure || deviation(around) < n.structure) continue;
      asked++;
      found += Number(bestCorrelation(around, block) >= n.found);
    }
  }
  return asked >= n.fewest ? found / asked : null;
}
