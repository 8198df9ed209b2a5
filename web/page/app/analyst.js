/**
 * The page's side of the worker: one frame is under way at a time, and its buffer comes back to be used again.
 *
 * In:  grabs (app/sources.js). Out: frames with their results.
 */

/** @typedef {import("../types.js").Frame} Frame @typedef {import("../types.js").FrameResult} FrameResult */
/** @typedef {import("../types.js").PredictOptions} PredictOptions */
/** @typedef {{ready: (engine: string) => void, explained: (result: FrameResult, number: number) => void,
 *   failed: (sentence: string) => void}} Listener */
/** @typedef {{number: number, frame: Frame, result: FrameResult, timeS: number | null, tookMs: number}} Analysed */

export class Analyst {
  /**
   * @param {Promise<unknown>} begin when the worker may be started; what is asked before waits for it
   * @param {Listener} listener
   */
  constructor(begin, listener) {
    this.worker = begin.then(() => this.start(listener));
    this.settled = false; // are the networks loaded, or is it known that they cannot be?
    this.settle = () => {};
    this.loading = new Promise((resolve) => {
      this.settle = () => resolve((this.settled = true));
    });
    /** @type {((analysed: Analysed | null) => void) | null} */
    this.waiting = null;
    this.number = 0; // of the order that is waited for; what another source ordered comes too late
    /** @type {Uint8ClampedArray<ArrayBuffer> | undefined} */
    this.spare = undefined;
    this.broken = ""; // why there is no worker
    this.listener = listener;
  }

  /** @param {Listener} listener */
  start(listener) {
    const worker = new Worker(new URL("../worker.js", import.meta.url), { type: "module" });
    worker.onmessage = ({ data }) => {
      const answer = /** @type {import("../worker.js").Answer} */ (data);
      if (answer.type === "ready" || answer.type === "failed") this.settle();
      if (answer.type === "ready") listener.ready(answer.engine);
      if (answer.type === "explained") listener.explained(answer.result, answer.number);
      if (answer.type === "result" && answer.number === this.number) this.end(answer);
      else if (answer.type === "result") this.giveBack(answer.frame);
      if (answer.type === "failed") {
        listener.failed(answer.sentence);
        this.end(null);
      }
    };
    worker.onerror = (event) => {
      const why = event.message || "their script did not load";
      this.broken = `The networks could not be started (${why}). Reload the page.`;
      listener.failed(this.broken);
      this.settle();
      this.end(null);
    };
    return worker;
  }

  /** @param {Analysed | null} analysed */
  end(analysed) {
    const { waiting } = this;
    this.waiting = null;
    waiting?.(analysed);
  }

  /**
   * A frame with what its faces show; null where that failed, or another was asked for meanwhile.
   * @param {import("./sources.js").Grab} grab
   * @param {{mirror: boolean, turned: boolean, newScene: boolean, options: PredictOptions}} how
   * @returns {Promise<Analysed | null>}
   */
  analyse(grab, how) {
    this.end(null);
    if (this.broken) {
      grab.video?.close();
      this.listener.failed(this.broken);
      return Promise.resolve(null);
    }
    const { spare } = this;
    this.spare = undefined;
    /** @type {import("../worker.js").FrameOrder} */
    const order = { type: "frame", number: ++this.number, ...grab, ...how, spare };
    const handedOver = [grab.video, grab.rgba?.buffer, spare?.buffer].filter((item) => item !== undefined);
    return new Promise((resolve) => {
      this.waiting = resolve;
      this.worker.then((worker) => worker.postMessage(order, /** @type {Transferable[]} */ (handedOver)));
    });
  }

  /** Other heatmaps of the last frame. @param {PredictOptions} options */
  explain(options) {
    this.worker.then((worker) => worker.postMessage({ type: "explain", options }));
  }

  /** A frame that is shown no more: its buffer serves the next one. @param {Frame} frame */
  giveBack(frame) {
    this.spare = frame.rgba;
  }
}
