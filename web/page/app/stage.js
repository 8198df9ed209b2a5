/**
 * The picture on the screen: the frame below, the drawing above it as dense as the screen's own pixels.
 *
 * In:  a frame with its result, what to show. Out: two canvases; or both in one, for files.
 */
import { Overlay } from "../drawing/overlay.js";

/** @typedef {import("../types.js").Frame} Frame @typedef {import("../types.js").FrameResult} FrameResult */
/** @typedef {import("../drawing/overlay.js").View} View */

const READABLE = 11.5; // CSS pixels: smaller words than these are not read on a phone
const MOST_PIXELS = 4_000_000; // of the drawing; denser is not seen, and a phone's memory is small

/** @param {HTMLCanvasElement} canvas */
const contextOf = (canvas) => /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));

export class Stage {
  /** @param {HTMLElement} element @param {import("../types.js").About} about */
  constructor(element, about) {
    this.element = element;
    this.frame = /** @type {HTMLCanvasElement} */ (element.querySelector("#frame"));
    this.drawing = /** @type {HTMLCanvasElement} */ (element.querySelector("#overlay"));
    const make = () => document.createElement("canvas");
    this.overlay = new Overlay(about, make);
    this.filed = { canvas: make(), overlay: new Overlay(about, make) }; // for snapshots and films
    /** @type {{frame: Frame, result: FrameResult, view: View} | null} */
    this.shown = null;
    new ResizeObserver(() => this.repaint()).observe(element);
  }

  /** @param {Frame} frame @param {FrameResult} result @param {View} view */
  show(frame, result, view) {
    this.shown = { frame, result, view };
    putFrame(this.frame, frame);
    this.repaint();
  }

  /** The same frame with another result or view. @param {Partial<{result: FrameResult, view: View}>} change */
  change(change) {
    if (!this.shown) return;
    Object.assign(this.shown, change);
    this.repaint();
  }

  repaint() {
    if (!this.shown) return;
    const {
      frame: { width, height },
      result,
      view,
    } = this.shown;
    const { clientWidth, clientHeight } = this.element;
    const zoom = Math.min(clientWidth / width, clientHeight / height); // CSS pixels for one of the frame
    if (!(zoom > 0)) return;
    const dense = Math.min(globalThis.devicePixelRatio, Math.sqrt(MOST_PIXELS / (width * height * zoom * zoom)));
    for (const canvas of [this.frame, this.drawing]) {
      canvas.style.width = `${Math.round(width * zoom)}px`;
      canvas.style.height = `${Math.round(height * zoom)}px`;
    }
    const size = {
      width: Math.round(width * zoom * dense),
      height: Math.round(height * zoom * dense),
      scale: zoom * dense,
    };
    resize(this.drawing, size.width, size.height);
    const ctx = contextOf(this.drawing);
    ctx.clearRect(0, 0, size.width, size.height);
    const found = this.overlay.draw(ctx, result, size, { ...view, smallest: Math.round(READABLE * dense) });
    this.element.classList.toggle("said", found.said); // else the page's own message shows
    document.body.classList.toggle("noticed", found.noticed); // and its own notice
  }

  /** The annotated picture in the frame's own pixels, for files: without a message; null where there is none. */
  compose() {
    if (!this.shown) return null;
    const { frame, result, view } = this.shown;
    const { canvas, overlay } = this.filed;
    putFrame(canvas, frame);
    const size = { width: frame.width, height: frame.height, scale: 1 };
    overlay.draw(contextOf(canvas), result, size, { ...view, message: "" });
    return canvas;
  }

  clear() {
    this.shown = null;
    for (const canvas of [this.frame, this.drawing, this.filed.canvas]) resize(canvas, 1, 1);
  }
}

/**
 * Setting the size of a canvas empties it, even to the same: only on change.
 * @param {HTMLCanvasElement} canvas @param {number} width @param {number} height
 */
function resize(canvas, width, height) {
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
}

/** @param {HTMLCanvasElement} canvas @param {Frame} frame */
function putFrame(canvas, { rgba, width, height }) {
  resize(canvas, width, height);
  contextOf(canvas).putImageData(new ImageData(rgba, width, height), 0, 0);
}
