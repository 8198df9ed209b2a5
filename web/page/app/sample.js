/**
 * The bundled sample, portraits that drift over a wall: the twin of data/sources/sample.py.
 *
 * In:  the prints, which Python wrote as pictures (web/export.py). Out: a source without end.
 */
import { Refusal, contextOf } from "./canvas.js";

/**
 * @param {import("../types.js").About} about @returns {Promise<import("./sources.js").Source>}
 */
export async function openSample(about) {
  const {
    fps,
    period,
    wall,
    photos,
    size_hw: [height, width],
  } = about.sample;
  const load = async (/** @type {string} */ name) => createImageBitmap(await (await fetch(name)).blob());
  const [background, ...prints] = await Promise.all([wall, ...photos.map(({ file }) => file)].map(load)).catch(() => {
    throw new Refusal("The sample could not be loaded. Reload the page.");
  });
  const lit = /** @type {CanvasRenderingContext2D} */ (
    document.createElement("canvas").getContext("2d", { willReadFrequently: true })
  );
  const begin = performance.now();
  let last = -1;
  let closed = false;
  let pausedS = 0;
  /** @type {number | null} */
  let pausedAt = null;
  const draw = (/** @type {number} */ index) => {
    const angle = (2 * Math.PI * index) / period;
    const context = contextOf(width, height); // which others use between two frames
    context.drawImage(background, 0, 0);
    photos.forEach(({ centre_xy: [x, y], tilt_degrees: tilt, phase }, i) => {
      const turn = tilt + 3 * Math.sin(2 * angle + 3 * phase);
      const scale = 1 + 0.07 * Math.sin(angle + 2 * phase);
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.translate(
        width * (x + 0.022 * Math.sin(2 * angle + phase)),
        height * (y + 0.028 * Math.sin(3 * angle + 2 * phase)),
      );
      context.rotate((-turn * Math.PI) / 180);
      context.scale(scale, scale);
      const light = 0.93 + 0.07 * Math.sin(3 * angle + phase);
      context.drawImage(darkened(prints[i], light, lit), -prints[i].width / 2, -prints[i].height / 2);
    });
    return context.getImageData(0, 0, width, height).data;
  };
  return {
    name: "the sample",
    kind: "sample",
    mirrored: false,
    async next() {
      const index = () => Math.floor((performance.now() / 1000 - begin / 1000 - pausedS) * fps);
      while (!closed && index() <= last) await new Promise((resolve) => setTimeout(resolve, 4));
      if (closed) return null;
      last = index();
      return { rgba: draw(last), width, height, timeS: last / fps };
    },
    pause(paused) {
      const now = performance.now() / 1000;
      if (!paused && pausedAt !== null) pausedS += now - pausedAt;
      pausedAt = paused ? now : null;
    },
    close() {
      closed = true;
      for (const bitmap of [background, ...prints]) bitmap.close();
    },
  };
}

/**
 * A print in less light, as see-through as before.
 * @param {ImageBitmap} print @param {number} light 0 to 1 @param {CanvasRenderingContext2D} context to draw it in
 */
function darkened(print, light, context) {
  const { canvas } = context;
  [canvas.width, canvas.height] = [print.width, print.height]; // which empties it
  context.drawImage(print, 0, 0);
  context.globalCompositeOperation = "source-atop";
  context.fillStyle = `rgb(0 0 0 / ${1 - light})`;
  context.fillRect(0, 0, print.width, print.height);
  return canvas;
}
