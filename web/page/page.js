/**
 * The page: buttons, keys, files, words. What a person sees and does; the work is done by app/session.js.
 */
import { Analyst } from "./app/analyst.js";
import { camerasThere } from "./app/cameras.js";
import { Refusal, nameOf } from "./app/canvas.js";
import { listenForFiles } from "./app/drops.js";
import { freeKeysAfterPointer, leaveDisabled } from "./app/focus.js";
import { Recorder, Table, download } from "./app/outputs.js";
import { ownFilesKept } from "./app/own_files.js";
import { listenForKeys } from "./app/keys.js";
import { openSample } from "./app/sample.js";
import { Session } from "./app/session.js";
import { openCamera, openFile } from "./app/sources.js";
import { Stage } from "./app/stage.js";

/** @typedef {import("./app/sources.js").Source} Source */

/** @template {HTMLElement} T @param {string} id @param {new () => T} kind @returns {T} */
function byId(id, kind) {
  const element = document.getElementById(id);
  if (!(element instanceof kind)) throw new Error(`the page has no ${id}`);
  return element;
}
const button = (/** @type {string} */ id) => byId(id, HTMLButtonElement);
const select = (/** @type {string} */ id) => byId(id, HTMLSelectElement);
const text = (/** @type {string} */ id) => byId(id, HTMLParagraphElement);

const READING_S = 0.35; // a word

/** @type {import("./types.js").About} */
const about = await readAbout();
const stage = new Stage(byId("stage", HTMLElement), about);
const table = new Table(about);
/** @type {Analyst} */
const analyst = new Analyst(ownFilesKept(), {
  ready(engine) {
    session.engine = engine;
    text("loading").hidden = true;
    text("engine").textContent =
      `${about.versions.network} in onnxruntime-web ${about.versions.onnxruntime_web}: ${engine}`;
    document.body.dataset.ready = "yes";
    refresh();
  },
  explained: (result, number) => session.explained(result, number),
  failed(sentence) {
    text("loading").hidden = true;
    close(sentence);
  },
});
/** @type {Session} */
const session = new Session(about, stage, analyst, table, (sentence) => {
  text("spoken").textContent = sentence;
});
/** @type {Recorder | null} */
let recorder = null;
let opening = new AbortController(); // of the source that was asked for last
/** @type {ReturnType<typeof setTimeout> | undefined} */
let messageTimer;

session.over = (sentence) => {
  notify(sentence);
  refresh();
};
session.away = () =>
  document.hidden || text("message").textContent || notify("no picture comes from the camera; waiting for it");
session.presented = (sentence) => {
  if (!running()) setState("running");
  if (recorder) recorder.add(/** @type {HTMLCanvasElement} */ (stage.compose()));
  const { frames, search, last } = session;
  byId("overlay", HTMLCanvasElement).ariaLabel = sentence;
  Object.assign(stage.element.dataset, { frames, imgsz: search.imgsz, faces: last?.result.faces.length ?? 0 });
};

/** @returns {Promise<import("./types.js").About>} */
async function readAbout() {
  try {
    return await (await fetch("about.json")).json();
  } catch (error) {
    text("loading").hidden = true;
    document.body.dataset.state = "trouble";
    text("trouble").textContent = "A part of the page did not come (about.json). Reload the page.";
    throw error;
  }
}

/** A sentence for a moment. @param {string} sentence */
function notify(sentence) {
  text("message").textContent = session.message = sentence;
  stage.change({ view: session.view });
  clearTimeout(messageTimer);
  const shownS = Math.max(about.page.message_s, READING_S * sentence.split(" ").length);
  if (sentence) messageTimer = setTimeout(() => notify(""), 1000 * shownS);
}

/** @param {"empty" | "opening" | "running" | "trouble"} state running: there is a picture */
function setState(state) {
  document.body.dataset.state = state;
  refresh();
}
const running = () => document.body.dataset.state === "running";

/**
 * Open a source and show it until it ends. Whatever is asked for meanwhile cancels the opening.
 * @param {(signal: AbortSignal) => Promise<Source>} openSource
 */
async function open(openSource) {
  opening.abort();
  const { signal } = (opening = new AbortController());
  text("trouble").textContent = "";
  if (session.source) notify("opening");
  else setState("opening");
  let runs = false;
  try {
    const source = await openSource(signal);
    if (signal.aborted) return source.close();
    if (recorder) toggleRecording(); // a recording is of one source
    runs = true;
    const shown = session.run(source);
    notify(source.note ?? ""); // what it said was of the source before
    setState("opening"); // until its first picture is there
    if (source.kind === "camera") await listCameras();
    await shown;
  } catch (error) {
    if (signal.aborted) return;
    if (!(error instanceof Refusal)) console.error(error);
    const sentence = error instanceof Refusal ? error.message : `That did not work (${error}). Reload the page.`;
    if (session.source && !runs) notify(sentence); // another one goes on
    else close(sentence);
  }
}

/** Back to the beginning, with what went wrong if something did. @param {string} [trouble] */
function close(trouble = "") {
  opening.abort();
  if (recorder) toggleRecording();
  session.stop();
  notify("");
  text("trouble").textContent = trouble;
  text("spoken").textContent = "";
  stage.element.dataset.frames = "0";
  byId("overlay", HTMLCanvasElement).ariaLabel = "No picture yet";
  setState(trouble ? "trouble" : "empty");
}

/** A chooser where there are several cameras; they are known once one was allowed. */
async function listCameras() {
  const cameras = await camerasThere();
  const chosen = session.source?.deviceId?.() ?? select("cameras").value;
  select("cameras").replaceChildren(...cameras.map(({ id, name }) => new Option(name, id)));
  select("cameras").value = chosen;
  byId("cameras-label", HTMLLabelElement).hidden = cameras.length < 2;
}

/** The camera that was chosen. One that runs is let go first: many phones open one at a time. */
function camera() {
  if (session.source?.kind === "camera") session.stop();
  return open((signal) => openCamera(select("cameras").value, close, signal, session.away, about.page.away_s));
}

/** @param {File} file @param {number} [of] how many were given at once */
const showFile = (file, of = 1) =>
  open(async (signal) => {
    const source = await openFile(file, about, signal);
    if (of > 1) source.note = `one of the ${of} files is opened: ${nameOf(file)}`;
    return source;
  });
const pressed = (/** @type {string} */ id, /** @type {boolean} */ on) => (button(id).ariaPressed = String(on));

/** Buttons as things are. */
function refresh() {
  const focused = document.querySelector(":focus-visible"); // now: a browser may take it from what is disabled
  const { source, paused, options } = session;
  const moving = source !== null && source.kind !== "picture";
  for (const id of ["heat", "bars", "mirror"]) button(id).disabled = !source;
  button("close").disabled = !source && document.body.dataset.state !== "opening";
  button("pause").disabled = !moving;
  button("snapshot").disabled = !running();
  button("record").disabled = !(moving && running() && Recorder.possible) && !recorder;
  button("table").disabled = table.rows.length === 0 && !source;
  const on = { pause: paused, heat: options.explainer !== null, bars: options.bars, mirror: options.mirror };
  for (const [id, is] of Object.entries(on)) pressed(id, is);
  pressed("record", recorder !== null);
  select("explain").value = options.explainClass ?? "";
  if (options.explainer) select("explainer").value = options.explainer;
  leaveDisabled(focused, button("close"), button("camera"));
}

function snapshot() {
  stage.compose()?.toBlob((blob) => blob && notify(`saved ${download(blob, ".png")}`), "image/png");
}

function saveTable() {
  if (!table.rows.length) return notify("no face was seen yet, so there is no table");
  const name = download(new Blob([table.text()], { type: "text/csv" }), ".csv");
  notify(`saved ${name}${table.dropped ? `, without the first ${table.dropped} rows` : ""}`);
}

/** @param {string} [why] what is said before it where it ends by itself */
async function toggleRecording(why = "") {
  if (recorder) {
    const ended = recorder;
    recorder = null;
    session.recording = false;
    const { blob, suffix } = await ended.stop();
    notify(why + (blob.size ? `saved ${download(blob, suffix)}` : "nothing was recorded yet"));
  } else {
    const picture = stage.compose();
    if (!picture) return;
    try {
      const started = new Recorder(picture, () => recorder === started && toggleRecording("the recording broke off: "));
      recorder = started;
    } catch (error) {
      return notify(`this browser cannot record this picture (${error})`);
    }
    session.recording = true;
  }
  stage.change({ view: session.view });
  refresh();
}

/** The entry after `value`, round and round. @template T @param {T[]} list @param {T} value */
const after = (list, value) => list[(list.indexOf(value) + 1) % list.length];
const lastExplainer = () => select("explainer").value || about.explainers[0];

/** Explain a class, null for each face's label; heatmaps come on where they were off. @param {string | null} name */
const explainClass = (name) => session.change({ explainer: lastExplainer(), explainClass: name });

function explainNextClass() {
  explainClass(after([null, ...about.classifier.class_names], session.options.explainClass));
  notify(`heatmaps are for ${session.options.explainClass ?? "the label of each face"}`);
}

function nextExplainer() {
  session.change({ explainer: after(about.explainers, lastExplainer()) });
  notify(`explained by ${session.options.explainer}`);
}

/**
 * Keys: the button that each stands for, and what both do. Where the button is disabled, so is the key.
 * @type {Record<string, [string, () => void]>}
 */
const KEYS = {
  q: ["close", close],
  escape: ["close", close],
  " ": ["pause", () => session.pause(!session.paused)],
  h: ["heat", () => session.change({ explainer: session.options.explainer ? null : lastExplainer() })],
  b: ["bars", () => session.change({ bars: !session.options.bars })],
  m: ["mirror", () => session.change({ mirror: !session.options.mirror })],
  e: ["heat", explainNextClass],
  x: ["heat", nextExplainer],
  s: ["snapshot", snapshot],
  c: ["table", saveTable],
  r: ["record", () => (Recorder.possible ? toggleRecording() : notify("this browser records no films"))],
  "?": ["help", () => byId("keys", HTMLDialogElement).showModal()],
};
const buttonOf = (/** @type {string} */ key) => button(KEYS[key][0]);
const means = (/** @type {string} */ key) =>
  key in KEYS && (!buttonOf(key).disabled || (key === "r" && !Recorder.possible)); // r says why not
/** @param {string} key */
function act(key) {
  KEYS[key][1]();
  refresh();
}

for (const key of " hbmscr?q") buttonOf(key).addEventListener("click", () => act(key));
freeKeysAfterPointer(["cameras", "explain", "explainer"].map(select));
button("camera").addEventListener("click", camera);
button("sample").addEventListener("click", () => open(() => openSample(about)));
button("open").addEventListener("click", () => byId("file", HTMLInputElement).click());
byId("file", HTMLInputElement).addEventListener("change", ({ target }) => {
  const input = /** @type {HTMLInputElement} */ (target);
  if (input.files?.length) showFile(input.files[0]);
  input.value = ""; // the same file may be chosen again
});
select("cameras").addEventListener("change", camera);
navigator.mediaDevices?.addEventListener("devicechange", listCameras);
for (const name of ["explain", "explainer"])
  select(name).addEventListener("change", () => {
    explainClass(select("explain").value || null);
    refresh();
  });

listenForFiles(showFile, () => notify("drop a picture or a film from your own disk"));
document.addEventListener("visibilitychange", () => session.hide(document.hidden));
addEventListener("beforeunload", (event) => recorder && event.preventDefault()); // the browser asks

listenForKeys(byId("keys", HTMLDialogElement), about, means, act);
select("explain").replaceChildren(
  new Option("its label", ""),
  ...about.classifier.class_names.map((/** @type {string} */ name) => new Option(name, name)),
);
select("explainer").replaceChildren(...about.explainers.map((/** @type {string} */ name) => new Option(name, name)));
text("notice").textContent = about.notice;
setState("empty");
