/**
 * The thread beside the page: takes the newest frame, gives back its pixels and what its faces show.
 *
 * In:  {type: "frame", video | rgba ...}, {type: "explain" ...}, see `Order`.
 * Out: {type: "ready" | "result" | "explained" | "failed" ...}, see `Answer`.
 *
 * Pixels travel in buffers that are handed over, not copied, and used again: memory stays flat however many come.
 *
 * @typedef {import("./types.js").PredictOptions} PredictOptions @typedef {import("./types.js").About} About
 * @typedef {object} FrameOrder
 * @property {"frame"} type
 * @property {number} number comes back with the result
 * @property {VideoFrame} [video] closed by the worker
 * @property {Uint8ClampedArray<ArrayBuffer>} [rgba] instead of `video`
 * @property {number} width @property {number} height
 * @property {Uint8ClampedArray<ArrayBuffer>} [spare] a buffer to use again
 * @property {boolean} mirror
 * @property {boolean} turned it shows the mirror image of what would follow
 * @property {number | null} timeS null: a picture
 * @property {boolean} newScene
 * @property {PredictOptions} options
 *
 * @typedef {FrameOrder | {type: "explain", options: PredictOptions}} Order
 * @typedef {{type: "ready", engine: string} | {type: "failed", sentence: string}
 *   | {type: "result", number: number, frame: import("./types.js").Frame, result: import("./types.js").FrameResult,
 *      timeS: number | null, tookMs: number}
 *   | {type: "explained", number: number, result: import("./types.js").FrameResult}} Answer
 */
import { Pipeline } from "./analysis/pipeline.js";
import { mirror } from "./analysis/resize.js";
import { fasterOf, openEngine, openGpu, threads } from "./engine.js";

/** @param {Answer} answer @param {Transferable[]} [handedOver] */
const say = (answer, handedOver = []) => /** @type {any} */ (globalThis).postMessage(answer, handedOver);
/** @type {Promise<Pipeline>} */
const opening = open();
/** @type {Promise<unknown>} orders are carried out one after the other */
let turn = opening.catch(sayFailed);

async function open() {
  const about = await (await fetch(new URL("about.json", import.meta.url))).json();
  const pipeline = new Pipeline(await openEngine(about, "wasm", threads()), about);
  use(pipeline, pipeline.networks);
  useGpu(pipeline);
  return pipeline;
}

/** @param {Pipeline} pipeline @param {import("./types.js").Networks} engine runs it from now on */
function use(pipeline, engine) {
  pipeline.networks = engine;
  say({ type: "ready", engine: engine.name });
}

/**
 * From now on the GPU's engine, where there is a GPU and it is the faster one.
 * @param {Pipeline} pipeline
 */
async function useGpu(pipeline) {
  const { about } = pipeline;
  const gpu = await openGpu(about);
  if (gpu) inTurn(async () => use(pipeline, await fasterOf(pipeline.networks, gpu, about)));
}

/** @param {() => Promise<void>} task */
function inTurn(task) {
  turn = turn.then(task).catch(sayFailed);
}

/** @param {unknown} error */
function sayFailed(error) {
  const sentence = `The networks do not work here (${error}). Reload the page, or open it in another browser.`;
  say({ type: "failed", sentence });
}

let analysed = 0; // number of the last frame

/** @param {FrameOrder} order */
async function analyse(order) {
  const pipeline = await opening.catch((error) => {
    order.video?.close();
    throw error;
  });
  const begin = performance.now();
  const { width, height } = order;
  const rgba = order.rgba ?? (await pixelsOf(/** @type {VideoFrame} */ (order.video), order));
  if (order.mirror) mirror(rgba, width);
  const frame = { rgba, width, height };
  if (order.turned) pipeline.mirror(width);
  const run = () => pipeline.analyse(frame, order.timeS, order.options, order.newScene);
  const result = await run().catch(async (error) => {
    const lost = pipeline.networks; // as a GPU is after a sleep
    if (lost.name !== "webgpu") throw error;
    use(pipeline, await openEngine(pipeline.about, "wasm", threads()));
    lost.release().catch(() => {}); // not even that works on some
    return run();
  });
  analysed = order.number;
  const tookMs = performance.now() - begin;
  say({ type: "result", number: order.number, frame, result, timeS: order.timeS, tookMs }, [rgba.buffer]);
}

/** @type {OffscreenCanvasRenderingContext2D | null} */
let context = null;

/**
 * The frame's RGBA pixels, in the spare buffer where it fits.
 * @param {VideoFrame} video @param {FrameOrder} order
 */
async function pixelsOf(video, { width, height, spare }) {
  const length = width * height * 4;
  const rgba = spare?.length === length ? spare : new Uint8ClampedArray(length);
  try {
    if (!(await copied(video, rgba, width, height))) {
      if (context?.canvas.width !== width || context.canvas.height !== height) {
        context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
      }
      const drawing = /** @type {OffscreenCanvasRenderingContext2D} */ (context);
      drawing.fillStyle = "white"; // behind what is see-through, and over the frame before
      drawing.fillRect(0, 0, width, height);
      drawing.drawImage(video, 0, 0, width, height);
      rgba.set(drawing.getImageData(0, 0, width, height).data);
    }
  } finally {
    video.close();
  }
  return rgba;
}

/**
 * Without a canvas between, where the browser can and the frame needs no turning, resizing or background.
 * @param {VideoFrame} video @param {Uint8ClampedArray<ArrayBuffer>} rgba @param {number} width @param {number} height
 */
async function copied(video, rgba, width, height) {
  const { visibleRect, rotation = 0, flip = false } = /** @type {any} */ (video);
  if (video.format?.endsWith("A")) return false;
  if (rotation || flip || visibleRect?.width !== width || visibleRect.height !== height) return false;
  try {
    const options = /** @type {any} */ ({ format: "RGBA", colorSpace: "srgb" });
    if (video.allocationSize(options) !== rgba.length) return false;
    await video.copyTo(rgba, options);
    return true;
  } catch {
    return false; // a browser that gives the camera's own format only
  }
}

globalThis.onmessage = (/** @type {MessageEvent} */ { data }) => {
  const order = /** @type {Order} */ (data);
  inTurn(async () => {
    if (order.type === "frame") return analyse(order);
    const result = (await opening).explain(order.options);
    if (result) say({ type: "explained", number: analysed, result });
  });
};
