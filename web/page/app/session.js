/**
 * One source from its opening to its end: the twin of pipeline/live/session.py.
 *
 * In:  a source, options that buttons and keys change.
 * Out: frames on the stage, rows in the table, words for the person.
 *
 * The loop in `run` is the whole page: the newest frame goes to the worker, comes back with what its faces show, and is
 * drawn. Nothing is queued: frames that come meanwhile are skipped.
 */
import { RateMeter, SearchSize, Speaker, gistOf, sentenceOf } from "./rate.js";

/** @typedef {import("./sources.js").Source} Source @typedef {import("./analyst.js").Analysed} Analysed */

export class Session {
  /**
   * @param {import("../types.js").About} about @param {import("./stage.js").Stage} stage
   * @param {import("./analyst.js").Analyst} analyst @param {import("./outputs.js").Table} table
   * @param {(sentence: string) => void} speak for a screen reader
   */
  constructor(about, stage, analyst, table, speak) {
    this.about = about;
    this.stage = stage;
    this.analyst = analyst;
    this.table = table;
    this.speak = speak;
    this.speaker = new Speaker(speak, about.page.sentence_s);
    this.engine = "";
    this.recording = false;
    this.message = "";
    /** @type {((sentence: string) => void)} called after each frame, with what it shows in words */
    this.presented = () => {};
    /** @type {(sentence: string) => void} called when a film is over */
    this.over = () => {};
    /** @type {(() => void)} called again and again while a camera gives no picture */
    this.away = () => {};
    this.options = {
      explainer: /** @type {string | null} */ (about.explainers[0]),
      explainClass: /** @type {string | null} */ (null),
      mirror: false,
      bars: true,
    };
    this.frames = 0;
    this.source = /** @type {Source | null} */ (null);
    this.paused = false;
    this.resume = () => {};
    this.newScene = true;
    this.turnedTo = false; // was the last frame mirrored?
    this.rate = new RateMeter();
    this.search = new SearchSize(about.page);
    /** @type {Analysed | null} */
    this.last = null;
  }

  restart() {
    this.newScene = true;
    this.rate = new RateMeter();
    this.search = new SearchSize(this.about.page);
    this.speaker = new Speaker(this.speak, this.about.page.sentence_s);
    this.last = null;
  }

  /** Frames of `source` until it ends or another one is opened. A film that is over waits. @param {Source} source */
  async run(source) {
    this.stop();
    this.source = source;
    this.frames = this.table.frame = 0;
    this.restart();
    this.options.mirror = this.turnedTo = source.mirrored;
    let lastS = -Infinity;
    if (source.kind === "film" && !this.analyst.settled) source.pause(true); // it waits for the networks
    await this.analyst.loading;
    if (this.source === source) this.hide(document.hidden);
    while (this.source === source) {
      if (this.paused) await new Promise((resolve) => (this.resume = () => resolve(undefined)));
      const grab = this.source === source ? await this.nextOf(source) : null;
      if (!grab && source.ending && this.source === source) {
        this.pause(true);
        this.over(source.ending());
        continue;
      }
      if (!grab) break;
      if (this.source !== source) {
        grab.video?.close();
        break;
      }
      if (grab.timeS !== null && grab.timeS < lastS) this.newScene = true;
      lastS = grab.timeS ?? -Infinity;
      const { mirror } = this.options;
      const turned = mirror !== this.turnedTo;
      this.turnedTo = mirror;
      const analysed = await this.analyst.analyse(grab, {
        mirror,
        turned,
        newScene: this.newScene,
        options: this.predict,
      });
      if (!analysed || this.source !== source) continue;
      this.newScene = false;
      this.present(analysed);
      const standing = this.paused || source.kind === "picture";
      if (standing && mirror !== this.options.mirror) await this.turn();
    }
  }

  /** @param {Source} source */
  async nextOf(source) {
    const silent = () => this.paused || source.kind !== "camera" || this.away();
    const timer = setInterval(silent, 1000 * this.about.page.away_s);
    return source.next().finally(() => clearInterval(timer));
  }

  /** @param {Analysed} analysed @param {{again?: boolean}} [how] again: the frame before, mirrored */
  present(analysed, { again = false } = {}) {
    const nowS = performance.now() / 1000;
    if (!again) {
      this.rate.tick(nowS);
      if (this.source?.kind !== "picture") this.search.add(analysed.tookMs);
      const { width, height } = analysed.frame;
      const reduced = Math.max(1, (this.source?.longest ?? 0) / Math.max(width, height));
      this.table.add(analysed.result.faces, analysed.timeS, this.source?.name ?? "", reduced);
    }
    if (this.last) this.analyst.giveBack(this.last.frame);
    this.last = analysed;
    this.frames++;
    this.stage.show(analysed.frame, analysed.result, this.view);
    const sentence = sentenceOf(analysed.result);
    this.speaker.offer(sentence, nowS, gistOf(analysed.result));
    if (again) this.speaker.catchUp(nowS);
    this.presented(sentence);
  }

  /** What the worker is asked for. */
  get predict() {
    const { explainer, explainClass } = this.options;
    const size = this.source?.kind === "picture" ? this.about.page.still_imgsz : this.search.imgsz;
    return { explainer, explainClass, imgsz: size };
  }

  /** What is drawn besides the result. @returns {import("../drawing/overlay.js").View} */
  get view() {
    const { explainer, explainClass, bars } = this.options;
    const count = this.last?.result.faces.length ?? 0;
    const fps = this.rate.perSecond;
    const still = this.source?.kind === "picture";
    const rate = fps && !still ? `${fps.toFixed(fps >= 10 ? 0 : 1)} fps` : "";
    const leftOut = this.last?.result.leftOut ?? 0;
    const faces = `${count || "no"}${leftOut ? ` of ${count + leftOut}` : ""} face${count > 1 ? "s" : ""}`;
    return {
      bars,
      status: [rate, this.engine, faces].filter(Boolean).join(" · "),
      reduced: this.last ? this.reduced(this.last) : "",
      heat: explainer ? `heat: ${explainer}${explainClass ? ` for ${explainClass}` : ""}` : "",
      paused: this.paused,
      recording: this.recording,
      message: this.message,
      smallest: this.about.drawing.smallest,
    };
  }

  /** How much smaller than it came a frame was searched, where that loses faces. @param {Analysed} analysed */
  reduced({ frame, result: { searched } }) {
    const longest = Math.max(frame.width, frame.height, this.source?.longest ?? 0);
    return longest > this.about.page.reduced_said * searched ? `searched at ${searched} of ${longest} px` : "";
  }

  /** A key or button changed what is explained or drawn. @param {Partial<Session["options"]>} change */
  change(change) {
    const turned = change.mirror !== undefined && change.mirror !== this.options.mirror;
    Object.assign(this.options, change);
    const standing = this.paused || this.source?.kind === "picture";
    if (turned && standing && !this.analyst.waiting) this.turn();
    else if ("explainer" in change || "explainClass" in change) this.analyst.explain(this.predict);
    this.stage.change({ view: this.view });
  }

  /**
   * Other heatmaps came, for the frame that is shown or for one that never was.
   * @param {import("../types.js").FrameResult} result @param {number} number of the frame
   */
  explained(result, number) {
    if (!this.last || number !== this.last.number) return;
    this.last.result = result;
    this.stage.change({ result, view: this.view });
  }

  /** Analyse the frame that stands as a mirror shows it; once more where that was asked for meanwhile. */
  async turn() {
    const { source, last } = this;
    if (!last) return;
    const { mirror } = this.options;
    const grab = { ...last.frame, rgba: last.frame.rgba.slice(), timeS: last.timeS }; // it stays on the screen
    this.turnedTo = mirror;
    const how = { mirror: true, turned: true, newScene: false, options: this.predict };
    const analysed = await this.analyst.analyse(grab, how);
    if (!analysed || this.source !== source) return;
    this.present(analysed, { again: true });
    if (mirror !== this.options.mirror) await this.turn();
  }

  /**
   * Whether nobody sees the page. A film would run to its end unseen; Safari stops a camera's video by itself, and does
   * not start it again.
   * @param {boolean} hidden
   */
  hide(hidden) {
    if (this.paused || !this.analyst.settled) return;
    if (this.source?.kind === "film" || !hidden) this.source?.pause(hidden);
  }

  /** @param {boolean} paused */
  pause(paused) {
    this.paused = paused;
    if (paused) this.speaker.catchUp(performance.now() / 1000);
    this.source?.pause(paused);
    if (!paused) this.resume();
    this.stage.change({ view: this.view });
  }

  /** Let the source go. */
  stop() {
    const { source } = this;
    this.source = null;
    this.paused = false;
    source?.close();
    this.resume();
    this.stage.clear();
    this.last = null;
  }
}
