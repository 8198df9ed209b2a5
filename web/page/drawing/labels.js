/**
 * What stands beside a face, its label and the bars of all its classes: the twin of pipeline/drawing/labels.py.
 *
 * @typedef {import("./rect.js").Rect} Rect
 * @typedef {Record<string, any>} Numbers `about.drawing`
 * @typedef {{text: string, colour: number[], weight: number}} Piece
 */
import { Text, gap, heightOf, padding, rectAt, widthOf } from "./rect.js";

/** @param {number[]} rgb @param {number} [alpha] */
export const css = (rgb, alpha = 1) => `rgba(${rgb[0]}, ${rgb[1]}, ${rgb[2]}, ${alpha})`;

/**
 * The colour of a class, or one by its index.
 * @param {Numbers} numbers @param {string} name @param {number} index @returns {number[]}
 */
export function colourOf(numbers, name, index) {
  const colours = /** @type {number[][]} */ (Object.values(numbers.palette));
  return numbers.palette[name] ?? colours[index % colours.length];
}

/** @param {number} size */
const stripeOf = (size) => Math.max(2, Math.round(0.2 * size));

/**
 * What a label may say, best first.
 * @param {import("../types.js").FaceResult} face @param {number} size @param {Text} text @param {Numbers} n
 * @returns {Piece[][]}
 */
export function labelTexts(face, size, text, n) {
  const word = text.truncate(face.label, n.longest_name * size, size, n.bold);
  const name = { text: word, colour: n.white, weight: n.bold };
  const percent = { text: `${(100 * face.confidence).toFixed(0)} %`, colour: n.white, weight: n.regular };
  return [[{ text: "looks like", colour: n.dim, weight: n.regular }, name, percent], [name, percent], [name]];
}

/**
 * Width and height in pixels.
 * @param {Piece[]} pieces @param {number} size @param {Text} text @returns {[number, number]}
 */
export function labelWh(pieces, size, text) {
  const words = pieces.reduce((sum, piece) => sum + text.width(piece.text, size, piece.weight), 0);
  return [words + gap(size) * (pieces.length - 1) + 2 * padding(size) + stripeOf(size), Math.round(1.6 * size)];
}

/**
 * Width and height of the bars in pixels.
 * @param {string[]} names @param {number} size @param {Text} text @param {Numbers} n @returns {[number, number]}
 */
export function barsWh(names, size, text, n) {
  const width = nameWidth(names, size, text, n) + Math.round(n.bar_length * size) + 3 * padding(size);
  return [width, Math.round(n.row * size) * names.length + padding(size)];
}

/** @param {string[]} names @param {number} size @param {Text} text @param {Numbers} n */
function nameWidth(names, size, text, n) {
  return Math.min(n.longest_name * size, Math.max(...names.map((name) => text.width(name, size, n.bold))));
}

/** A dark panel. @param {CanvasRenderingContext2D} ctx @param {Rect} rect @param {number} radius @param {Numbers} n */
export function paintPanel(ctx, rect, radius, n) {
  ctx.fillStyle = `rgba(0, 0, 0, ${n.opacity})`;
  ctx.beginPath();
  ctx.roundRect(rect.left, rect.top, widthOf(rect), heightOf(rect), radius);
  ctx.fill();
}

/**
 * @param {CanvasRenderingContext2D} ctx @param {string} words @param {number} left
 * @param {[number, number]} rows its capitals stand in their middle
 * @param {number} size @param {number} weight @param {number[]} colour @param {Numbers} n
 */
export function putText(ctx, words, left, rows, size, weight, colour, n) {
  ctx.font = Text.font(size, weight);
  ctx.fillStyle = css(colour);
  ctx.fillText(words, left, Math.round((rows[0] + rows[1] + n.cap_height * size) / 2));
}

/**
 * @typedef {{rect: Rect, position: string, pieces: Piece[], colour: number[], size: number}} Label
 * @param {CanvasRenderingContext2D} ctx @param {Label} label @param {Text} text @param {Numbers} n
 */
export function paintLabel(ctx, { rect, pieces, colour, size }, text, n) {
  paintPanel(ctx, rect, Math.floor(size / 4), n);
  const inset = Math.floor(size / 4);
  ctx.fillStyle = css(colour);
  ctx.fillRect(rect.left + inset, rect.top + inset, stripeOf(size), heightOf(rect) - 2 * inset);
  let x = rect.left + stripeOf(size) + padding(size);
  for (const piece of pieces) {
    putText(ctx, piece.text, x, [rect.top, rect.bottom], size, piece.weight, piece.colour, n);
    x += text.width(piece.text, size, piece.weight) + gap(size);
  }
}

/**
 * A row a class: name and bar, the most probable one in its colour; the explained one is marked.
 * @typedef {{rect: Rect, position: string, face: import("../types.js").FaceResult, names: string[],
 *   colour: number[], size: number}} Bars
 * @param {CanvasRenderingContext2D} ctx @param {Bars} bars @param {Text} text @param {Numbers} n
 * @param {number[][]} heatColours
 */
export function paintBars(ctx, { rect, face, names, colour, size }, text, n, heatColours) {
  paintPanel(ctx, rect, Math.floor(size / 3), n);
  const [widest, row] = [nameWidth(names, size, text, n), Math.round(n.row * size)];
  const [length, thickness] = [Math.round(n.bar_length * size), Math.max(3, Math.round(0.45 * size))];
  const left = rect.right - padding(size) - length;
  const top = names.indexOf(face.label);
  names.forEach((name, i) => {
    const y = rect.top + Math.floor(padding(size) / 2) + i * row;
    const barTop = Math.round(y + (row - thickness) / 2);
    const [weight, ink] = i === top ? [n.bold, n.white] : [n.regular, n.dim];
    putText(
      ctx,
      text.truncate(name, widest, size, weight),
      rect.left + padding(size),
      [y, y + row],
      size,
      weight,
      ink,
      n,
    );
    ctx.fillStyle = css(n.track);
    ctx.fillRect(left, barTop, length, thickness);
    ctx.fillStyle = css(i === top ? colour : n.other_class);
    ctx.fillRect(left, barTop, Math.round(length * face.probabilities[i]), thickness);
    if (name === face.explained) {
      paintColourScale(ctx, rectAt(rect.left, y, Math.max(3, Math.round(0.32 * size)), row), n, heatColours);
    }
  });
}

/**
 * The heatmap's colours along the longer side: its legend and its mark.
 * @param {CanvasRenderingContext2D} ctx @param {Rect} rect @param {Numbers} n @param {number[][]} heatColours
 */
export function paintColourScale(ctx, rect, n, heatColours) {
  const across = widthOf(rect) >= heightOf(rect);
  const gradient = across
    ? ctx.createLinearGradient(rect.left, 0, rect.right, 0)
    : ctx.createLinearGradient(0, rect.bottom, 0, rect.top);
  for (let i = 0; i <= 16; i++) {
    const share = i / 16;
    const colour = heatColours[Math.round(255 * share)].map((value) => n.dark + share * (value - n.dark));
    gradient.addColorStop(share, css(colour));
  }
  ctx.fillStyle = gradient;
  ctx.fillRect(rect.left, rect.top, widthOf(rect), heightOf(rect));
}
