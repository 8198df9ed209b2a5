/**
 * What sources share: one canvas that is read back, sizes that fit, and how they refuse.
 */

/** A sentence for the person; everything else that is thrown is a mistake of ours. */
export class Refusal extends Error {}

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
