// Sources: what they let go, and the numbers of their frames in the table; with stand-ins for the browser.
import assert from "node:assert/strict";
import { test } from "node:test";
import { openAnimation } from "../../../web/page/app/animation.js";
import { nameOf } from "../../../web/page/app/canvas.js";
import { Table } from "../../../web/page/app/outputs.js";
import { openSample } from "../../../web/page/app/sample.js";
import { Session } from "../../../web/page/app/session.js";

test("the sample's pictures are let go with it", async () => {
  let open = 0;
  globalThis.document = { createElement: () => ({ getContext: () => ({}) }) };
  globalThis.fetch = async () => ({ blob: async () => null });
  globalThis.createImageBitmap = async () => {
    open++;
    return { close: () => open-- };
  };
  const about = { sample: { wall: "wall.webp", photos: [{ file: "0.webp" }, { file: "1.webp" }], size_hw: [1, 1] } };
  const source = await openSample(about);
  assert.equal(open, 3);
  source.close();
  assert.equal(open, 0);
  assert.equal(await source.next(), null);
});

test("an animation that cannot be opened is let go", async () => {
  const fine = async () => {};
  const damaged = async () => Promise.reject(new Error("damaged"));
  for (const [ready, completed, decode] of [
    [damaged, fine, fine],
    [fine, damaged, fine],
    [fine, fine, damaged],
  ]) {
    let closed = 0;
    globalThis.ImageDecoder = class {
      static isTypeSupported = async () => true;
      decode = decode;
      completed = completed();
      tracks = { ready: ready(), selectedTrack: { frameCount: 2 } };
      close = () => closed++;
      constructor() {
        for (const promise of [this.completed, this.tracks.ready]) promise.catch(() => {});
      }
    };
    const file = new Blob(["GIF89a"], { type: "image/gif" });
    await assert.rejects(openAnimation(file, { page: {} }), /damaged/);
    assert.equal(closed, 1);
  }
});

test("frames of each source are counted from 0", async () => {
  const page = { sentence_s: 4, away_s: 1, imgsz: 640, wanted_fps: 10, reduced_said: 2 };
  const about = { page, drawing: {}, explainers: ["gradcam"] };
  const columns = { log_columns: ["frame"], log_last_columns: ["source"], log_formula: [] };
  const table = new Table({ ...columns, classifier: { class_names: [] } });
  const stage = { show() {}, change() {}, clear() {} };
  const result = { faces: [], leftOut: 0, searched: 640 };
  const frame = { width: 640, height: 480 };
  const analyst = { settled: true, analyse: async ({ timeS }) => ({ frame, result, timeS, tookMs: 9 }), giveBack() {} };
  globalThis.document = { hidden: false };
  const session = new Session(about, stage, analyst, table, () => {});
  for (const name of ["first", "second"]) {
    const times = [0, 0.1];
    const next = async () => (times.length ? { ...frame, timeS: times.shift() } : null);
    await session.run({ name, kind: "sample", mirrored: false, next, pause() {}, close() {} });
  }
  assert.deepEqual(table.rows, ["0,first", "1,first", "0,second", "1,second"]);
});

test("a sentence has the beginning and the end of a long name, and leaves the picture in sight", () => {
  assert.equal(nameOf({ name: "a film.mp4" }), "a film.mp4");
  const long = nameOf({ name: `😀 summer ${"🎬".repeat(200)}, second cut.mp4` });
  assert.match(long, /^😀 summer 🎬+…🎬*, second cut\.mp4$/u);
  assert.equal([...long].length, 47);
});
