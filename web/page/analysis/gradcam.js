/**
 * What the network used for a class, in closed form: the twin of gradcam.py's `PooledPass`.
 *
 * The network ends in a mean over the grid and one linear layer, y^c = b_c + sum_k head_ck 1/Z sum_ij A_ij^k, so
 * dy^c/dA_ij^k = head_ck / Z in each of the Z cells: no backward pass is needed.
 *
 * In:  the activation (C, h, w) of one face, a class. Out: (S, S) in [0, 1], 1 = most used.
 */

/**
 * Maps (Z,) of one face's activation; `gradient` (C,) is the same in every cell.
 * @type {Record<string, (activation: Float32Array, gradient: Float32Array, tiny: number) => Float64Array>}
 */
export const EXPLAINERS = {
  // Selvaraju et al. 2017, eq. 1 and 2: ReLU(sum_k alpha_k A^k), alpha_k the gradient's mean
  gradcam: weighted,
  // Chattopadhyay et al. 2018, eq. 5 and 19
  "gradcam++": (activation, gradient, tiny) => {
    const cells = activation.length / gradient.length;
    const weights = gradient.map((g, k) => {
      let total = 0;
      for (let i = 0; i < cells; i++) total += activation[k * cells + i];
      return (cells * g * g * Math.max(g, 0)) / (2 * g * g + total * g * g * g + tiny);
    });
    return weighted(activation, weights);
  },
  // Draelos & Carin 2020: cell by cell; the gradient does not vary here
  hirescam: weighted,
  // Zagoruyko & Komodakis 2017, section 3.1: sum_k |A^k|^2; of no class
  attention: (activation, gradient) => {
    const map = new Float64Array(activation.length / gradient.length);
    for (let i = 0; i < activation.length; i++) map[i % map.length] += activation[i] ** 2;
    return map;
  },
};

/** ReLU(sum_k w_k A^k). @param {Float32Array} activation @param {Float32Array} weights */
function weighted(activation, weights) {
  const map = new Float64Array(activation.length / weights.length);
  for (let i = 0; i < activation.length; i++)
    map[i % map.length] += weights[Math.floor(i / map.length)] * activation[i];
  return map.map((value) => Math.max(value, 0));
}

/**
 * The heatmap of one face for one class, over its crop.
 * @param {Float32Array} activation (C, h, w)
 * @param {[number, number]} gridHw h and w
 * @param {number} classIndex
 * @param {string} method a key of `EXPLAINERS`
 * @param {Pick<import("../types.js").About, "classifier" | "tiny">} about
 * @returns {Float32Array} (S, S)
 */
export function heatmap(activation, gridHw, classIndex, method, { classifier, tiny }) {
  const cells = gridHw[0] * gridHw[1];
  const gradient = Float32Array.from(classifier.head[classIndex], (weight) => weight / cells);
  const map = EXPLAINERS[method](activation, gradient, tiny);
  const highest = Math.max(...map);
  return enlarge(highest > 0 ? map.map((value) => value / highest) : map, gridHw, classifier);
}

/**
 * A map (h, w) over the crop, linear between the centres of the cells, which lie where they look (`gradcam.enlarge`).
 * @param {Float64Array} map @param {[number, number]} gridHw
 * @param {Pick<import("../types.js").AboutClassifier, "cells" | "preprocess">} about
 */
export function enlarge(
  map,
  [rows, columns],
  {
    cells,
    preprocess: {
      size_hw: [height, width],
    },
  },
) {
  const place = (/** @type {number} */ pixel, /** @type {number} */ inputs, /** @type {number} */ outputs) => {
    const at = cells ? (pixel - cells[0]) / cells[1] : ((pixel + 0.5) * inputs) / outputs - 0.5;
    const inside = Math.min(Math.max(at, 0), inputs - 1);
    const low = Math.min(Math.floor(inside), Math.max(inputs - 2, 0));
    return { low, high: Math.min(low + 1, inputs - 1), share: inside - low };
  };
  const across = Array.from({ length: width }, (_, x) => place(x, columns, width));
  const enlarged = new Float32Array(height * width);
  for (let y = 0; y < height; y++) {
    const down = place(y, rows, height);
    across.forEach(({ low, high, share }, x) => {
      const upper = map[down.low * columns + low] * (1 - share) + map[down.low * columns + high] * share;
      const lower = map[down.high * columns + low] * (1 - share) + map[down.high * columns + high] * share;
      enlarged[y * width + x] = upper * (1 - down.share) + lower * down.share;
    });
  }
  return enlarged;
}
