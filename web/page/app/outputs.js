/**
 * What stays, each as a download: a snapshot, a table of predictions, a recording.
 *
 * In:  results; a canvas with the annotated picture. Out: files with the time in their names.
 */
const MOST_ROWS = 200_000; // of the table; then the oldest go
const FILM_TYPES = ["video/mp4;codecs=avc1.42E01E", "video/webm;codecs=vp9", "video/webm;codecs=vp8", "video/webm"];

/** Hand a file to the browser's downloads; its name. @param {Blob} blob @param {string} suffix @param {Date} [now] */
export function download(blob, suffix, now = new Date()) {
  const two = (/** @type {number} */ value) => String(value).padStart(2, "0");
  const day = `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`;
  const link = document.createElement("a");
  link.download = `${day}_${two(now.getHours())}-${two(now.getMinutes())}-${two(now.getSeconds())}${suffix}`;
  link.href = URL.createObjectURL(blob);
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // the browser reads it meanwhile
  return link.download;
}

/**
 * One row a face and frame, one for a frame without a face, as in live.py's log (pipeline/output/log.py); but `frame`
 * counts the source's frames that were analysed, because a browser does not say which frame of a film it shows.
 */
export class Table {
  /** @param {import("../types.js").About} about */
  constructor({ log_columns, log_last_columns, log_formula, classifier }) {
    this.classes = classifier.class_names.map((name) => `p_${name}`);
    this.columns = [...log_columns, ...this.classes, ...log_last_columns];
    this.formula = log_formula;
    /** @type {string[]} */
    this.rows = [];
    this.dropped = 0;
    this.frame = 0; // of the next frame; a session begins again with each source
  }

  /**
   * @param {import("../types.js").FaceResult[]} faces @param {number | null} timeS @param {string} source its name
   * @param {number} [reduced] how many times smaller than the source its frames are; boxes are in the source's pixels
   */
  add(faces, timeS, source, reduced = 1) {
    const common = { time_s: decimals(timeS ?? 0, 3), frame: this.frame++, source };
    faces.forEach(({ face, label, confidence, probabilities, track }, number) => {
      const [x1, y1, x2, y2] = face.box.map((value) => decimals((value + 0.5) * reduced - 0.5, 1));
      const own = { face: number, track: track || "", x1, y1, x2, y2, score: decimals(face.score, 6), label };
      const shares = Object.fromEntries(this.classes.map((name, i) => [name, decimals(probabilities[i], 6)]));
      this.write({ ...common, ...own, ...shares, confidence: decimals(confidence, 6) });
    });
    if (!faces.length) this.write(common);
    if (this.rows.length > MOST_ROWS) this.dropped += this.rows.splice(0, MOST_ROWS / 10).length;
  }

  /** @param {Record<string, string | number>} values */
  write(values) {
    this.rows.push(this.columns.map((column) => this.cell(values[column] ?? "")).join(","));
  }

  /** A text that a spreadsheet would run begins with an apostrophe. @param {string | number} value */
  cell(value) {
    const text = String(value);
    const bare = text.replace(/^'+/, ""); // else the apostrophe of a text of its own could not be told from ours
    const harmless =
      this.formula.some((sign) => bare.startsWith(sign)) && Number.isNaN(Number(text)) ? `'${text}` : text;
    return /[",\n\r]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
  }

  /** The file, lines ended as Python ends them. */
  text() {
    return `${[this.columns.join(","), ...this.rows].join("\n")}\n`;
  }
}

/** @param {number} value @param {number} places */
function decimals(value, places) {
  const text = String(Number(value.toFixed(places)));
  return text.includes(".") || text.includes("e") ? text : `${text}.0`;
}

/** The annotated pictures as a film, until `stop`; a picture of another size than the first is letterboxed. */
export class Recorder {
  static get possible() {
    return (
      "MediaRecorder" in globalThis && "captureStream" in HTMLCanvasElement.prototype && Recorder.type !== undefined
    );
  }

  static get type() {
    return FILM_TYPES.find((type) => MediaRecorder.isTypeSupported(type));
  }

  /** @param {HTMLCanvasElement} picture the first @param {() => void} broken called when it ends by itself */
  constructor(picture, broken) {
    /** @type {Blob[]} */
    this.chunks = [];
    const { width, height } = picture;
    const canvas = Object.assign(document.createElement("canvas"), { width, height });
    this.context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { alpha: false }));
    this.stream = canvas.captureStream();
    this.recorder = new MediaRecorder(this.stream, { mimeType: Recorder.type, videoBitsPerSecond: 4_000_000 });
    this.recorder.ondataavailable = ({ data }) => this.chunks.push(data);
    this.recorder.onstop = broken; // also after an error, once the last data have come
    this.recorder.start(1000);
    this.add(picture);
  }

  /** @param {HTMLCanvasElement} picture */
  add(picture) {
    const { width, height } = this.context.canvas;
    const scale = Math.min(width / picture.width, height / picture.height);
    const [inner, high] = [Math.round(picture.width * scale), Math.round(picture.height * scale)];
    this.context.fillRect(0, 0, width, height);
    this.context.drawImage(picture, Math.floor((width - inner) / 2), Math.floor((height - high) / 2), inner, high);
  }

  /** The film. @returns {Promise<{blob: Blob, suffix: string}>} */
  stop() {
    return new Promise((resolve) => {
      const end = () => {
        this.stream.getTracks().forEach((track) => track.stop());
        const { mimeType } = this.recorder;
        resolve({
          blob: new Blob(this.chunks, { type: mimeType }),
          suffix: mimeType.includes("mp4") ? ".mp4" : ".webm",
        });
      };
      if (this.recorder.state === "inactive") return end(); // it has failed; what came before is a film
      this.recorder.onstop = end;
      this.recorder.stop();
    });
  }
}
