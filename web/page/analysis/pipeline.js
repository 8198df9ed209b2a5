/**
 * A frame in; boxes, landmarks, probabilities and heatmaps out: the twin of pipeline/run.py.
 *
 * Faces go through the classifier in one batch; heatmaps come from that same pass, and those of another class or
 * explainer afterwards too.
 */
import { cropFaces, toInput, toProbabilities } from "./crops.js";
import { detect } from "./detector.js";
import { heatmap } from "./gradcam.js";
import { SceneCut } from "./grey.js";
import { Tracker } from "./tracking.js";

/** @typedef {import("../types.js").FaceResult} FaceResult @typedef {import("../types.js").FrameResult} FrameResult */
/** @typedef {import("../types.js").PredictOptions} PredictOptions */

export class Pipeline {
  /** @param {import("../types.js").Networks} networks @param {import("../types.js").About} about */
  constructor(networks, about) {
    this.networks = networks;
    this.about = about;
    this.tracker = new Tracker(about.tracking);
    this.cut = new SceneCut(about.tracking);
    /** @type {FrameResult | null} */
    this.last = null;
    /** @type {import("../types.js").ClassifierOutputs | null} */
    this.passed = null;
  }

  /**
   * @param {import("../types.js").Frame} frame
   * @param {number | null} timeS null: a picture, which follows from nothing
   * @param {PredictOptions} options
   * @param {boolean} newScene it does not follow from the one before
   * @returns {Promise<FrameResult>}
   */
  async analyse(frame, timeS, options, newScene = false) {
    const { detector, classifier } = this.about;
    const all = await detect(frame, this.networks.detect, { imgsz: options.imgsz, about: detector });
    const found = all.slice(0, detector.max_faces);
    const { faces, observations } =
      timeS === null
        ? { faces: found, observations: [] }
        : this.tracker.update(found, timeS, { newScene: this.cut.isCut(frame, newScene), frame });
    const { crops, matrices, size } = cropFaces(frame, faces, classifier);
    const { input, dims } = toInput(crops, faces.length, classifier);
    this.passed = faces.length ? await this.networks.classify(input, dims) : null;
    if (this.passed && ![this.passed.logits, this.passed.activation].every((values) => values.every(Number.isFinite))) {
      throw new Error("the expression network gives numbers that are not finite");
    }
    const count = classifier.class_names.length;
    let rows = faces.map((_, i) =>
      toProbabilities(/** @type {any} */ (this.passed).logits.subarray(i * count, (i + 1) * count), classifier),
    );
    if (timeS !== null) rows = this.tracker.smooth(observations, rows, timeS);
    const results = faces.map((face, i) => {
      const confidence = Math.max(...rows[i]);
      const label = classifier.class_names[rows[i].indexOf(confidence)];
      const track = observations[i]?.track.number ?? 0;
      const empty = { heatmap: null, explained: null };
      return { face, probabilities: rows[i], label, confidence, ...empty, toCrop: matrices[i], track };
    });
    const searched = Math.min(options.imgsz, Math.max(frame.width, frame.height));
    this.last = { faces: results, leftOut: all.length - found.length, cropSize: size, searched };
    return this.explain(options) ?? this.last;
  }

  /**
   * The next frames, `width` pixels wide, are mirror images of what would follow: their people stay the same.
   * @param {number} width
   */
  mirror(width) {
    this.cut.mirror();
    this.tracker.mirror(width);
  }

  /**
   * The last result with the heatmaps that `options` ask for; null where there is none.
   * @param {PredictOptions} options @returns {FrameResult | null}
   */
  explain({ explainer, explainClass }) {
    const { last, passed, about } = this;
    if (!last || !passed || !explainer) return last;
    const [, channels, height, width] = passed.dims;
    const length = channels * height * width;
    const faces = last.faces.map((face, i) => {
      const explained = explainClass ?? face.label;
      const index = about.classifier.class_names.indexOf(explained);
      const activation = passed.activation.subarray(i * length, (i + 1) * length);
      return { ...face, explained, heatmap: heatmap(activation, [height, width], index, explainer, about) };
    });
    return { ...last, faces };
  }
}
