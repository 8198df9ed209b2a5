/**
 * How a face moves, smoothed where it rests and predicted where it is hidden: the twin of pipeline/motion.py.
 *
 * In:  places at times. Out: the same, smoothed, or where a face would be by now.
 */

/** @typedef {import("../types.js").AboutTracking} AboutTracking */

/** The 1-euro filter (Casiez et al. 2012): smooths strongly what stands still, hardly what moves. */
export class OneEuroFilter {
  /** @param {AboutTracking} about */
  constructor(about) {
    this.about = about;
    /** @type {number[] | null} */
    this.value = null;
    /** @type {number[]} */
    this.speed = [];
  }

  /**
   * The smoothed values, `passedS` after those before.
   * @param {number[]} values @param {number} passedS @param {number} unit
   */
  smooth(values, passedS, unit) {
    if (!this.value) {
      this.speed = values.map(() => 0);
      this.value = values;
    } else if (passedS > 0) {
      this.value = this.value.map((before, i) => {
        const raw = (values[i] - before) / passedS / unit;
        this.speed[i] += smoothingFactor(this.about.d_cutoff_hz, passedS) * (raw - this.speed[i]);
        const cutoffHz = this.about.min_cutoff_hz + this.about.beta * Math.abs(this.speed[i]);
        return before + smoothingFactor(cutoffHz, passedS) * (values[i] - before);
      });
    }
    return this.value;
  }
}

/**
 * How much of a new value an exponential filter with that cut-off takes.
 * @param {number} cutoffHz @param {number} passedS
 */
function smoothingFactor(cutoffHz, passedS) {
  const turn = 2 * Math.PI * cutoffHz * passedS;
  return turn / (turn + 1);
}

/** Centre and size of a face when it was last seen, and its velocity in pixels a second. */
export class Motion {
  /** @param {number[]} centre @param {number} size @param {number} timeS @param {AboutTracking} about */
  constructor(centre, size, timeS, about) {
    this.centre = centre;
    this.size = size;
    this.seenS = timeS;
    this.velocity = [0, 0];
    this.about = about;
  }

  /** The centre at a later time: x + v c (1 - exp(-t / c)). @param {number} timeS */
  predict(timeS) {
    const { coast_s } = this.about;
    const reach = coast_s * -Math.expm1(-(timeS - this.seenS) / coast_s);
    return this.centre.map((value, axis) => value + this.velocity[axis] * reach);
  }

  /** What follows, `width` pixels wide, is a mirror image. @param {number} width */
  mirror(width) {
    this.centre = [width - 1 - this.centre[0], this.centre[1]];
    this.velocity = [-this.velocity[0], this.velocity[1]];
  }

  /** The face was seen there. @param {number[]} centre @param {number} size @param {number} timeS */
  update(centre, size, timeS) {
    const passedS = timeS - this.seenS;
    if (!(passedS > 0)) return;
    const share = -Math.expm1(-passedS / this.about.velocity_s);
    this.velocity = this.velocity.map((v, axis) => v + share * ((centre[axis] - this.centre[axis]) / passedS - v));
    [this.centre, this.size, this.seenS] = [centre, size, timeS];
  }
}
