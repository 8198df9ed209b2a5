// What depends on time: tracks, frames a second, search size, sentences; times are given, nothing waits.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Tracker } from "../../../web/page/analysis/tracking.js";
import { RateMeter, SearchSize, Speaker, gistOf, sentenceOf } from "../../../web/page/app/rate.js";

const about = {
  memory_s: 2.5,
  memory_frames: 3,
  reach: 0.6,
  reach_per_s: 1,
  farthest: 2,
  size_ratio: 1.6,
  size_ratio_per_s: 0.4,
  largest_ratio: 2.2,
  unseen_cost: 0.5,
  restart_frames: 3,
  restart_s: 0.25,
  alike: 0.6,
  alike_s: 0.15,
  intervals: 15,
  velocity_s: 0.15,
  coast_s: 0.8,
  smooth_s: 0.4,
  min_cutoff_hz: 1,
  beta: 4,
  d_cutoff_hz: 1,
};
const at = (x) => ({ box: [x, 0, x + 100, 100], score: 0.9, landmarks: Array.from({ length: 5 }, () => [x, 0]) });
const numbers = ({ observations }) => observations.map(({ track }) => track.number);

test("faces keep their numbers when their order changes, and a new one gets a new number", () => {
  const tracker = new Tracker(about);
  assert.deepEqual(numbers(tracker.update([at(0), at(300)], 0)), [1, 2]);
  assert.deepEqual(numbers(tracker.update([at(305), at(5), at(600)], 0.1)), [2, 1, 3]);
  assert.deepEqual(numbers(tracker.update([at(5)], 0.2, { newScene: true })), [4]);
});

test("in a mirror faces go on at the other side, the other way", () => {
  const tracker = new Tracker(about);
  for (let i = 0; i < 10; i++) tracker.update([at(50 * i)], i / 10);
  tracker.mirror(1000); // from 500 to 499, at -500 pixels a second
  assert.deepEqual(numbers(tracker.update([at(324)], 1.2)), [1]);
});

test("another source has a rate of its own", () => {
  const tracker = new Tracker(about);
  for (let i = 0; i < 20; i++) tracker.update([at(0)], 2 * i);
  assert.equal(tracker.intervalS, 2);
  for (let i = 0; i < 3; i++) tracker.update([at(0)], i / 10);
  assert.ok(Math.abs(tracker.intervalS - 0.1) < 1e-12);
  [0.5, 0.9].forEach((timeS) => tracker.update([at(0)], timeS));
  assert.ok(Math.abs(tracker.intervalS - 0.2) < 1e-12); // the median of 0.1, 0.1, 0.3, 0.4
});

test("probabilities come nearer by 1 - exp(-t / smooth_s)", () => {
  const tracker = new Tracker(about);
  tracker.smooth(tracker.update([at(0)], 0).observations, [[1, 0]], 0);
  const [[first]] = tracker.smooth(tracker.update([at(0)], 0.2).observations, [[0, 1]], 0.2);
  assert.ok(Math.abs(first - Math.exp(-0.5)) < 1e-12);
});

test("eleven ticks in a second are ten frames a second", () => {
  const rate = new RateMeter();
  assert.equal(rate.perSecond, 0);
  for (let i = 0; i <= 30; i++) rate.tick(i / 10);
  assert.ok(Math.abs(rate.perSecond - 10) < 1e-9);
});

test("a slow search becomes small, and full again only where that would be fast enough", () => {
  const search = new SearchSize({ imgsz: 640, small_imgsz: 320, wanted_fps: 10 });
  const feed = (ms) => Array.from({ length: 10 }, () => search.add(ms));
  feed(90);
  assert.equal(search.imgsz, 640);
  feed(140);
  assert.equal(search.imgsz, 320);
  feed(40); // four times as long would be too long
  assert.equal(search.imgsz, 320);
  feed(20);
  assert.equal(search.imgsz, 640);
});

test("a screen reader gets no sentence twice, and none within two seconds", () => {
  const said = [];
  const speaker = new Speaker((sentence) => said.push(sentence), 2);
  [
    ["a", 0],
    ["b", 1],
    ["c", 2],
    ["c", 9],
    ["d", 9.5],
  ].forEach(([sentence, nowS]) => speaker.offer(sentence, nowS));
  assert.deepEqual(said, ["a", "c", "d"]);
});

test("what the gap between two sentences held back is said when nothing comes any more", () => {
  const said = [];
  const speaker = new Speaker((sentence) => said.push(sentence), 2);
  speaker.offer("No face.", 0);
  speaker.offer("The face looks like fear 63 percent.", 0.8);
  assert.deepEqual(said, ["No face."]);
  speaker.catchUp(1);
  speaker.catchUp(1.1);
  assert.deepEqual(said, ["No face.", "The face looks like fear 63 percent."]);
});

test("a sentence has the percentages that the picture shows; only other faces or labels are worth another one", () => {
  const faceAt = (left, label, confidence) => ({ face: { box: [left, 0, left + 9, 9] }, label, confidence });
  const fear = faceAt(50, "fear", 0.634);
  const joy = faceAt(10, "happiness", 0.957);
  const one = { faces: [fear], leftOut: 0 };
  assert.equal(sentenceOf(one), "The face looks like fear 63 percent.");
  assert.equal(sentenceOf({ faces: [], leftOut: 0 }), "No face.");
  const both = { faces: [fear, joy], leftOut: 3 };
  assert.equal(sentenceOf(both), "2 of 5 faces look like happiness 96 percent, fear 63 percent.");
  const later = { faces: [faceAt(11, "happiness", 0.93), faceAt(49, "fear", 0.7)], leftOut: 0 }; // the other is surer now
  assert.equal(gistOf(later), gistOf(both));
  assert.notEqual(gistOf({ faces: [fear, faceAt(10, "surprise", 0.957)], leftOut: 0 }), gistOf(both));
  assert.notEqual(gistOf(one), gistOf(both));
});
