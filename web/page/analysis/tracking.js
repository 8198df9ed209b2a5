/**
 * Who is who between frames: the twin of pipeline/tracking.py, where the reasons stand.
 *
 * In:  the faces of one frame, later their probabilities, and the frame's time in seconds.
 * Out: the same faces, smoothed, each with its track; probabilities smoothed along the track.
 */
import { sizeOf } from "./detector.js";
import { facePatch, likeness, mirrored } from "./grey.js";
import { Motion, OneEuroFilter } from "./motion.js";

/** @typedef {import("../types.js").Face} Face @typedef {import("../types.js").AboutTracking} AboutTracking */
/** @typedef {{track: Track, fresh: boolean}} Observation fresh: not smoothed with what was long ago */

/** One person as long as they are seen. */
class Track {
  /** @param {number} number @param {Face} face @param {number} timeS @param {AboutTracking} about */
  constructor(number, face, timeS, about) {
    this.number = number;
    this.motion = new Motion(centreOf(face), sizeOf(face), timeS, about);
    this.geometry = new OneEuroFilter(about);
    /** @type {import("./grey.js").Grey | null} */
    this.patch = null;
    /** @type {number[] | null} */
    this.probabilities = null;
    this.classifiedS = 0;
  }
}

/** Numbers and smooths the faces of one source; its rate is learned from the times. */
export class Tracker {
  /** @param {AboutTracking} about */
  constructor(about) {
    this.about = about;
    /** @type {Track[]} */
    this.tracks = [];
    this.seen = 0;
    /** @type {number | null} */
    this.detectedS = null;
    /** @type {number[]} */
    this.intervalsS = [];
  }

  /** The usual seconds between two frames: the median. */
  get intervalS() {
    const sorted = [...this.intervalsS].sort((a, b) => a - b);
    const middle = sorted.length / 2;
    if (!sorted.length) return 0;
    return sorted.length % 2 ? sorted[Math.floor(middle)] : (sorted[middle - 1] + sorted[middle]) / 2;
  }

  /**
   * The faces, smoothed, and the track of each; faces nobody has seen start a track.
   * @param {Face[]} faces @param {number} timeS
   * @param {{newScene?: boolean, frame?: import("../types.js").Frame}} [more] frame: in which faces are compared
   * @returns {{faces: Face[], observations: Observation[]}}
   */
  update(faces, timeS, { newScene = false, frame } = {}) {
    const { about } = this;
    const backwards = this.detectedS !== null && timeS < this.detectedS;
    if (backwards) this.intervalsS = []; // another source, of another rate
    if (newScene || backwards) [this.tracks, this.detectedS] = [[], null];
    if (this.detectedS !== null && timeS > this.detectedS) this.intervalsS.push(timeS - this.detectedS);
    this.intervalsS = this.intervalsS.slice(-about.intervals);
    this.detectedS = timeS;
    const memoryS = Math.max(about.memory_s, about.memory_frames * this.intervalS);
    this.tracks = this.tracks.filter((track) => timeS - track.motion.seenS <= memoryS);
    const patches = faces.map((face) => (frame ? facePatch(frame, face.box, about) : null));
    const tracks = this.assign(faces, patches, timeS);
    const restartS = Math.max(about.restart_s, (about.restart_frames + 0.5) * this.intervalS);
    const fresh = tracks.map((track) => timeS - track.motion.seenS > restartS);
    const smoothed = faces.map((face, i) => this.follow(face, tracks[i], timeS, fresh[i]));
    tracks.forEach((track, i) => (track.patch = patches[i]));
    return { faces: smoothed, observations: tracks.map((track, i) => ({ track, fresh: fresh[i] })) };
  }

  /**
   * Probabilities of the faces observed at `timeS`, smoothed along each track; they still sum to 1.
   * @param {Observation[]} observations @param {number[][]} probabilities @param {number} timeS
   */
  smooth(observations, probabilities, timeS) {
    return observations.map(({ track, fresh }, row) => {
      const before = fresh ? probabilities[row] : (track.probabilities ?? probabilities[row]);
      const share = 1 - Math.exp(-(timeS - track.classifiedS) / this.about.smooth_s);
      track.probabilities = before.map((value, k) => value + share * (probabilities[row][k] - value));
      track.classifiedS = timeS;
      return track.probabilities;
    });
  }

  /** The next frames, `width` pixels wide, are mirror images: tracks go on at the other side. @param {number} width */
  mirror(width) {
    for (const track of this.tracks) {
      track.motion.mirror(width);
      track.patch = track.patch && mirrored(track.patch);
      track.geometry = new OneEuroFilter(this.about);
    }
  }

  /**
   * The track of each face: pairs by rising cost, each once; then new tracks.
   * @param {Face[]} faces @param {(import("./grey.js").Grey | null)[]} patches @param {number} timeS
   */
  assign(faces, patches, timeS) {
    /** @type {[number, number, number][]} */
    const pairs = [];
    faces.forEach((face, row) => {
      this.tracks.forEach((track, column) => {
        const cost = costOf(face, track, timeS, this.about);
        if (cost !== null && !this.changed(track, patches[row], timeS)) pairs.push([cost, row, column]);
      });
    });
    pairs.sort((a, b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2]);
    /** @type {(Track | undefined)[]} */
    const owners = faces.map(() => undefined);
    for (const [, row, column] of pairs) {
      if (!owners[row] && !owners.includes(this.tracks[column])) owners[row] = this.tracks[column];
    }
    return owners.map((owner, row) => {
      if (owner) return owner;
      const track = new Track(++this.seen, faces[row], timeS, this.about);
      this.tracks.push(track);
      return track;
    });
  }

  /**
   * Whether another face stands where the track's stood a moment ago.
   * @param {Track} track @param {import("./grey.js").Grey | null} patch @param {number} timeS
   */
  changed(track, patch, timeS) {
    if (!patch || !track.patch || timeS - track.motion.seenS > this.about.alike_s) return false;
    return likeness(track.patch, patch, this.about) < this.about.alike;
  }

  /**
   * The face through its track's filter.
   * @param {Face} face @param {Track} track @param {number} timeS @param {boolean} fresh @returns {Face}
   */
  follow(face, track, timeS, fresh) {
    const passedS = timeS - track.motion.seenS;
    track.motion.update(centreOf(face), sizeOf(face), timeS);
    if (fresh) track.geometry = new OneEuroFilter(this.about);
    const values = track.geometry.smooth([...face.box, ...face.landmarks.flat()], passedS, Math.max(sizeOf(face), 1));
    const landmarks = [4, 6, 8, 10, 12].map((i) => [values[i], values[i + 1]]);
    return { box: values.slice(0, 4), landmarks, score: face.score };
  }
}

/** @param {Face} face */
const centreOf = ({ box }) => [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2];

/**
 * How unlikely it is that the face is the track's, in face sizes; null: out of reach.
 * @param {Face} face @param {Track} track @param {number} timeS @param {AboutTracking} about
 */
function costOf(face, { motion }, timeS, about) {
  const [unseenS, size] = [timeS - motion.seenS, Math.max(sizeOf(face), 1)];
  const logRatio = Math.abs(Math.log(size / Math.max(motion.size, 1)));
  const [x, y] = motion.predict(timeS);
  const [centreX, centreY] = centreOf(face);
  const distance = Math.hypot(centreX - x, centreY - y) / ((size + motion.size) / 2);
  const near = distance <= Math.min(about.farthest, about.reach + about.reach_per_s * unseenS);
  const alike =
    logRatio <= Math.log(Math.min(about.largest_ratio, about.size_ratio + about.size_ratio_per_s * unseenS));
  return near && alike ? distance + logRatio + about.unseen_cost * unseenS : null;
}
