/**
 * Where labels and bars stand, each beside its own face and on nothing else: the twin of pipeline/drawing/layout.py.
 *
 * What finds no room is left out. Each keeps its position from frame to frame as long as it can.
 *
 * @typedef {import("./rect.js").Rect} Rect
 * @typedef {import("./labels.js").Label} Label @typedef {import("./labels.js").Bars} Bars
 * @typedef {object} Scene
 * @property {import("../types.js").FaceResult[]} faces
 * @property {Rect[]} boxes @property {number[][]} colours both in the order of the faces
 * @property {Rect} bounds where labels and bars may stand
 * @property {Rect[]} occupied what they must not meet
 * @property {number} size of the font
 * @property {string[]} names of the classes
 * @property {import("./rect.js").Text} text
 * @property {Record<string, any>} numbers `about.drawing`
 */
import { barsWh, labelTexts, labelWh } from "./labels.js";
import { areaOf, clamp, gap, heightOf, inside, intersection, intersects, padded, rectAt } from "./rect.js";

/**
 * The first position that meets no other face and nothing placed; `previous` is tried first, but a better one is taken
 * again where it has `ample` pixels around it.
 * @param {Scene} scene @param {Map<string, Rect>} candidates best first @param {number} index of the face
 * @param {(Rect | undefined)[]} placed @param {string | undefined} previous @param {number} ample
 */
function firstFree(scene, candidates, index, placed, previous, ample = 0) {
  const others = scene.boxes.filter((_, i) => i !== index);
  const occupied = [...scene.occupied, ...others, ...placed];
  const names = [...candidates.keys()];
  const at = names.indexOf(previous ?? "");
  /** @type {[string, number][]} */
  const tries = ample && at > 0 ? names.slice(0, at).map((name) => [name, ample]) : [];
  if (at >= 0) tries.push([names[at], 0]);
  tries.push(...names.map((name) => /** @type {[string, number]} */ ([name, 0])));
  const found = tries.find(([name, room]) => {
    const rect = padded(/** @type {Rect} */ (candidates.get(name)), room);
    return inside(rect, scene.bounds) && !occupied.some((other) => other && intersects(rect, other));
  });
  return found?.[0];
}

/** Faces that had a position first, then the larger ones. @param {Scene} scene @param {Map<number, string>} previous */
function choosingOrder({ faces }, previous) {
  const area = (/** @type {number} */ i) => {
    const [left, top, right, bottom] = faces[i].face.box;
    return (right - left) * (bottom - top);
  };
  const isNew = (/** @type {number} */ i) => Number(!previous.has(faces[i].track));
  return faces.map((_, i) => i).sort((a, b) => isNew(a) - isNew(b) || area(b) - area(a));
}

/**
 * A label for each face, or undefined where there is no room.
 * @param {Scene} scene @param {Map<number, string>} previous track -> position in the last frame
 */
export function placeLabels(scene, previous) {
  const { faces, size, text, numbers } = scene;
  /** @type {(Label | undefined)[]} */
  const labels = faces.map(() => undefined);
  for (const i of choosingOrder(scene, previous)) {
    for (const pieces of labelTexts(faces[i], size, text, numbers).slice(faces.length > numbers.crowd ? 1 : 0)) {
      const candidates = labelCandidates(scene.boxes[i], labelWh(pieces, size, text), scene.bounds, size);
      const placed = labels.map((label) => label?.rect);
      const position = firstFree(scene, candidates, i, placed, previous.get(faces[i].track), size);
      if (position) {
        const rect = /** @type {Rect} */ (candidates.get(position));
        labels[i] = { rect, position, pieces, colour: scene.colours[i], size };
        break;
      }
    }
  }
  return labels;
}

/**
 * Above, below, and, where it fits in the box, in its upper corner.
 * @param {Rect} box @param {[number, number]} wh @param {Rect} bounds @param {number} size
 */
function labelCandidates(box, [width, height], bounds, size) {
  const left = clamp(box.left, bounds.left, bounds.right - width);
  const apart = gap(size);
  const [x, y] = [clamp(box.left + apart, bounds.left, box.right), clamp(box.top + apart, bounds.top, box.bottom)];
  const candidates = new Map([
    ["above", rectAt(left, box.top - apart - height, width, height)],
    ["below", rectAt(left, box.bottom + apart, width, height)],
  ]);
  const within = rectAt(x, y, width, height);
  return inside(within, box) ? candidates.set("within", within) : candidates;
}

/**
 * Bars for each face that is large enough and has room beside it.
 * @param {Scene} scene @param {(Label | undefined)[]} labels @param {Map<number, string>} previous
 */
export function placeBars(scene, labels, previous) {
  const { size, bounds, names, text, numbers } = scene;
  /** @type {Bars[]} */
  const panels = [];
  for (const i of choosingOrder(scene, previous)) {
    const [box, face] = [scene.boxes[i], scene.faces[i]];
    if (heightOf(box) < numbers.smallest_face * size) continue;
    const fitting = heightOf(box) / (numbers.row * names.length + 1);
    const own = Math.round(clamp(fitting, Math.max(numbers.smallest, 0.7 * size), 0.9 * size));
    const candidates = barCandidates(
      box,
      labels[i],
      barsWh(names, own, text, numbers),
      bounds,
      size,
      numbers.own_share,
    );
    const placed = [...labels.map((label) => label?.rect), ...panels.map((panel) => panel.rect)];
    const position = firstFree(scene, candidates, i, placed, previous.get(face.track));
    if (position) {
      const rect = /** @type {Rect} */ (candidates.get(position));
      panels.push({ rect, position, face, names, colour: scene.colours[i], size: own });
    }
  }
  return panels;
}

/**
 * Right and left of the box, level with its top or bottom; below or above the label; over the face's own edge.
 * @param {Rect} box @param {Label | undefined} label @param {[number, number]} wh @param {Rect} bounds
 * @param {number} size @param {number} ownShare
 */
function barCandidates(box, label, [width, height], bounds, size, ownShare) {
  const apart = Math.round(0.7 * size);
  const tops = [
    ["top", box.top],
    ["bottom", box.bottom - height],
  ];
  /** @type {Map<string, Rect>} */
  const candidates = new Map();
  const level = (
    /** @type {string} */ side,
    /** @type {number} */ left,
    mayStand = (/** @type {Rect} */ _) => true,
  ) => {
    for (const [name, top] of /** @type {[string, number][]} */ (tops)) {
      const rect = rectAt(left, clamp(top, bounds.top, bounds.bottom - height), width, height);
      if (mayStand(rect)) candidates.set(`${side}, ${name}`, rect);
    }
  };
  level("right", box.right + apart);
  level("left", box.left - apart - width);
  if (label) {
    const below = rectAt(label.rect.left, label.rect.bottom + gap(size), width, height);
    const above = rectAt(label.rect.left, label.rect.top - gap(size) - height, width, height);
    if (!intersects(below, box)) candidates.set("below", below);
    if (!intersects(above, box)) candidates.set("above", above);
  }
  const largest = ownShare * areaOf(box);
  const atEdge = (/** @type {Rect} */ rect) => {
    const covered = areaOf(intersection(rect, box));
    return covered > 0 && covered <= largest;
  };
  level("right edge", bounds.right - width, atEdge);
  level("left edge", bounds.left, atEdge);
  return candidates;
}
