/**
 * What runs the networks: onnxruntime-web, in WebAssembly or, where that is faster on this machine, on the GPU.
 *
 * In:  `About`, where the files lie. Out: `Networks`, and in words what runs them.
 */

/** @typedef {import("./types.js").About} About @typedef {import("./types.js").Networks} Engine */

const MOST_THREADS = 4; // more were never faster for networks this small

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

/** Is there a GPU that is not itself a program? */
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
 * Milliseconds for a frame with one face, the least of a few.
 * @param {Engine} engine @param {About} about @param {() => number} clock
 */
async function timeOf(engine, about, clock) {
  const side = about.page.imgsz;
  const rgb = new Uint8Array(side * side * 0.75 * 3);
  const dims = [1, about.classifier.preprocess.channels, ...about.classifier.preprocess.size_hw];
  const input = new Float32Array(dims.reduce((product, n) => product * n));
  let least = Infinity;
  for (let i = 0; i < 4; i++) {
    const begin = clock();
    await engine.detect(rgb, side * 0.75, side);
    await engine.classify(input, dims);
    least = Math.min(least, clock() - begin);
  }
  return least;
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
 * The faster one of two engines on this machine; the other is let go. One that fails is none.
 * @param {Engine} one @param {Engine} other @param {About} about
 */
export async function fasterOf(one, other, about, clock = () => performance.now()) {
  const otherMs = await timeOf(other, about, clock).catch(() => Infinity);
  const faster = otherMs < (await timeOf(one, about, clock)) ? other : one;
  await (faster === one ? other : one).release();
  return faster;
}
