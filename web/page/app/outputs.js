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

/** One row a face and frame, with the columns of live.py's log (pipeline/output/log.py). */
export class Table {
  /** @param {string[]} columns @param {string[]} classNames */
  constructor(columns, classNames) {
    this.columns = columns;
    this.header = [...columns, ...classNames.map((name) => `p_${name}`)].join(",");
    /** @type {string[]} */
    this.rows = [];
    this.dropped = 0;
    this.frame = 0;
  }

  /** @param {import("../types.js").FaceResult[]} faces @param {number | null} timeS @param {string} name of the source */
  add(faces, timeS, name) {
    faces.forEach(({ face, label, confidence, probabilities, track }, number) => {
      const [x1, y1, x2, y2] = face.box.map((value) => decimals(value, 1));
      /** @type {Record<string, string | number>} */
      const values = {
        time_s: decimals(timeS ?? 0, 3), frame: this.frame, face: number, track: track || "", name: quoted(name), source: quoted(name),
        x1, y1, x2, y2, score: decimals(face.score, 6), label: quoted(label), confidence: decimals(confidence, 6),
      };
      const row = this.columns.map((column) => values[column] ?? "");
      this.rows.push([...row, ...probabilities.map((value) => decimals(value, 6))].join(","));
    });
    this.frame++;
    if (this.rows.length > MOST_ROWS) this.dropped += this.rows.splice(0, MOST_ROWS / 10).length;
  }

  /** The file, lines ended as Python ends them. */
  text() {
    return `${[this.header, ...this.rows].join("\n")}\n`;
  }
}

/** @param {number} value @param {number} places */
function decimals(value, places) {
  const text = String(Number(value.toFixed(places)));
  return text.includes(".") || text.includes("e") ? text : `${text}.0`;
}

/** @param {string} text */
const quoted = (text) => (/[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

/** The annotated pictures as a film, until `stop`. */
export class Recorder {
  static get possible() {
    return "MediaRecorder" in globalThis && "captureStream" in HTMLCanvasElement.prototype && Recorder.type !== undefined;
  }

  static get type() {
    return FILM_TYPES.find((type) => MediaRecorder.isTypeSupported(type));
  }

  /** @param {HTMLCanvasElement} canvas painted by others from now on */
  constructor(canvas) {
    /** @type {Blob[]} */
    this.chunks = [];
    this.stream = canvas.captureStream();
    this.recorder = new MediaRecorder(this.stream, { mimeType: Recorder.type, videoBitsPerSecond: 4_000_000 });
    this.recorder.ondataavailable = ({ data }) => this.chunks.push(data);
    this.recorder.start(1000);
  }

  /** The film. @returns {Promise<{blob: Blob, suffix: string}>} */
  stop() {
    return new Promise((resolve) => {
      this.recorder.onstop = () => {
        this.stream.getTracks().forEach((track) => track.stop());
        const { mimeType } = this.recorder;
        resolve({ blob: new Blob(this.chunks, { type: mimeType }), suffix: mimeType.includes("mp4") ? ".mp4" : ".webm" });
      };
      this.recorder.stop();
    });
  }
}
