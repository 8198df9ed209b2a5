// The worker between stand-ins for engines, pipeline and browser: what it closes and lets go where something fails.
import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { pathToFileURL } from "node:url";

const STAND_INS = {
  "package.json": '{ "type": "module" }',
  "engine.js": ["openEngine", "openGpu", "fasterOf", "threads"]
    .map((name) => `export const ${name} = (...given) => engines.${name}(...given);`)
    .join("\n"),
  "analysis/pipeline.js": `export class Pipeline {
    constructor(networks) { this.networks = networks; }
    analyse() { return this.networks.analyse(); }
  }`,
};
const folder = mkdtempSync(join(tmpdir(), "worker-"));
after(() => rmSync(folder, { recursive: true }));
mkdirSync(join(folder, "analysis"));
for (const name of ["worker.js", "analysis/resize.js"]) {
  cpSync(new URL(`../../../web/page/${name}`, import.meta.url), join(folder, name));
}
for (const [name, text] of Object.entries(STAND_INS)) writeFileSync(join(folder, name), text);

let started = 0;

/** Start a worker with these engines; what gives its next answer. */
async function start(engines) {
  const answers = [];
  let wake = () => {};
  globalThis.postMessage = (answer) => wake(answers.push(answer));
  globalThis.fetch = async () => ({ json: async () => ({}) });
  globalThis.engines = { openGpu: async () => null, threads: () => 1, ...engines };
  await import(`${pathToFileURL(join(folder, "worker.js"))}?${++started}`);
  return async () => {
    while (!answers.length) await new Promise((resolve) => (wake = resolve));
    return answers.shift();
  };
}

test("frames are closed where the networks could not be opened", async () => {
  const answer = await start({ openEngine: async () => Promise.reject(new Error("no such file")) });
  assert.equal((await answer()).type, "failed");
  let closed = 0;
  for (const number of [1, 2]) {
    globalThis.onmessage({ data: { type: "frame", number, width: 1, height: 1, video: { close: () => closed++ } } });
    assert.match((await answer()).sentence, /no such file/);
    assert.equal(closed, number);
  }
});

test("a GPU that is lost is let go, and WebAssembly goes on", async () => {
  const released = [];
  const wasm = { name: "wasm", analyse: async () => "faces", release: async () => released.push("wasm") };
  const lost = async () => Promise.reject(new Error("device lost"));
  const gpu = { name: "webgpu", analyse: lost, release: () => lost(released.push("webgpu")) };
  const answer = await start({ openEngine: async () => wasm, openGpu: async () => gpu, fasterOf: async () => gpu });
  assert.deepEqual([(await answer()).engine, (await answer()).engine], ["wasm", "webgpu"]);
  globalThis.onmessage({ data: { type: "frame", number: 1, width: 1, height: 1, rgba: new Uint8ClampedArray(4) } });
  assert.equal((await answer()).engine, "wasm");
  assert.equal((await answer()).result, "faces");
  assert.deepEqual(released, ["webgpu"]);
});
