/**
 * The page keeps its own files, so that it works offline; and its large files come over the wire once.
 */

/** Wait until the files are kept; not at all where the browser keeps none. */
export async function ownFilesKept() {
  const workers = navigator.serviceWorker;
  if (!workers || !globalThis.isSecureContext) return;
  // Also precache.js, which sw.js imports, is asked for each time: it tells of a new version.
  const registration = await workers.register("sw.js", { updateViaCache: "none" }).catch(() => null);
  if (!registration || registration.active) return; // kept already, though a forced reload goes past it
  await new Promise((resolve) => {
    workers.addEventListener("controllerchange", resolve, { once: true });
    const coming = registration.installing ?? registration.waiting;
    coming?.addEventListener("statechange", () => coming.state === "redundant" && resolve(undefined));
    if (!coming) resolve(undefined);
  });
}
