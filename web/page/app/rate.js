/**
 * Frames a second, how large frames are searched, and how often a screen reader speaks: decisions in time.
 *
 * In:  times in seconds and milliseconds, from outside. Out: numbers and words; pure, so that tests need not wait.
 */

/** Ticks a second over the last second (pipeline/output/window.py). */
export class RateMeter {
  constructor() {
    /** @type {number[]} */
    this.ticks = [];
  }

  /** @param {number} nowS */
  tick(nowS) {
    this.ticks.push(nowS);
    while (this.ticks.length > 2 && nowS - this.ticks[0] > 1) this.ticks.shift();
  }

  get perSecond() {
    const span = this.ticks.length > 1 ? this.ticks[this.ticks.length - 1] - this.ticks[0] : 0;
    return span > 0 ? (this.ticks.length - 1) / span : 0;
  }
}

const LOOK = 8; // frames that are looked at together
const WARM_UP = 2; // frames after a change that are not

/** The full search size where that keeps the wanted rate, else the small one. */
export class SearchSize {
  /** @param {import("../types.js").AboutPage} about */
  constructor({ imgsz, small_imgsz, wanted_fps }) {
    this.full = imgsz;
    this.small = small_imgsz;
    this.budgetMs = 1000 / wanted_fps;
    this.imgsz = imgsz;
    /** @type {number[]} */
    this.took = [];
  }

  /** A frame was analysed in so many milliseconds. @param {number} tookMs */
  add(tookMs) {
    this.took.push(tookMs);
    if (this.took.length < LOOK + WARM_UP) return;
    const mean = this.took.slice(WARM_UP).reduce((sum, ms) => sum + ms, 0) / LOOK;
    const larger = (this.full / this.small) ** 2; // the search takes so much longer at full size, at most
    const wanted = this.imgsz === this.full ? mean <= this.budgetMs : mean * larger < this.budgetMs;
    this.imgsz = wanted ? this.full : this.small;
    this.took = [];
  }
}

/** At most one sentence in `gapS`, and none while its `key` stays the same; `catchUp` says what the gap held back. */
export class Speaker {
  /** @param {(sentence: string) => void} say @param {number} gapS */
  constructor(say, gapS) {
    this.say = say;
    this.gapS = gapS;
    this.saidS = -Infinity;
    this.saidKey = "";
    this.newest = { sentence: "", key: "" };
  }

  /** @param {string} sentence @param {number} nowS @param {string} [key] what of the sentence is worth saying anew */
  offer(sentence, nowS, key = sentence) {
    this.newest = { sentence, key };
    if (nowS - this.saidS >= this.gapS) this.catchUp(nowS);
  }

  /** Say what the gap held back: nothing new comes for now. @param {number} nowS */
  catchUp(nowS) {
    const { sentence, key } = this.newest;
    if (key === this.saidKey) return;
    this.saidKey = key;
    this.saidS = nowS;
    this.say(sentence);
  }
}

const NAMED = 4; // faces of a sentence, from the left
/** @param {import("../types.js").FaceResult[]} faces */
const fromTheLeft = (faces) => [...faces].sort((one, other) => one.face.box[0] - other.face.box[0]).slice(0, NAMED);

/** What the faces show, as one sentence. @param {import("../types.js").FrameResult} result */
export function sentenceOf({ faces, leftOut }) {
  if (!faces.length) return "No face.";
  const named = fromTheLeft(faces).map(({ label, confidence }) => `${label} ${(100 * confidence).toFixed(0)} percent`);
  const all = leftOut ? `${faces.length} of ${faces.length + leftOut}` : faces.length;
  const count = faces.length > 1 ? `${all} faces look like` : "The face looks like";
  return `${count} ${named.join(", ")}${faces.length > NAMED ? " and others" : ""}.`;
}

/**
 * What of that sentence is worth saying anew: percentages change all the time.
 * @param {import("../types.js").FrameResult} result
 */
export const gistOf = ({ faces }) => `${faces.length} ${fromTheLeft(faces).map(({ label }) => label)}`;
