/**
 * What sources share: one canvas that is read back, sizes that fit, how they refuse, and names in sentences.
 */

/** A sentence for the person; everything else that is thrown is a mistake of ours. */
export class Refusal extends Error {}

/** A file's name in a sentence: of a long one its beginning and its end. @param {File} file */
export function nameOf({ name }) {
  const signs = [...name];
  return signs.length > 50 ? `${signs.slice(0, 30).join("")}…${signs.slice(-16).join("")}` : name;
}

/** @param {number} width @param {number} height @param {number} longest */
export function fitted(width, height, longest) {
  const shrink = Math.min(1, longest / Math.max(width, height));
  return { width: Math.max(1, Math.round(width * shrink)), height: Math.max(1, Math.round(height * shrink)) };
}

/** @type {CanvasRenderingContext2D | null} */
let reused = null;

/**
 * A canvas that is read back; one for all, because a phone has memory for few.
 * @param {number} width @param {number} height
 */
export function contextOf(width, height) {
  reused ??= document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const context = /** @type {CanvasRenderingContext2D} */ (reused);
  context.setTransform(1, 0, 0, 1, 0, 0);
  if (context.canvas.width !== width) context.canvas.width = width;
  if (context.canvas.height !== height) context.canvas.height = height;
  return context;
}
