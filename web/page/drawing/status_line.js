/**
 * What the picture says of itself, status line, notice and a message: the twin of pipeline/drawing/status_line.py.
 *
 * In:  a `View`, the frame that its words have to fit in. Out: `TextBox`es, known before faces look for room.
 *
 * @typedef {import("./rect.js").Rect} Rect @typedef {import("./overlay.js").View} View
 * @typedef {object} TextBox lines of text on a panel, behind an icon where there is one
 * @property {Rect} rect @property {string[]} lines @property {string} icon @property {number} size of the font
 * @property {number[]} colour
 */
import { css, paintColourScale, paintPanel, putText } from "./labels.js";
import { heightOf, inside, margin, padding, rectAt, widthOf } from "./rect.js";

export class StatusLine {
  /** @param {import("../types.js").About} about @param {import("./rect.js").Text} text */
  constructor(about, text) {
    this.about = about;
    this.n = about.drawing;
    this.text = text;
  }

  /**
   * Status line and notice; the part of the frame between them; a message in it. What finds no room is left out.
   * @param {View} view @param {Rect} frame @param {number} size
   */
  place(view, frame, size) {
    const [edge, apart] = [margin(size), Math.floor(margin(size) / 2)];
    const widest = widthOf(frame) - 2 * edge;
    const items = [
      [view.recording && "recording", "record"],
      [view.status, ""],
      [view.reduced, ""],
      [view.heat, "heat"],
      [view.paused && "paused", "pause"],
    ];
    const upper = this.placeStatus(/** @type {[string, string][]} */ (items.filter(([words]) => words)), frame, size);
    const small = Math.max(this.n.smallest, Math.round(0.86 * size));
    const notice = this.wrapped(this.about.notice, widest, small, this.n.dim);
    const lower = moved(notice, edge, frame.bottom - edge - heightOf(notice.rect));
    const said = [lower].filter(({ lines }) => lines.join(" ") === this.about.notice); // else the page says it below
    const texts = [...upper, ...said].filter(({ rect }) => {
      const share = this.n.largest_share * heightOf(frame);
      return inside(rect, frame) && (rect.bottom <= share || rect.top >= heightOf(frame) - share);
    });
    const top = Math.max(-apart, ...texts.filter((box) => box !== lower).map(({ rect }) => rect.bottom)) + apart;
    const bottom = (texts.includes(lower) ? lower.rect.top : frame.bottom + apart) - apart;
    const box = this.wrapped(view.message, widest, Math.round(1.15 * size), this.n.white);
    const whole = view.message && box.lines.join(" ") === view.message;
    const left = Math.floor((widthOf(frame) - widthOf(box.rect)) / 2);
    const message = moved(box, left, bottom - edge - heightOf(box.rect));
    return {
      texts,
      noticed: texts.includes(lower),
      bounds: { left: apart, top, right: frame.right - apart, bottom },
      message: whole && inside(message.rect, frame) ? [message] : [], // else the page says it below the picture
    };
  }

  /**
   * Boxes from the upper left corner on, in as many rows as they need.
   * @param {[string, string][]} items @param {Rect} frame @param {number} size
   */
  placeStatus(items, frame, size) {
    const [edge, apart] = [margin(size), Math.floor(margin(size) / 2)];
    let [left, top] = [edge, edge];
    return items.map(([words, icon]) => {
      const box = this.textBox([words], icon, widthOf(frame) - 2 * edge, size, this.n.white);
      if (left > edge && left + widthOf(box.rect) > frame.right - edge) {
        left = edge;
        top += heightOf(box.rect) + apart;
      }
      const placed = moved(box, left, top);
      left = placed.rect.right + apart;
      return placed;
    });
  }

  /** @param {string} words @param {number} widest @param {number} size @param {number[]} colour */
  wrapped(words, widest, size, colour) {
    const lines = this.text.wrap(words, widest - 2 * padding(size), size, this.n.regular);
    return this.textBox(lines, "", widest, size, colour);
  }

  /**
   * A box as large as its text, which is cut where it is wider than `widest` pixels.
   * @param {string[]} lines @param {string} icon @param {number} widest @param {number} size @param {number[]} colour
   * @returns {TextBox}
   */
  textBox(lines, icon, widest, size, colour) {
    const around = 2 * padding(size) + this.iconWidth(icon, size);
    const fitting = lines.map((line) => this.text.truncate(line, widest - around, size, this.n.regular));
    const width = around + Math.max(...fitting.map((line) => this.text.width(line, size, this.n.regular)));
    const height = Math.round(this.n.line * size) * lines.length + 2 * Math.floor(padding(size) / 2);
    return { rect: rectAt(0, 0, width, height), lines: fitting, icon, size, colour };
  }

  /** Of the icon and the gap behind it. @param {string} icon @param {number} size */
  iconWidth(icon, size) {
    return icon ? Math.round((this.n.icons[icon] + 0.45) * size) : 0;
  }

  /** @param {CanvasRenderingContext2D} ctx @param {TextBox} box */
  paint(ctx, { rect, lines, icon, size, colour }) {
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
