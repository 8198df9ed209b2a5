// Where labels, bars, status line and message stand: on nothing else, inside the bounds; and rows of the table.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Table } from "../../../web/page/app/outputs.js";
import { placeBars, placeLabels } from "../../../web/page/drawing/layout.js";
import { Text, inside, intersects } from "../../../web/page/drawing/rect.js";
import { StatusLine } from "../../../web/page/drawing/status_line.js";
import { groups } from "../../../web/page/drawing/heat.js";

const numbers = {
  longest_name: 9,
  bar_length: 4.5,
  row: 1.35,
  crowd: 6,
  smallest_face: 4,
  own_share: 0.2,
  smallest: 9,
  white: [255, 255, 255],
  dim: [205, 205, 205],
  regular: 400,
  bold: 600,
  line: 1.35,
  largest_share: 0.3,
  icons: { heat: 1.8, pause: 0.55, record: 0.65 },
};
const names = ["neutral", "happiness", "surprise"];
const text = new Text((_, words) => 7 * words.length); // a font whose letters are all 7 pixels wide
const sceneOf = (boxes, width = 640) => ({
  boxes: boxes.map(([left, top, right, bottom]) => ({ left, top, right, bottom })),
  faces: boxes.map((box, i) => ({
    face: { box },
    label: "happiness",
    confidence: 0.82,
    probabilities: [0.1, 0.82, 0.08],
    track: i + 1,
  })),
  colours: boxes.map(() => [252, 238, 86]),
  bounds: { left: 5, top: 40, right: width - 5, bottom: 450 },
  occupied: [],
  size: 14,
  names,
  text,
  numbers,
});

test("labels and bars meet nothing, wherever faces stand", () => {
  let seed = 7;
  const random = (low, high) => low + Math.floor((high - low) * ((seed = (seed * 16807) % 2147483647) / 2147483647));
  let placed = 0;
  for (let round = 0; round < 200; round++) {
    const boxes = Array.from({ length: random(1, 6) }, () => {
      const [left, top, side] = [random(0, 520), random(0, 360), random(30, 120)];
      return [left, top, left + side, top + side];
    });
    const scene = sceneOf(boxes);
    const labels = placeLabels(scene, new Map());
    const all = [
      ...labels.flatMap((label, i) => (label ? [{ ...label, own: i }] : [])),
      ...placeBars(scene, labels, new Map()).map((bars) => ({ ...bars, own: scene.faces.indexOf(bars.face) })),
    ];
    placed += all.length;
    all.forEach((item, i) => {
      assert.ok(inside(item.rect, scene.bounds));
      scene.boxes.forEach((box, face) => assert.ok(face === item.own || !intersects(item.rect, box)));
      all.slice(i + 1).forEach((other) => assert.ok(!intersects(item.rect, other.rect)));
    });
  }
  assert.ok(placed > 400);
});

test("a label stands above its face, below where there is no room, and stays where it was", () => {
  const high = sceneOf([[200, 42, 300, 142]]);
  assert.equal(placeLabels(high, new Map())[0].position, "below");
  const low = sceneOf([[200, 72, 300, 172]]);
  assert.equal(placeLabels(low, new Map())[0].position, "above");
  assert.equal(placeLabels(low, new Map([[1, "below"]]))[0].position, "below"); // no ample room above
});

test("in a narrow picture the status line is cut, not left out; a message stands above the notice", () => {
  const notice = "Expressions are not feelings";
  const line = new StatusLine({ drawing: numbers, notice }, text);
  const view = { status: "9.4 fps · wasm, 1 thread · 2 faces", heat: "heat: why happiness (gradcam)", paused: true };
  for (const width of [120, 180, 400, 640]) {
    const frame = { left: 0, top: 0, right: width, bottom: 480 };
    const { texts, bounds, message } = line.place({ ...view, message: "saved a picture as it is" }, frame, 12);
    assert.equal(texts.length, 4);
    const all = [...texts, ...message].map(({ rect }) => rect);
    all.forEach((rect, i) => {
      assert.ok(inside(rect, frame));
      all.slice(i + 1).forEach((other) => assert.ok(!intersects(rect, other)));
    });
    assert.ok(inside(message[0].rect, bounds));
    assert.equal(texts[0].lines[0], width < 260 ? text.truncate(view.status, width - 30, 12, 400) : view.status);
  }
  const low = { left: 0, top: 0, right: 640, bottom: 30 };
  assert.deepEqual(line.place({ ...view, message: "saved" }, low, 12).message, []); // no room: the page says it
});

test("crops that overlap are in one group, also through others", () => {
  const at = (left, top) => ({ rect: { left, top, right: left + 10, bottom: top + 10 } });
  const [a, b, c, d] = [at(0, 0), at(18, 0), at(9, 0), at(0, 10)];
  assert.deepEqual(groups([a, b, c, d]), [[a, b, c], [d]]);
  assert.deepEqual(groups([]), []);
});

test("words are broken into lines that fit, and one that does not is cut", () => {
  assert.deepEqual(text.wrap("one two three", 56, 14, 400), ["one two", "three"]);
  assert.deepEqual(text.wrap("aaaa bbbb cccc dd", 112, 14, 400), ["aaaa bbbb", "cccc dd"]); // not "dd" alone
  assert.equal(text.truncate("contemptuous", 42, 14, 400), "conte…");
});

test("rows of the table are those of live.py's log", () => {
  const table = new Table({
    log_columns: ["time_s", "frame", "face", "track", "x1", "y1", "x2", "y2", "score", "label", "confidence"],
    log_last_columns: ["source", "problem"],
    log_formula: ["=", "-"],
    classifier: { class_names: names },
  });
  const face = {
    face: { box: [-1, 2.24, 30.04, 4], score: 0.9 },
    label: "happiness",
    confidence: 0.82,
    probabilities: [0.1, 0.82, 0.08],
    track: 3,
  };
  table.add([face], 1.23456, '=SUM("a")');
  table.add([], null, "-b");
  assert.deepEqual(table.text().split("\n"), [
    "time_s,frame,face,track,x1,y1,x2,y2,score,label,confidence,p_neutral,p_happiness,p_surprise,source,problem",
    '1.235,0,0,3,-1.0,2.2,30.0,4.0,0.9,happiness,0.82,0.1,0.82,0.08,"\'=SUM(""a"")",',
    "0.0,1,,,,,,,,,,,,,'-b,",
    "",
  ]);
});

test("the table has boxes in the source's pixels where its frames were reduced", () => {
  const about = { log_columns: ["x1", "y1", "x2", "y2"], log_last_columns: [], log_formula: [] };
  const table = new Table({ ...about, classifier: { class_names: ["fear"] } });
  const found = { box: [9.5, -0.5, 99.5, 0], score: 0.5 };
  const face = { face: found, label: "fear", confidence: 1, probabilities: [1], track: 1 };
  table.add([face], 0, "large.jpg", 2); // half a pixel is the edge of the first one, at any size
  table.add([face], 0, "small.jpg");
  assert.deepEqual(table.rows, ["19.5,-0.5,199.5,0.5,1.0", "9.5,-0.5,99.5,0.0,1.0"]);
});
