/**
 * Reducing a picture as OpenCV's INTER_AREA does: every new pixel is the mean of the area it covers.
 *
 * In:  RGBA pixels. Out: RGB pixels of the size asked for.
 */

/** The whole number nearest to `x`; of two, the even one, as Python and OpenCV round. @param {number} x */
export function roundEven(x) {
  const below = Math.floor(x);
  if (x - below !== 0.5) return Math.round(x);
  return below % 2 ? below + 1 : below;
}

/**
 * How OpenCV rounds a mean over blocks of `side` x `side` pixels: of four, it adds two and shifts.
 * @param {number} side
 */
export const roundMean = (side) => (side === 2 ? Math.round : roundEven);

/**
 * Which inputs each output covers, and how much of its side each takes.
 * @param {number} inputs @param {number} outputs
 * @returns {{first: number, weights: Float32Array}[]}
 */
function coverage(inputs, outputs) {
  const step = inputs / outputs;
  return Array.from({ length: outputs }, (_, i) => {
    const begin = i * step;
    const end = Math.min(begin + step, inputs);
    const first = Math.floor(begin + 1e-9);
    const last = Math.ceil(end - 1e-9);
    const weights = new Float32Array(last - first);
    for (let j = first; j < last; j++) weights[j - first] = (Math.min(end, j + 1) - Math.max(begin, j)) / (end - begin);
    return { first, weights };
  });
}

/**
 * @param {Uint8ClampedArray} rgba (height, width, 4)
 * @param {number} width @param {number} height
 * @param {number} newWidth @param {number} newHeight neither larger than the old one
 * @returns {Uint8Array} (newHeight, newWidth, 3) RGB
 */
export function reduceToRgb(rgba, width, height, newWidth, newHeight) {
  const rgb = new Uint8Array(newWidth * newHeight * 3);
  if (newWidth === width && newHeight === height) {
    for (let from = 0, to = 0; to < rgb.length; from += 4) {
      rgb[to++] = rgba[from];
      rgb[to++] = rgba[from + 1];
      rgb[to++] = rgba[from + 2];
    }
    return rgb;
  }
  const side = width / newWidth;
  if (Number.isInteger(side) && height === side * newHeight) return meansOfBlocks(rgba, width, side, rgb);
  const columns = coverage(width, newWidth);
  const row = new Float32Array(width * 4);
  let to = 0;
  for (const { first, weights } of coverage(height, newHeight)) {
    row.fill(0);
    weights.forEach((weight, k) => {
      const from = (first + k) * width * 4;
      for (let x = 0; x < row.length; x++) row[x] += weight * rgba[from + x];
    });
    for (const { first: left, weights: across } of columns) {
      let red = 0,
        green = 0,
        blue = 0;
      for (let k = 0, from = left * 4; k < across.length; k++, from += 4) {
        red += across[k] * row[from];
        green += across[k] * row[from + 1];
        blue += across[k] * row[from + 2];
      }
      rgb[to++] = roundEven(red);
      rgb[to++] = roundEven(green);
      rgb[to++] = roundEven(blue);
    }
  }
  return rgb;
}

/**
 * The same where `side` x `side` whole pixels make one.
 * @param {Uint8ClampedArray} rgba @param {number} width @param {number} side @param {Uint8Array} rgb written to
 */
function meansOfBlocks(rgba, width, side, rgb) {
  const [round, count, newWidth] = [roundMean(side), side * side, width / side];
  for (let to = 0, block = 0; to < rgb.length; to += 3, block++) {
    const corner = (Math.floor(block / newWidth) * side * width + (block % newWidth) * side) * 4;
    let red = 0,
      green = 0,
      blue = 0;
    for (let y = 0; y < side; y++) {
      for (let x = 0, from = corner + y * width * 4; x < side; x++, from += 4) {
        red += rgba[from];
        green += rgba[from + 1];
        blue += rgba[from + 2];
      }
    }
    rgb[to] = round(red / count);
    rgb[to + 1] = round(green / count);
    rgb[to + 2] = round(blue / count);
  }
  return rgb;
}

/**
 * Linear between four pixels, as a whole number.
 * @param {Uint8ClampedArray} rgba @param {number} upper @param {number} lower @param {number} right
 * @param {number} dx @param {number} dy
 */
export function between(rgba, upper, lower, right, dx, dy) {
  const above = rgba[upper] + dx * (rgba[upper + right] - rgba[upper]);
  const below = rgba[lower] + dx * (rgba[lower + right] - rgba[lower]);
  return roundEven(above + dy * (below - above));
}

/**
 * Pixels linear between those of a frame, none averaged, as OpenCV's INTER_LINEAR.
 * @param {import("../types.js").Frame} frame @param {number} newWidth @param {number} newHeight
 * @returns {Uint8ClampedArray} (newHeight, newWidth, 4)
 */
export function sampled({ rgba, width, height }, newWidth, newHeight) {
  const pixels = new Uint8ClampedArray(newWidth * newHeight * 4);
  for (let row = 0, to = 0; row < newHeight; row++) {
    const y = Math.min(Math.max(((row + 0.5) * height) / newHeight - 0.5, 0), height - 1);
    const top = Math.floor(y);
    for (let column = 0; column < newWidth; column++) {
      const x = Math.min(Math.max(((column + 0.5) * width) / newWidth - 0.5, 0), width - 1);
      const left = Math.floor(x);
      const upper = 4 * (top * width + left);
      const lower = top < height - 1 ? upper + 4 * width : upper;
      const right = left < width - 1 ? 4 : 0;
      for (let i = 0; i < 4; i++) pixels[to++] = between(rgba, upper + i, lower + i, right, x - left, y - top);
    }
  }
  return pixels;
}

/** The frame as a mirror shows it, in place. @param {Uint8ClampedArray<ArrayBuffer>} rgba @param {number} width */
export function mirror(rgba, width) {
  const pixels = new Uint32Array(rgba.buffer, rgba.byteOffset, rgba.length / 4);
  for (let row = 0; row < pixels.length; row += width) pixels.subarray(row, row + width).reverse();
}
