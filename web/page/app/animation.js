/**
 * An animated GIF, WebP, AVIF or PNG, played as a film: once, in its own time.
 *
 * In:  a file. Out: a source; null where it is no animation, or the browser cannot take it apart: it is a picture then.
 */
import { fitted, nameOf } from "./canvas.js";

/**
 * @param {File} file @param {import("../types.js").About} about
 * @returns {Promise<import("./sources.js").Source | null>}
 */
export async function openAnimation(file, about) {
  if (!("ImageDecoder" in globalThis) || !(await ImageDecoder.isTypeSupported(file.type))) return null;
  const decoder = new ImageDecoder({ data: await file.arrayBuffer(), type: file.type });
  const count = await countOf(decoder).catch((error) => {
    decoder.close();
    throw error;
  });
  if (count < 2) {
    decoder.close();
    return null;
  }
  const { shortest_s, usual_s } = about.page;
  let index = 0; // of the frame that comes next
  let atS = 0; // where in the animation
  let dueS = 0; // when it comes; 0: at once
  let pausedS = 0; // when it was paused; 0: it plays
  let closed = false;
  let end = "";
  const nowS = () => performance.now() / 1000;
  const rewind = (/** @type {string} */ why) => {
    [index, atS, dueS, end] = [0, 0, 0, why];
    return null;
  };
  /** @type {import("./sources.js").Source} */
  const source = {
    name: file.name,
    kind: "film",
    mirrored: false,
    longest: 0,
    ending: () => end,
    async next() {
      while (!closed && (pausedS || nowS() < dueS)) await new Promise((resolve) => setTimeout(resolve, 4));
      while (!closed) {
        if (index === count) return rewind("the animation is over; space plays it again");
        const decoded = await decoder.decode({ frameIndex: index }).catch(() => null);
        if (!decoded) return closed ? null : rewind(`${nameOf(file)} is damaged and ends after ${index} pictures`);
        const { image } = decoded;
        const timeS = atS;
        const wantedS = (image.duration ?? 0) / 1e6;
        const lastsS = wantedS >= shortest_s ? wantedS : usual_s;
        index++;
        atS += lastsS;
        dueS = (dueS || nowS()) + lastsS;
        const { displayWidth, displayHeight } = image;
        source.longest = Math.max(displayWidth, displayHeight);
        const size = fitted(displayWidth, displayHeight, about.page.longest_side);
        if (dueS > nowS() || index === count) return { video: image, ...size, timeS };
        image.close(); // its time is over
      }
      return null;
    },
    pause(paused) {
      if (!paused && pausedS && dueS) dueS += nowS() - pausedS;
      pausedS = paused ? nowS() : 0;
    },
    close() {
      closed = true;
      decoder.close();
    },
  };
  return source;
}

/** How many pictures it has; an animation that does not even begin is refused. @param {ImageDecoder} decoder */
async function countOf(decoder) {
  await decoder.tracks.ready;
  await decoder.completed;
  const count = decoder.tracks.selectedTrack?.frameCount ?? 1;
  if (count > 1) (await decoder.decode({ frameIndex: 0 })).image.close();
  return count;
}
