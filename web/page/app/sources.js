/**
 * Where frames come from: the camera, a film, a picture; the bundled sample is in sample.js.
 *
 * In:  a click, a file. Out: a source, whose `next` gives the newest frame that was not given before.
 *
 * @typedef {object} Grab one frame on its way to the worker
 * @property {VideoFrame} [video] @property {Uint8ClampedArray<ArrayBuffer>} [rgba] one of both
 * @property {number} width @property {number} height
 * @property {number | null} timeS seconds; null: a picture
 *
 * @typedef {object} Source
 * @property {string} name as a person calls it
 * @property {"camera" | "film" | "picture" | "sample"} kind
 * @property {boolean} mirrored shown as a mirror does unless the person says otherwise
 * @property {() => Promise<Grab | null>} next null: there is no more
 * @property {(paused: boolean) => void} pause
 * @property {() => void} close
 * @property {number} [longest] side of its pictures before they were reduced, pixels
 * @property {() => string} [deviceId] of a camera
 * @property {() => string} [ending] of a film that is over: why, in a sentence
 * @property {string} [note] what there is to say of it once it runs
 */
import { openAnimation } from "./animation.js";
import { Refusal, contextOf, fitted, nameOf } from "./canvas.js";

const FORBIDDEN =
  "The browser may not use the camera. Allow it beside the address and try again, or look at the sample.";
/** @type {Record<string, string>} */
const CAMERA_TROUBLE = {
  NotAllowedError: FORBIDDEN,
  SecurityError: FORBIDDEN,
  NotFoundError: "No camera was found. Plug one in and try again, or open a picture or the sample.",
  OverconstrainedError: "That camera is not there any more. Choose another, or open a picture or the sample.",
  NotReadableError: "The camera is in use by another program. Close that one and try again, or look at the sample.",
  AbortError: "The camera did not start. Try again, or look at the sample.",
};

/**
 * @param {string} deviceId "" for the one that the browser takes
 * @param {(sentence: string) => void} gone called when the camera ends by itself
 * @param {AbortSignal} signal releases a camera that gives no picture yet
 * @param {() => void} away called every `awayS` seconds until then @param {number} awayS
 * @returns {Promise<Source>}
 */
export async function openCamera(deviceId, gone, signal, away, awayS) {
  if (!navigator.mediaDevices?.getUserMedia) {
    throw new Refusal("Browsers open cameras on https and localhost only. Open the page there, or look at the sample.");
  }
  const which = deviceId ? { deviceId: { exact: deviceId } } : { facingMode: "user" };
  const stream = await navigator.mediaDevices
    .getUserMedia({ audio: false, video: { ...which, width: { ideal: 640 }, height: { ideal: 480 } } })
    .catch((error) => {
      throw new Refusal(CAMERA_TROUBLE[error.name] ?? `The camera cannot be used (${error.message || error.name}).`);
    });
  const [track] = stream.getVideoTracks();
  track.addEventListener("ended", () =>
    gone("The camera is gone. Plug it in and open it again, or look at the sample."),
  );
  const timer = setInterval(away, 1000 * awayS);
  const video = await play((element) => (element.srcObject = stream), signal)
    .catch((error) => {
      track.stop();
      throw error;
    })
    .finally(() => clearInterval(timer));
  const settings = track.getSettings();
  const begin = performance.now();
  return {
    name: track.label || "camera",
    kind: "camera",
    mirrored: settings.facingMode !== "environment",
    ...framesOf(video, () => (performance.now() - begin) / 1000),
    close() {
      track.stop();
      video.srcObject = null;
    },
    deviceId: () => settings.deviceId ?? "",
  };
}

/**
 * A film, an animation or a picture, whichever the browser can read.
 * @param {File} file @param {import("../types.js").About} about @param {AbortSignal} signal calls it off
 * @returns {Promise<Source>}
 */
export async function openFile(file, about, signal) {
  if (!file.size) throw new Refusal(`${nameOf(file)} is empty. Open another picture or film.`);
  const pictures = [openAnimation, openPicture];
  const order = file.type.startsWith("video/") ? [openFilm, ...pictures] : [...pictures, openFilm];
  let why = "is no picture or film that this browser can read, or is damaged. Open a JPEG, PNG, WebP, MP4 or WebM.";
  for (const open of order) {
    const source = await open(file, about, signal).catch((error) => {
      if (error instanceof Refusal) why = error.message;
    });
    if (source) return source;
  }
  throw new Refusal(`${nameOf(file)} ${why}`);
}

/**
 * @param {File} file @param {import("../types.js").About} about @param {AbortSignal} signal
 * @returns {Promise<Source>}
 */
async function openFilm(file, about, signal) {
  const address = URL.createObjectURL(file);
  const video = await play((element) => (element.src = address), signal).catch((error) => {
    URL.revokeObjectURL(address);
    throw error;
  });
  /** @type {number | undefined} */
  let start; // of the film, whose first frame is at 0
  return {
    name: file.name,
    kind: "film",
    mirrored: false,
    ...framesOf(video, (time = video.currentTime) => time - (start ??= time), about.page.longest_side),
    longest: Math.max(video.videoWidth, video.videoHeight),
    ending: () =>
      video.error
        ? `${nameOf(file)} is damaged and ends after ${video.currentTime.toFixed(1)} s`
        : "the film is over; space plays it again",
    close() {
      video.pause();
      video.removeAttribute("src");
      video.load();
      URL.revokeObjectURL(address);
    },
  };
}

/** @param {File} file @param {import("../types.js").About} about @returns {Promise<Source>} */
async function openPicture(file, about) {
  const bitmap = await createImageBitmap(file);
  const longest = Math.max(bitmap.width, bitmap.height);
  const { width, height } = fitted(bitmap.width, bitmap.height, about.page.longest_side);
  const context = contextOf(width, height);
  context.fillStyle = "white"; // behind what is see-through
  context.fillRect(0, 0, width, height);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, width, height);
  bitmap.close();
  const { data } = context.getImageData(0, 0, width, height);
  /** @type {Grab | null} */
  let grab = { rgba: data, width, height, timeS: null };
  return {
    name: file.name,
    kind: "picture",
    mirrored: false,
    longest,
    async next() {
      const given = grab;
      grab = null;
      return given;
    },
    pause() {},
    close() {},
  };
}

/**
 * A playing video. `playsinline` and `muted`: without them an iPhone stays black.
 * @param {(video: HTMLVideoElement) => void} attach @param {AbortSignal} signal calls it off
 * @returns {Promise<HTMLVideoElement>}
 */
async function play(attach, signal) {
  signal.throwIfAborted();
  const video = document.createElement("video");
  video.muted = true;
  video.playsInline = true;
  video.setAttribute("playsinline", "");
  attach(video);
  const plays = async () => {
    await new Promise((resolve, reject) => {
      video.addEventListener("loadeddata", resolve, { once: true });
      video.addEventListener("error", () => reject(new Error(video.error?.message)), { once: true });
    });
    if (!video.videoWidth) throw new Refusal("has sound, and no picture that this browser can read. Open another.");
    signal.throwIfAborted();
    await video.play();
    return video;
  };
  /** @type {Promise<never>} */
  const calledOff = new Promise((_, reject) =>
    signal.addEventListener("abort", () => reject(signal.reason), { once: true }),
  );
  return Promise.race([plays(), calledOff]).catch((error) => {
    video.pause(); // a film that plays already goes on, whatever is opened after it
    throw error;
  });
}

/**
 * The newest frame of a video each time. Frames are taken as `VideoFrame`s, which the worker reads without a copy;
 * `createImageBitmap` would keep a megabyte of each.
 * @param {HTMLVideoElement} video @param {(mediaTime?: number) => number} clock gives a frame's time, of which the
 *   browser may know where in the film it stands @param {number} [longest]
 */
function framesOf(video, clock, longest = Infinity) {
  let fresh = false;
  let given = false; // was one? No callback comes for a frame that was there before it was asked for
  /** @type {number | undefined} */
  let mediaTime;
  /** @type {(() => void) | null} */
  let wake = null;
  const told = "requestVideoFrameCallback" in HTMLVideoElement.prototype; // when there is a frame; else it is guessed
  const open = () => !video.error && video.readyState > HTMLMediaElement.HAVE_NOTHING; // also while it seeks its start
  const arrived = (/** @type {number} */ _, /** @type {VideoFrameCallbackMetadata | undefined} */ metadata) => {
    if (!open()) return;
    mediaTime = metadata?.mediaTime;
    fresh = told || !(video.ended || video.paused);
    wake?.();
    watch();
  };
  const watch = () => {
    if (told) video.requestVideoFrameCallback(arrived);
    else setTimeout(arrived, 1000 / 30);
  };
  watch();
  for (const event of ["ended", "emptied", "error"]) video.addEventListener(event, () => wake?.());
  return {
    async next() {
      while (!fresh && !video.ended && open()) {
        await new Promise((resolve) => {
          wake = () => resolve(undefined);
        });
      }
      if (!(fresh || (video.ended && !given)) || !open()) return null;
      [fresh, given] = [false, true];
      const size = fitted(video.videoWidth, video.videoHeight, longest);
      return { ...size, timeS: clock(mediaTime), ...pixelsOf(video, size) };
    },
    pause(/** @type {boolean} */ paused) {
      if (paused) video.pause();
      else video.play().catch(() => {}); // closed meanwhile
    },
  };
}

/**
 * The frame that the video shows, through a canvas where the browser cannot take it otherwise.
 * @param {HTMLVideoElement} video @param {{width: number, height: number}} size
 */
function pixelsOf(video, { width, height }) {
  try {
    if ("VideoFrame" in globalThis) return { video: new VideoFrame(video) };
  } catch {
    // a browser that has the class, and not for this video
  }
  const context = contextOf(width, height);
  context.drawImage(video, 0, 0, width, height);
  return { rgba: context.getImageData(0, 0, width, height).data };
}
