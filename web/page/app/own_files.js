/**
 * The page keeps its own files, so that it works offline; and its large files come over the wire once.
 */

/** Until they are kept, or the browser keeps none. */
export async function ownFilesKept() {
  const workers = navigator.serviceWorker;
  if (!workers || !globalThis.isSecureContext) return;
  const registration = await workers.register("sw.js").catch(() => null);
  if (!registration || workers.controller) return;
  await new Promise((resolve) => {
    workers.addEventListener("controllerchange", resolve, { once: true });
    const coming = registration.installing ?? registration.waiting;
    coming?.addEventListener("statechange", () => coming.state === "redundant" && resolve(undefined));
    if (!coming) resolve(undefined); // already there, but this load went past it
  });
}
