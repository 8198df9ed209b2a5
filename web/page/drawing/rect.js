/**
 * Rectangles in whole pixels, and text in a font: what layouts are made of (pipeline/drawing/{primitives,text}.py).
 *
 * @typedef {object} Rect
 * @property {number} left @property {number} top
 * @property {number} right @property {number} bottom the first pixels outside
 */

/** @param {number} left @param {number} top @param {number} width @param {number} height @returns {Rect} */
export function rectAt(left, top, width, height) {
  const [x, y] = [Math.round(left), Math.round(top)];
  return { left: x, top: y, right: x + width, bottom: y + height };
}

/** @param {Rect} rect */
export const widthOf = (rect) => rect.right - rect.left;
/** @param {Rect} rect */
export const heightOf = (rect) => rect.bottom - rect.top;
/** @param {Rect} rect */
export const areaOf = (rect) => widthOf(rect) * heightOf(rect);

/** `value`, or the end of the range that it passes. @param {number} value @param {number} low @param {number} high */
export const clamp = (value, low, high) => Math.max(low, Math.min(value, high));

/** Do they share a pixel? @param {Rect} a @param {Rect} b */
export const intersects = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;

/** The part that both cover. @param {Rect} a @param {Rect} b @returns {Rect} */
export function intersection(a, b) {
  const [left, top] = [clamp(a.left, b.left, b.right), clamp(a.top, b.top, b.bottom)];
  const [right, bottom] = [Math.min(a.right, b.right), Math.min(a.bottom, b.bottom)];
  return { left, top, right: Math.max(left, right), bottom: Math.max(top, bottom) };
}

/** Does `a` lie in `b` with every pixel? @param {Rect} a @param {Rect} b */
export const inside = (a, b) => a.left >= b.left && a.top >= b.top && a.right <= b.right && a.bottom <= b.bottom;

/** With so many pixels more on each side. @param {Rect} rect @param {number} pixels @returns {Rect} */
export function padded(rect, pixels) {
  const { left, top, right, bottom } = rect;
  return { left: left - pixels, top: top - pixels, right: right + pixels, bottom: bottom + pixels };
}

/** Distances that follow from the font size, in pixels. @param {number} size */
export const padding = (size) => Math.round(0.6 * size);
/** @param {number} size */
export const gap = (size) => Math.max(2, Math.round(0.32 * size));
/** @param {number} size */
export const margin = (size) => Math.round(0.7 * size);

/**
 * The font size in pixels that suits a picture.
 * @param {number} width @param {number} height @param {number} smallest
 */
export const textSize = (width, height, smallest) =>
  Math.max(smallest, Math.round(0.029 * Math.min(height, 0.9 * width)));

const FAMILY = '"Rubik", "Noto Sans", "Segoe UI", system-ui, sans-serif';

/** Measures and fits words. */
export class Text {
  /** @param {(font: string, text: string) => number} measure pixels of `text` in a CSS font */
  constructor(measure) {
    this.measure = measure;
    /** @type {Map<string, number>} */
    this.widths = new Map();
  }

  /** @param {number} size @param {number} weight */
  static font(size, weight) {
    return `${weight} ${size}px ${FAMILY}`;
  }

  /** Pixels, whole. @param {string} text @param {number} size @param {number} weight */
  width(text, size, weight) {
    const key = `${weight} ${size} ${text}`;
    let width = this.widths.get(key);
    if (width === undefined) {
      width = Math.ceil(this.measure(Text.font(size, weight), text));
      if (this.widths.size > 4096) this.widths.clear();
      this.widths.set(key, width);
    }
    return width;
  }

  /**
   * As much of `text` as fits in `width` pixels.
   * @param {string} text @param {number} width @param {number} size @param {number} weight
   */
  truncate(text, width, size, weight) {
    if (this.width(text, size, weight) <= width) return text;
    let kept = text.length;
    while (kept > 0 && this.width(`${text.slice(0, kept).trimEnd()}…`, size, weight) > width) kept--;
    return `${text.slice(0, kept).trimEnd()}…`;
  }

  /**
   * The fewest lines of at most `width` pixels, of similar lengths; a word wider than a line is truncated.
   * @param {string} text @param {number} width @param {number} size @param {number} weight
   */
  wrap(text, width, size, weight) {
    let lines = this.fillLines(text, width, size, weight);
    for (let narrower = lines; narrower.length === lines.length && narrower.join(" ") === text; width -= size) {
      lines = narrower;
      if (lines.length === 1) break;
      narrower = this.fillLines(text, width - size, size, weight);
    }
    return lines;
  }

  /**
   * Each line with as many words as fit.
   * @param {string} text @param {number} width @param {number} size @param {number} weight
   */
  fillLines(text, width, size, weight) {
    /** @type {string[]} */
    const lines = [];
    for (const word of text.split(" ")) {
      const longer = lines.length ? `${lines[lines.length - 1]} ${word}` : "";
      if (longer && this.width(longer, size, weight) <= width) lines[lines.length - 1] = longer;
      else lines.push(this.truncate(word, width, size, weight));
    }
    return lines;
  }
}
