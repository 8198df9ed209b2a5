/**
 * Heatmaps over the faces that they explain: the twin of pipeline/drawing/heat.py.
 *
 * In:  a canvas' context whose pixels lie `scale` times as dense as the frame's; faces with their heatmaps.
 * Out: each heatmap where its crop was cut from, as strong as it is high; nothing outside the crops. Those that overlap
 *      are painted together: each pixel shows the higher heat.
 *
 * @typedef {import("./rect.js").Rect} Rect
 * @typedef {object} Heated
 * @property {Float32Array} heatmap (S, S)
 * @property {import("../types.js").Matrix} back from the crop to the frame
 * @property {Rect} rect around the crop, in the frame
 */
import { inverse } from "../analysis/crops.js";
import { heightOf, intersection, intersects, widthOf } from "./rect.js";

const FINEST = 640; // pixels of the longer side of what is painted together, which is read back; heat is smooth

export class HeatPainter {
  /** @param {import("../types.js").About} about @param {() => HTMLCanvasElement} makeCanvas */
  constructor(about, makeCanvas) {
    this.colours = about.heat_colours;
    this.alpha = about.drawing.alpha;
    const make = () => makeCanvas().getContext("2d", { willReadFrequently: true });
    this.crop = /** @type {CanvasRenderingContext2D} */ (make());
    this.group = /** @type {CanvasRenderingContext2D} */ (make());
  }

  /**
   * @param {CanvasRenderingContext2D} ctx @param {import("../types.js").FaceResult[]} faces
   * @param {number} side of the crops @param {number} scale
   */
  paint(ctx, faces, side, scale) {
    const heated = faces.flatMap(({ heatmap, toCrop }) => {
      const back = inverse(toCrop);
      return heatmap && back ? [{ heatmap, back, rect: rectAround(back, side) }] : [];
    });
    ctx.save();
    ctx.scale(scale, scale);
    for (const group of groups(heated)) {
      if (group.length === 1) this.lay(ctx, group[0], side, true);
      else this.paintTogether(ctx, group, side, scale);
    }
    ctx.restore();
  }

  /**
   * The highest heat of each pixel of a group.
   * @param {CanvasRenderingContext2D} ctx @param {Heated[]} group @param {number} side @param {number} scale
   */
  paintTogether(ctx, group, side, scale) {
    const frame = { left: 0, top: 0, right: ctx.canvas.width / scale, bottom: ctx.canvas.height / scale };
    const rect = intersection(group.map(({ rect }) => rect).reduce(union), frame);
    const density = Math.min(scale, FINEST / Math.max(widthOf(rect), heightOf(rect)));
    const [width, height] = [widthOf(rect), heightOf(rect)].map((length) => Math.ceil(length * density));
    if (!width || !height) return;
    const patch = this.group;
    [patch.canvas.width, patch.canvas.height] = [width, height]; // which empties it
    patch.fillRect(0, 0, width, height);
    patch.globalCompositeOperation = "lighten";
    patch.scale(density, density);
    patch.translate(-rect.left, -rect.top);
    for (const heated of group) this.lay(patch, heated, side, false);
    const pixels = patch.getImageData(0, 0, width, height);
    this.colour(pixels);
    patch.putImageData(pixels, 0, 0);
    ctx.drawImage(patch.canvas, rect.left, rect.top, width / density, height / density);
  }

  /**
   * The heat of one face in colours, or as grey of its height.
   * @param {CanvasRenderingContext2D} ctx in the frame's coordinates @param {Heated} heated @param {number} side
   * @param {boolean} coloured
   */
  lay(ctx, { heatmap, back: [a, b, tx, c, d, ty] }, side, coloured) {
    const { canvas } = this.crop;
    if (canvas.width !== side) canvas.width = canvas.height = side;
    const pixels = new ImageData(side, side);
    heatmap.forEach((heat, i) => {
      pixels.data.fill(Math.round(255 * heat), 4 * i, 4 * i + 3);
      pixels.data[4 * i + 3] = 255;
    });
    if (coloured) this.colour(pixels);
    this.crop.putImageData(pixels, 0, 0);
    ctx.save();
    ctx.translate(0.5, 0.5); // the frame's pixel centres are at .0, the canvas' at .5
    ctx.transform(a, c, b, d, tx, ty);
    ctx.drawImage(canvas, -0.5, -0.5);
    ctx.restore();
  }

  /** From grey to the colour of that height, as strong as it is high. @param {ImageData} pixels */
  colour({ data }) {
    for (let i = 0; i < data.length; i += 4) {
      const height = data[i];
      data.set(this.colours[height], i);
      data[i + 3] = Math.round(this.alpha * height);
    }
  }
}

/** Around a crop, in whole pixels. @param {import("../types.js").Matrix} back @param {number} side @returns {Rect} */
function rectAround([a, b, tx, c, d, ty], side) {
  const corners = [-0.5, side - 0.5].flatMap((u) => [-0.5, side - 0.5].map((v) => [u, v]));
  const xs = corners.map(([u, v]) => a * u + b * v + tx + 0.5);
  const ys = corners.map(([u, v]) => c * u + d * v + ty + 0.5);
  return {
    left: Math.floor(Math.min(...xs)),
    top: Math.floor(Math.min(...ys)),
    right: Math.ceil(Math.max(...xs)),
    bottom: Math.ceil(Math.max(...ys)),
  };
}

/** Around both. @param {Rect} a @param {Rect} b @returns {Rect} */
const union = (a, b) => ({
  left: Math.min(a.left, b.left),
  top: Math.min(a.top, b.top),
  right: Math.max(a.right, b.right),
  bottom: Math.max(a.bottom, b.bottom),
});

/** Those of one group are joined by overlaps. @template {{rect: Rect}} T @param {T[]} items */
export function groups(items) {
  /** @type {T[][]} */
  let found = [];
  for (const item of items) {
    const meets = (/** @type {T[]} */ group) => group.some(({ rect }) => intersects(rect, item.rect));
    found = [...found.filter((group) => !meets(group)), [...found.filter(meets).flat(), item]];
  }
  return found;
}
