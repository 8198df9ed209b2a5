/**
 * Keeps the page's own files, so that it opens offline. Nothing of what is seen is kept.
 *
 * precache.js, which Python writes, names the version and its files: a new version is fetched whole and takes over once
 * no page of the old one is open, so that no page gets files of both. What only a GPU needs is kept once fetched. What
 * is not as Python wrote it, such as half a file or a host's page of errors, is never kept.
 */
/* global self, caches, fetch, importScripts */
importScripts("precache.js");
const { version, files, gpu } = self.PRECACHE;
const PREFIX = `facial-expressions ${self.registration.scope} `; // an origin has all caches of all its copies

self.addEventListener("install", (event) => {
  const fetchAll = async () => {
    const cache = await caches.open(PREFIX + version);
    const wanted = Object.entries(files);
    await cache.addAll(wanted.map(([name, integrity]) => new Request(name, { cache: "no-cache", integrity })));
  };
  event.waitUntil(fetchAll());
});

self.addEventListener("activate", (event) => {
  const takeOver = async () => {
    const old = (await caches.keys()).filter((name) => name.startsWith(PREFIX) && name !== PREFIX + version);
    await Promise.all(old.map((name) => caches.delete(name)));
    await self.clients.claim();
  };
  event.waitUntil(takeOver());
});

self.addEventListener("fetch", (event) => {
  if (event.request.method !== "GET" || new URL(event.request.url).origin !== self.location.origin) return;
  const answer = async () => {
    const cache = await caches.open(PREFIX + version);
    const kept = await cache.match(event.request, { ignoreSearch: true });
    // A host that sends index.html on to / would else break that address: browsers refuse such an answer for a page.
    if (kept) return kept.redirected ? new Response(kept.body, kept) : kept;
    const integrity = gpu[event.request.url.slice(self.registration.scope.length)];
    if (!integrity) return fetch(event.request);
    const fetched = await fetch(event.request, { integrity });
    if (fetched.status === 200) event.waitUntil(cache.put(event.request, fetched.clone()));
    return fetched;
  };
  event.respondWith(answer());
});
