/**
 * The annotated picture over its frame: the twin of pipeline/drawing/overlay.py.
 *
 * In:  a `FrameResult`, what to show, a canvas' context whose pixels lie `scale` times as dense as the frame's.
 * Out: heat on each face, box corners, bars, labels, the status line, the notice and a message, painted in this order.
 *
 * @typedef {object} View what is drawn besides what the result holds
 * @property {boolean} bars
 * @property {string} status "24 fps · wasm · 2 faces"
 * @property {string} reduced "searched at 320 of 2048 px"; "" where nothing is lost
 * @property {string} heat how heatmaps are made; "" without
 * @property {boolean} paused @property {boolean} recording
 * @property {string} message a sentence for the moment
 * @property {number} smallest font size in pixels
 * @typedef {import("./rect.js").Rect} Rect @typedef {import("../types.js").FaceResult} FaceResult
 */
import { HeatPainter } from "./heat.js";
import { colourOf, css, paintBars, paintLabel } from "./labels.js";
import { placeBars, placeLabels } from "./layout.js";
import { Text, clamp, heightOf, textSize, widthOf } from "./rect.js";
import { StatusLine } from "./status_line.js";

/** Draws the frames of one source; labels and bars keep their side of a face from one frame to the next. */
export class Overlay {
  /** @param {import("../types.js").About} about @param {() => HTMLCanvasElement} makeCanvas */
  constructor(about, makeCanvas) {
    this.about = about;
    this.n = about.drawing;
    const ruler = /** @type {CanvasRenderingContext2D} */ (makeCanvas().getContext("2d"));
    this.text = new Text((font, words) => {
      ruler.font = font;
      return ruler.measureText(words).width;
    });
    /** @type {Map<number, string>} */
    this.labelPositions = new Map();
    /** @type {Map<number, string>} */
    this.barPositions = new Map();
    this.heat = new HeatPainter(about, makeCanvas);
    this.statusLine = new StatusLine(about, this.text);
  }

  /**
   * Returns whether the message and the notice found room.
   * @param {CanvasRenderingContext2D} ctx @param {import("../types.js").FrameResult} result
   * @param {{width: number, height: number, scale: number}} size of the canvas in its own pixels @param {View} view
   */
  draw(ctx, { faces, cropSize }, { width, height, scale }, view) {
    const names = this.about.classifier.class_names;
    const size = textSize(width, height, view.smallest);
    const frame = { left: 0, top: 0, right: width, bottom: height };
    const { texts, noticed, bounds, message } = this.statusLine.place(view, frame, size);
    const boxes = faces.map((face) => visibleBox(face, frame, scale));
    const colours = faces.map((face) => colourOf(this.n, face.label, names.indexOf(face.label)));
    const scene = {
      faces,
      boxes,
      colours,
      names,
      size,
      text: this.text,
      numbers: this.n,
      bounds,
      occupied: message.map(({ rect }) => rect),
    };
    const labels = placeLabels(scene, this.labelPositions);
    const bars = view.bars ? placeBars(scene, labels, this.barPositions) : [];
    this.labelPositions = new Map(
      labels.flatMap((label, i) => (label && faces[i].track ? [[faces[i].track, label.position]] : [])),
    );
    this.barPositions = new Map(
      bars.filter(({ face }) => face.track).map(({ face, position }) => [face.track, position]),
    );
    this.heat.paint(ctx, faces, cropSize, scale);
    boxes.forEach((box, i) => this.paintBox(ctx, box, colours[i], Math.max(2, Math.round(size / 7))));
    bars.forEach((panel) => paintBars(ctx, panel, this.text, this.n, this.about.heat_colours));
    labels.forEach((label) => label && paintLabel(ctx, label, this.text, this.n));
    for (const box of [...texts, ...message]) this.statusLine.paint(ctx, box);
    return { said: message.length > 0, noticed };
  }

  /**
   * Four rounded corners, each with a dark edge.
   * @param {CanvasRenderingContext2D} ctx @param {Rect} box @param {number[]} colour @param {number} thickness
   */
  paintBox(ctx, box, colour, thickness) {
    const arm = Math.max(3, this.n.arm * Math.min(widthOf(box), heightOf(box)));
    ctx.beginPath();
    for (const [x, inX] of [
      [box.left + 0.5, 1],
      [box.right - 0.5, -1],
    ]) {
      for (const [y, inY] of [
        [box.top + 0.5, 1],
        [box.bottom - 0.5, -1],
      ]) {
        ctx.moveTo(x, y + inY * arm);
        ctx.arcTo(x, y, x + inX * arm, y, this.n.corner_radius * arm);
        ctx.lineTo(x + inX * arm, y);
      }
    }
    ctx.lineJoin = ctx.lineCap = "round";
    for (const [ink, width] of [
      [this.n.shadow, thickness + 2],
      [colour, thickness],
    ]) {
      ctx.strokeStyle = css(/** @type {number[]} */ (ink));
      ctx.lineWidth = /** @type {number} */ (width);
      ctx.stroke();
    }
  }
}

/**
 * The part of a face's box inside the frame; at least one pixel.
 * @param {FaceResult} face @param {Rect} frame @param {number} scale @returns {Rect}
 */
function visibleBox({ face: { box } }, frame, scale) {
  const [left, top, right, bottom] = box.map((value) => Math.round((value + 0.5) * scale - 0.5));
  const [x, y] = [clamp(left, 0, frame.right - 1), clamp(top, 0, frame.bottom - 1)];
  return { left: x, top: y, right: clamp(right, x + 1, frame.right), bottom: clamp(bottom, y + 1, frame.bottom) };
}
