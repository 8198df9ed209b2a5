/**
 * What runs the networks: onnxruntime-web, in WebAssembly or, where that is faster on this machine, on the GPU.
 *
 * In:  `About`, where the files lie. Out: `Networks`, and in words what runs them.
 */

/** @typedef {import("./types.js").About} About @typedef {import("./types.js").Networks} Engine */

const MOST_THREADS = 4; // more were never faster for networks this small
// The most that a GPU's outputs may differ from WebAssembly's; of scores and pixels as in retinaface/precision.py.
const MOST_APART = { scores: 0.01, logits: 0.01, boxes: 0.5, landmarks: 0.5 };

/**
 * On how many threads an operator runs. They need shared memory, which browsers give to pages with isolation headers
 * only, and they spin while they wait: half of the cores stay free for the page and for others.
 */
export function threads() {
  const cores = navigator.hardwareConcurrency || 1;
  return globalThis.crossOriginIsolated ? Math.min(Math.ceil(cores / 2), MOST_THREADS) : 1;
}

/**
 * @param {About} about @param {"wasm" | "webgpu"} provider @param {number} count threads
 * @returns {Promise<Engine>}
 */
export async function openEngine(about, provider, count) {
  const folder = new URL("ort/", import.meta.url).href;
  const [module, files] =
    provider === "wasm"
      ? ["ort.wasm.min.mjs", "ort-wasm-simd-threaded"]
      : ["ort.webgpu.min.mjs", "ort-wasm-simd-threaded.asyncify"];
  const ort = await import(`${folder}${module}`);
  ort.env.logLevel = "error";
  ort.env.wasm.numThreads = count;
  ort.env.wasm.wasmPaths = { mjs: `${folder}${files}.mjs`, wasm: `${folder}${files}.wasm` };
  const open = (/** @type {string} */ file) =>
    ort.InferenceSession.create(new URL(file, import.meta.url).href, {
      executionProviders: [provider],
      logSeverityLevel: 3,
    });
  const detector = await open(about.detector.file);
  const classifier = await open(about.classifier.file);
  return {
    name: provider === "wasm" ? `wasm, ${count} thread${count > 1 ? "s" : ""}` : "webgpu",
    async detect(rgb, height, width) {
      const { scores, boxes, landmarks } = await detector.run({
        input: new ort.Tensor("uint8", rgb, [1, height, width, 3]),
      });
      return { scores: scores.data, boxes: boxes.data, landmarks: landmarks.data };
    },
    async classify(input, dims) {
      const { logits, activation } = await classifier.run({ input: new ort.Tensor("float32", input, dims) });
      return { logits: logits.data, activation: activation.data, dims: activation.dims };
    },
    async release() {
      await detector.release();
      await classifier.release();
    },
  };
}

/** Is there a GPU that is not emulated in software? */
export async function gpuPossible() {
  const gpu = /** @type {any} */ (navigator).gpu;
  try {
    const adapter = await gpu?.requestAdapter();
    return Boolean(adapter) && !(adapter.info?.isFallbackAdapter ?? adapter.isFallbackAdapter);
  } catch {
    return false;
  }
}

/**
 * Milliseconds for a frame with one face, the least of a few; and what came out of it.
 * @param {Engine} engine @param {About} about @param {() => number} clock
 */
async function trial(engine, about, clock) {
  const side = about.page.imgsz;
  const pattern = (/** @type {unknown} */ _, /** @type {number} */ i) => (7 * i + (i >> 6) * 11) % 256;
  const rgb = new Uint8Array(side * side * 0.75 * 3).map(pattern);
  const dims = [1, about.classifier.preprocess.channels, ...about.classifier.preprocess.size_hw];
  const input = new Float32Array(dims.reduce((product, n) => product * n)).map(pattern).map((v) => v / 128 - 1);
  let [ms, outputs] = [Infinity, /** @type {any} */ (null)];
  for (let i = 0; i < 4; i++) {
    const begin = clock();
    const found = await engine.detect(rgb, side * 0.75, side);
    outputs = { ...found, ...(await engine.classify(input, dims)) };
    ms = Math.min(ms, clock() - begin);
  }
  return { ms, outputs };
}

/**
 * Do two engines give the same numbers? Never so for NaN.
 * @param {Record<string, ArrayLike<number>>} outputs @param {Record<string, ArrayLike<number>>} others
 */
function agree(outputs, others) {
  return Object.entries(MOST_APART).every(([name, apart]) =>
    Array.from(outputs[name]).every((value, i) => Math.abs(value - others[name][i]) <= apart),
  );
}

/** The GPU's engine, or null where there is no GPU or it does not run the networks. @param {About} about */
export async function openGpu(about) {
  if (!(await gpuPossible())) return null;
  try {
    return await openEngine(about, "webgpu", 1);
  } catch (error) {
    console.warn(`the GPU is not used: ${error}`);
    return null;
  }
}

/**
 * The faster one of two engines on this machine; the other is let go. The second is not taken where it fails, or
 * gives other numbers than the first.
 * @param {Engine} one @param {Engine} other @param {About} about
 */
export async function fasterOf(one, other, about, clock = () => performance.now()) {
  const theirs = await trial(other, about, clock).catch(() => null);
  const ours = await trial(one, about, clock);
  const faster = theirs && theirs.ms < ours.ms && agree(ours.outputs, theirs.outputs) ? other : one;
  await (faster === one ? other : one).release().catch(() => {}); // not even that works on a GPU that is lost
  return faster;
}
