/**
 * The annotated picture over its frame: the twin of pipeline/drawing/{overlay,status_line}.py.
 *
 * In:  a `FrameResult`, what to show, a canvas' context whose pixels lie `scale` times as dense as the frame's.
 * Out: heat on each face, box corners, bars, labels, the status line and the notice, painted in this order.
 *
 * @typedef {object} View what is drawn besides what the result holds
 * @property {boolean} bars
 * @property {string} status "24 fps · wasm · 2 faces"
 * @property {string} heat how heatmaps are made; "" without
 * @property {boolean} paused @property {boolean} recording
 * @property {number} smallest font size in pixels
 * @typedef {import("./rect.js").Rect} Rect @typedef {import("../types.js").FaceResult} FaceResult
 */
import { inverse } from "../analysis/crops.js";
import { colourOf, css, paintBars, paintColourScale, paintLabel, paintPanel, putText } from "./labels.js";
import { placeBars, placeLabels } from "./layout.js";
import { Text, clamp, heightOf, inside, margin, padding, rectAt, textSize, widthOf } from "./rect.js";

/** Draws the frames of one source; labels and bars keep their side of a face from one frame to the next. */
export class Overlay {
  /** @param {import("../types.js").About} about @param {() => HTMLCanvasElement} makeCanvas */
  constructor(about, makeCanvas) {
    this.about = about;
    this.n = about.drawing;
    this.makeCanvas = makeCanvas;
    const ruler = /** @type {CanvasRenderingContext2D} */ (makeCanvas().getContext("2d"));
    this.text = new Text((font, words) => {
      ruler.font = font;
      return ruler.measureText(words).width;
    });
    /** @type {Map<number, string>} */
    this.labelPositions = new Map();
    /** @type {Map<number, string>} */
    this.barPositions = new Map();
    this.patch = { canvas: makeCanvas(), pixels: new ImageData(1, 1) };
  }

  /**
   * @param {CanvasRenderingContext2D} ctx @param {import("../types.js").FrameResult} result
   * @param {{width: number, height: number, scale: number}} size of the canvas in its own pixels @param {View} view
   */
  draw(ctx, { faces, cropSize }, { width, height, scale }, view) {
    const names = this.about.classifier.class_names;
    const size = textSize(width, height, view.smallest);
    const frame = { left: 0, top: 0, right: width, bottom: height };
    const texts = this.placeTexts(view, frame, size);
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
      bounds: texts.bounds,
      occupied: [],
    };
    const labels = placeLabels(scene, this.labelPositions);
    const bars = view.bars ? placeBars(scene, labels, this.barPositions) : [];
    this.labelPositions = new Map(
      labels.flatMap((label, i) => (label && faces[i].track ? [[faces[i].track, label.position]] : [])),
    );
    this.barPositions = new Map(
      bars.filter(({ face }) => face.track).map(({ face, position }) => [face.track, position]),
    );
    faces.forEach((face) => this.paintHeat(ctx, face, cropSize, scale));
    boxes.forEach((box, i) => this.paintBox(ctx, box, colours[i], Math.max(2, Math.round(size / 7))));
    bars.forEach((panel) => paintBars(ctx, panel, this.text, this.n, this.about.heat_colours));
    labels.forEach((label) => label && paintLabel(ctx, label, this.text, this.n));
    texts.boxes.forEach((box) => this.paintTextBox(ctx, box));
  }

  /**
   * A face's heatmap where its crop was cut from, as strong as it is high; nothing outside the crop.
   * @param {CanvasRenderingContext2D} ctx @param {FaceResult} face @param {number} side @param {number} scale
   */
  paintHeat(ctx, { heatmap, toCrop }, side, scale) {
    const back = inverse(toCrop);
    if (!heatmap || !back) return;
    const { canvas } = this.patch;
    if (canvas.width !== side) {
      canvas.width = canvas.height = side;
      this.patch.pixels = new ImageData(side, side);
    }
    const { data } = this.patch.pixels;
    heatmap.forEach((heat, i) => {
      const height = Math.round(255 * heat);
      data.set(this.about.heat_colours[height], 4 * i);
      data[4 * i + 3] = Math.round(this.n.alpha * height);
    });
    /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d")).putImageData(this.patch.pixels, 0, 0);
    const [a, b, tx, c, d, ty] = back;
    ctx.save();
    ctx.scale(scale, scale);
    ctx.translate(0.5, 0.5); // the frame's pixel centres are at .0, the canvas' at .5
    ctx.transform(a, c, b, d, tx, ty);
    ctx.imageSmoothingEnabled = true;
    ctx.drawImage(canvas, -0.5, -0.5);
    ctx.restore();
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

  /**
   * Status line and notice, and the part of the frame between them.
   * @param {View} view @param {Rect} frame @param {number} size
   */
  placeTexts(view, frame, size) {
    const [edge, apart] = [margin(size), Math.floor(margin(size) / 2)];
    const items = [
      [view.status, ""],
      [view.heat, "heat"],
      [view.paused && "paused", "pause"],
      [view.recording && "recording", "record"],
    ];
    const upper = this.placeStatus(/** @type {[string, string][]} */ (items.filter(([words]) => words)), frame, size);
    const small = Math.max(this.n.smallest, Math.round(0.86 * size));
    const lines = this.text.wrap(
      this.about.notice,
      widthOf(frame) - 2 * edge - 2 * padding(small),
      small,
      this.n.regular,
    );
    const notice = this.textBox(lines, "", small, this.n.dim);
    const lower = moved(notice, edge, frame.bottom - edge - heightOf(notice.rect));
    const boxes = [...upper, lower].filter(({ rect }) => {
      const share = this.n.largest_share * heightOf(frame);
      return inside(rect, frame) && (rect.bottom <= share || rect.top >= heightOf(frame) - share);
    });
    const top = Math.max(-apart, ...boxes.filter((box) => box !== lower).map(({ rect }) => rect.bottom)) + apart;
    const bottom = (boxes.includes(lower) ? lower.rect.top : frame.bottom + apart) - apart;
    return { boxes, bounds: { left: apart, top, right: frame.right - apart, bottom } };
  }

  /**
   * Boxes from the upper left corner on, in as many rows as they need.
   * @param {[string, string][]} items @param {Rect} frame @param {number} size
   */
  placeStatus(items, frame, size) {
    const [edge, apart] = [margin(size), Math.floor(margin(size) / 2)];
    let [left, top] = [edge, edge];
    return items.map(([words, icon]) => {
      const box = this.textBox([words], icon, size, this.n.white);
      if (left > edge && left + widthOf(box.rect) > frame.right - edge) {
        left = edge;
        top += heightOf(box.rect) + apart;
      }
      const placed = moved(box, left, top);
      left = placed.rect.right + apart;
      return placed;
    });
  }

  /**
   * A box as large as its text.
   * @param {string[]} lines @param {string} icon @param {number} size @param {number[]} colour
   */
  textBox(lines, icon, size, colour) {
    const widest = Math.max(...lines.map((line) => this.text.width(line, size, this.n.regular)));
    const width = widest + 2 * padding(size) + this.iconWidth(icon, size);
    const height = Math.round(this.n.line * size) * lines.length + 2 * Math.floor(padding(size) / 2);
    return { rect: rectAt(0, 0, width, height), lines, icon, size, colour };
  }

  /** Of the icon and the gap behind it. @param {string} icon @param {number} size */
  iconWidth(icon, size) {
    return icon ? Math.round((this.n.icons[icon] + 0.45) * size) : 0;
  }

  /** @param {CanvasRenderingContext2D} ctx @param {ReturnType<Overlay["textBox"]>} box */
  paintTextBox(ctx, { rect, lines, icon, size, colour }) {
    paintPanel(ctx, rect, Math.floor(size / 3), this.n);
    const left = rect.left + padding(size);
    if (icon) this.paintIcon(ctx, icon, left, (rect.top + rect.bottom) / 2, size);
    lines.forEach((line, i) => {
      const row = Math.round(this.n.line * size);
      const top = rect.top + Math.floor(padding(size) / 2) + i * row;
      putText(ctx, line, left + this.iconWidth(icon, size), [top, top + row], size, this.n.regular, colour, this.n);
    });
  }

  /**
   * @param {CanvasRenderingContext2D} ctx @param {string} icon @param {number} left @param {number} middle
   * @param {number} size
   */
  paintIcon(ctx, icon, left, middle, size) {
    const [width, height] = [Math.round(this.n.icons[icon] * size), Math.round(0.62 * size)];
    const rect = rectAt(left, middle - height / 2, width, height);
    if (icon === "heat") paintColourScale(ctx, rect, this.n, this.about.heat_colours);
    else if (icon === "pause") {
      const third = Math.max(1, Math.round(width / 3));
      ctx.fillStyle = css(this.n.white);
      for (const x of [rect.left, rect.right - third]) ctx.fillRect(x, rect.top, third, height);
    } else {
      ctx.fillStyle = css(this.n.red);
      ctx.beginPath();
      ctx.arc(rect.left + width / 2, middle, Math.min(width, height) / 2, 0, 2 * Math.PI);
      ctx.fill();
    }
  }
}

/** @template {{rect: Rect}} T @param {T} box @param {number} left @param {number} top @returns {T} */
const moved = (box, left, top) => ({ ...box, rect: rectAt(left, top, widthOf(box.rect), heightOf(box.rect)) });

/**
 * The part of a face's box inside the frame; at least one pixel.
 * @param {FaceResult} face @param {Rect} frame @param {number} scale @returns {Rect}
 */
export function visibleBox({ face: { box } }, frame, scale) {
  const [left, top, right, bottom] = box.map((value) => Math.round((value + 0.5) * scale - 0.5));
  const [x, y] = [clamp(left, 0, frame.right - 1), clamp(top, 0, frame.bottom - 1)];
  return { left: x, top: y, right: clamp(right, x + 1, frame.right), bottom: clamp(bottom, y + 1, frame.bottom) };
}
