// What runs the networks, and how cameras are named: engines and a clock of the test's own.
import assert from "node:assert/strict";
import { test } from "node:test";
import { cameraName } from "../../../web/page/app/cameras.js";
import { fasterOf, gpuPossible, threads } from "../../../web/page/engine.js";

const about = { page: { imgsz: 640 }, classifier: { preprocess: { channels: 1, size_hw: [48, 48] } } };

const setNavigator = (value) => Object.defineProperty(globalThis, "navigator", { value, configurable: true });

/** Engines on one clock, which a call moves on by so many milliseconds; all numbers that one gives are its `values`. */
function engines(took, values = took.map(() => 0.5)) {
  const time = { ms: 0, released: [] };
  const all = took.map((ms, i) => ({
    name: i,
    detect: async (rgb) => {
      if (ms === Infinity) throw new Error("no such operator");
      assert.ok(new Set(rgb.subarray(0, 1000)).size > 100); // a blank picture would tell engines apart by their speed only
      time.ms += ms;
      return { scores: [values[i]], boxes: [1, 1, 2, values[i]], landmarks: Array(10).fill(1) };
    },
    classify: async () => ({ logits: [values[i]], activation: [1], dims: [1, 1, 1, 1] }),
    release: async () => time.released.push(i),
  }));
  return { all, time, clock: () => time.ms };
}

test("the GPU is taken where it is faster, and the other engine is let go", async () => {
  for (const [wasm, gpu, wanted] of [
    [40, 10, 1],
    [10, 40, 0],
    [10, Infinity, 0],
  ]) {
    const { all, time, clock } = engines([wasm, gpu]);
    assert.equal((await fasterOf(...all, about, clock)).name, wanted);
    assert.deepEqual(time.released, [1 - wanted]);
  }
});

test("a GPU that gives other numbers is none, however fast", async () => {
  for (const [value, wanted] of [
    [0.505, 1],
    [0.52, 0],
    [NaN, 0],
  ]) {
    const { all, clock } = engines([40, 10], [0.5, value]);
    assert.equal((await fasterOf(...all, about, clock)).name, wanted);
  }
});

test("a GPU that is a program is none", async () => {
  const answers = [undefined, null, { info: { isFallbackAdapter: true } }, { isFallbackAdapter: true }, { info: {} }];
  const possible = [];
  for (const adapter of answers) {
    const gpu = adapter === undefined ? undefined : { requestAdapter: async () => adapter };
    setNavigator({ gpu });
    possible.push(await gpuPossible());
  }
  assert.deepEqual(possible, [false, false, false, false, true]);
});

test("threads need isolation, and leave half of the cores to others", () => {
  const counted = [];
  for (const [isolated, cores] of [
    [false, 8],
    [true, 1],
    [true, 2],
    [true, 4],
    [true, 32],
  ]) {
    setNavigator({ hardwareConcurrency: cores });
    globalThis.crossOriginIsolated = isolated;
    counted.push(threads());
  }
  assert.deepEqual(counted, [1, 1, 1, 2, 4]);
});

test("a camera's name tells front from back", () => {
  const facing = (label, ...facingMode) => ({ label, getCapabilities: () => ({ facingMode }) });
  assert.equal(cameraName(facing("camera2 1, facing front", "user"), 0), "camera2 1, facing front");
  assert.equal(cameraName(facing("Integrated", "user"), 0), "Integrated (front)");
  assert.equal(cameraName(facing("", "environment"), 1), "camera 1 (back)");
  assert.equal(cameraName(facing("Webcam"), 0), "Webcam");
  assert.equal(cameraName({ label: "Webcam" }, 0), "Webcam"); // a browser that does not tell
});
