"""Nothing leaves the machine, the policy forbids it, and the page opens without its server."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import shutil
import threading
from pathlib import Path

import pytest
from helpers.browsers.chromium import Chromium
from helpers.browsers.page import close_source, open_page, spoken, wait_for_frames, write_sample

from web.export import POLICY, site_files
from web.serve import Handler, Site

TROUBLE = "document.getElementById('trouble')?.textContent"
CLICK_SAMPLE = "document.getElementById('sample').click()"


@pytest.fixture(scope="module")
def watched(site_folder, tmp_path_factory):
    """A page that writes down every request and name that any of its processes asks for; what it said of the sample,
    with its server and, opened again, without it.
    """
    log = tmp_path_factory.mktemp("net") / "net.json"
    said = []
    with Chromium(f"--log-net-log={log}", "--net-log-capture-mode=IncludeSensitive") as browser:
        with Site(site_folder) as site:
            open_page(browser, site)
            said.append(sentence_of_the_sample(browser))
        browser.page("Page.navigate", url="about:blank")
        browser.wait_for("location.href === 'about:blank'")
        browser.open(site.address)  # nobody answers there any more
        browser.wait_for("document.body.dataset.ready === 'yes'")
        said.append(sentence_of_the_sample(browser))
    return site, json.loads(log.read_text(encoding="utf-8")), said


def replace(path: Path, old: str, new: str) -> None:
    content = path.read_text(encoding="utf-8")
    assert content.count(old) == 1
    path.write_text(content.replace(old, new), encoding="utf-8")


def integrity(content: bytes) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(content).digest()).decode()


def sentence_of_the_sample(browser: Chromium) -> str:
    browser.evaluate(CLICK_SAMPLE)
    wait_for_frames(browser, 2)
    return spoken(browser)


def test_the_page_works_with_and_without_its_server(watched):
    _, _, said = watched
    assert ["happiness" in sentence for sentence in said] == [True, True], said


def test_no_name_is_resolved_and_nobody_but_loopback_is_called(watched):
    site, log, _ = watched
    types = {number: name for name, number in log["constants"]["logEventTypes"].items()}
    events = [(types[event["type"]], event.get("params", {})) for event in log["events"]]
    # What the browser itself asks its maker for has no initiator; it finds no name here (QUIET in helpers/browsers).
    asked = {
        params["url"]
        for name, params in events
        if name == "URL_REQUEST_START_JOB" and "127.0.0.1" in params.get("initiator", "")
    }
    outside = {url for url in asked if not url.startswith((site.address, "data:", "blob:"))}
    assert len(asked) > 20  # the page, its workers and its service worker
    assert not outside, outside
    peers = {params["address"] for name, params in events if name == "TCP_CONNECT_ATTEMPT" and "address" in params}
    assert peers
    assert all(peer.startswith("127.0.0.1:") for peer in peers), peers


def test_the_server_was_asked_for_files_of_the_site_only(watched):
    site, _, _ = watched
    assert {path.partition("?")[0] for path in site.requests} <= {"/", *(f"/{name}" for name in site_files())}


def test_large_files_come_once_and_all_fit_in_nine_megabytes(watched):
    site, _, _ = watched
    assert site.bytes_sent < 9e6
    for name in ("/emotion.onnx", "/retinaface.onnx", "/ort/ort-wasm-simd-threaded.wasm"):
        assert site.requests.count(name) == 1


def test_the_policy_stops_what_would_leave(page, site):
    assert "'unsafe-inline'" not in str(POLICY)
    attempts = {
        "fetch": "fetch('http://127.0.0.1:9/')",
        "beacon": "new Promise((_, no) => navigator.sendBeacon('http://127.0.0.1:9/') ? no(0) : no(1))",
        "image": "new Promise((_, no) => Object.assign(new Image(), { src: 'http://127.0.0.1:9/a', onerror: no }))",
        "script": "import('http://127.0.0.1:9/a.js')",
    }
    page.evaluate(
        "globalThis.stopped = []; addEventListener('securitypolicyviolation', (e) => stopped.push(e.blockedURI))"
    )
    for attempt in attempts.values():
        page.evaluate(f"{attempt}.then(() => 0, () => 0)")
    page.wait_for(f"stopped.filter((uri) => uri.startsWith('http://127.0.0.1:9/')).length >= {len(attempts)}")
    worker = (
        "new Promise((resolve) => { const worker = new Worker('/worker.js', { type: 'module' });"
        " worker.onmessage = () => resolve('runs'); worker.onerror = () => resolve('fails') })"
    )
    assert page.evaluate(worker) == "runs"
    assert page.evaluate("fetch('/worker.js').then((a) => a.headers.get('content-security-policy'))")
    make = "try { resolve(new Function('return 1')()) } catch { resolve(0) }"
    later = f"new Promise((resolve) => setTimeout(() => {{ {make} }}))"
    assert page.evaluate(later) == 0  # later, because what the debugger evaluates may do all


@pytest.mark.long
@pytest.mark.thorough
def test_a_new_version_is_noticed_and_waits_until_no_page_of_the_old_one_is_open(site_folder, tmp_path):
    """Also from a host that lets browsers keep scripts."""

    class Keeping(Handler):
        def send_header(self, keyword, value):
            super().send_header(keyword, "max-age=3600" if keyword == "Cache-Control" else value)

    folder = shutil.copytree(site_folder, tmp_path / "site", ignore=shutil.ignore_patterns("about.json.gz"))
    told = "fetch('about.json').then((answer) => answer.json()).then(({ notice }) => notice)"
    with Site(folder) as site, Chromium() as browser:
        site.RequestHandlerClass = Keeping
        open_page(browser, site)
        notice = browser.evaluate(told)
        replace(folder / "about.json", notice, "new")
        before, now = (integrity((each / "about.json").read_bytes()) for each in (site_folder, folder))
        replace(folder / "precache.js", before, now)
        replace(folder / "precache.js", '"version": "', '"version": "f')
        browser.page("Page.reload")
        browser.wait_for("navigator.serviceWorker.getRegistration().then((found) => Boolean(found?.waiting))")
        browser.wait_for("document.body.dataset.ready === 'yes'")
        assert browser.evaluate(told) == notice
        assert len(browser.evaluate("caches.keys()")) == 2


@pytest.mark.long
@pytest.mark.thorough
def test_copies_on_one_origin_keep_their_own_files(site_folder, tmp_path):
    """As of two projects of one person, on GitHub's pages."""

    class Folders(Handler):
        def _file(self):
            self.path += "index.html" if self.path.endswith("/") else ""
            return super()._file()

    for name in "ab":
        shutil.copytree(site_folder, tmp_path / name)
    replace(tmp_path / "b" / "precache.js", '"version": "', '"version": "f')
    kept = (
        "caches.keys().then((names) => Promise.all(names.map(async (name) =>"
        " (await (await caches.open(name)).keys()).length)))"
    )
    with Site(tmp_path) as site, Chromium() as browser:
        site.RequestHandlerClass = Folders
        for name in "ab":
            browser.open(f"{site.address}{name}/")
            browser.wait_for("document.body?.dataset.ready === 'yes'")
            browser.wait_for("navigator.serviceWorker.getRegistration().then((found) => Boolean(found?.active))")
        first, second = browser.evaluate(kept)
        assert first == second > 20


@pytest.mark.long
@pytest.mark.thorough
def test_a_host_that_sends_index_html_on_keeps_that_address(site_folder):
    """As Cloudflare's pages do: browsers refuse a page that a service worker answers with what was sent on."""

    class SendingOn(Handler):
        def do_GET(self):
            if self.path == "/index.html":
                self.send_response(308)
                self.send_header("Location", "/")
                self.send_header("Content-Length", "0")
                self.end_headers()
            else:
                super().do_GET()

    with Site(site_folder) as site, Chromium() as browser:
        site.RequestHandlerClass = SendingOn
        open_page(browser, site)
        browser.wait_for("navigator.serviceWorker.controller?.state === 'activated'")
        browser.page("Page.navigate", url=f"{site.address}index.html")
        browser.wait_for("location.pathname === '/index.html' && document.body?.dataset.ready === 'yes'")


@pytest.mark.long
@pytest.mark.thorough
def test_wrong_bytes_are_not_kept(site_folder, tmp_path):
    """Half a file, from a host that says it is all: the next reload has the whole one."""
    folder = shutil.copytree(site_folder, tmp_path / "site", ignore=shutil.ignore_patterns("emotion.onnx.gz"))
    networks = (folder / "emotion.onnx").read_bytes()
    (folder / "emotion.onnx").write_bytes(networks[: len(networks) // 2])
    with Site(folder) as site, Chromium() as browser:
        browser.open(site.address)
        assert browser.wait_for(TROUBLE).startswith("The networks do not work here (")
        (folder / "emotion.onnx").write_bytes(networks)
        browser.page("Page.reload")
        browser.wait_for("document.body?.dataset.ready === 'yes'")
        browser.wait_for("navigator.serviceWorker.getRegistration().then((found) => Boolean(found?.active))")


@pytest.mark.long
@pytest.mark.thorough
def test_a_film_waits_for_the_networks(site_folder, tmp_path):
    """It would play to its end meanwhile."""
    film = write_sample(tmp_path / "film.webm", frames=15)
    come = threading.Event()

    class Slow(Handler):
        def do_GET(self):
            if self.path.startswith("/emotion.onnx"):
                come.wait()
            super().do_GET()

    with Site(site_folder) as site, Chromium() as browser, contextlib.ExitStack() as at_the_end:
        at_the_end.callback(come.set)  # the server waits for its answers
        site.RequestHandlerClass = Slow
        browser.open(site.address)
        browser.wait_for("document.body?.dataset.state === 'empty'")
        browser.evaluate(
            "globalThis.play = HTMLMediaElement.prototype.play; globalThis.opened = null;"
            "HTMLMediaElement.prototype.play = function () { opened = this; return play.call(this) }; true"
        )
        browser.upload("#file", film)
        browser.wait_for("opened?.paused")
        assert browser.evaluate("opened.currentTime") < 1
        come.set()
        wait_for_frames(browser, 1)
        browser.wait_for("opened.ended")


@pytest.mark.long
@pytest.mark.thorough
def test_a_gpu_that_is_lost_is_done_without(site_folder, tmp_path):
    """A stand-in for one: the first engine calls itself so, and fails from its third frame on."""
    script = shutil.copytree(site_folder, tmp_path / "site") / "engine.js"
    replace(script, 'name: provider === "wasm" ?', "name: first ? 'webgpu' : provider === 'wasm' ?")
    replace(script, "  const detector = await", "  const first = ++opened === 1;\n  const detector = await")
    lost = "if (first && ++searched > 2) throw new Error('device lost');"
    replace(script, "async detect(rgb, height, width) {", f"async detect(rgb, height, width) {{\n      {lost}")
    replace(script, "const MOST_THREADS", "let [opened, searched] = [0, 0];\nconst MOST_THREADS")
    before, now = (integrity((folder / script.name).read_bytes()) for folder in (site_folder, script.parent))
    replace(script.parent / "precache.js", before, now)
    with Site(script.parent) as site, Chromium() as browser:
        open_page(browser, site)
        browser.evaluate(CLICK_SAMPLE)
        wait_for_frames(browser, 5)
        assert not browser.evaluate(TROUBLE)


@pytest.mark.thorough
def test_parts_that_do_not_come_are_told(site_folder, tmp_path):
    """A host that lost files: first the runtime, then the worker, then what the page has to know."""
    folder = shutil.copytree(site_folder, tmp_path / "site", ignore=shutil.ignore_patterns("ort", "*.onnx*"))
    with Site(folder) as site, Chromium() as browser:
        browser.open(site.address)
        said = browser.wait_for(TROUBLE)
        assert said.startswith("The networks do not work here (")
        assert said.endswith("Reload the page, or open it in another browser.")
        assert browser.evaluate("document.getElementById('loading').hidden")
        (folder / "worker.js").unlink()
        browser.page("Page.reload")
        said = browser.wait_for(f"{TROUBLE}.startsWith('The networks could not be started (') && {TROUBLE}")
        browser.evaluate(CLICK_SAMPLE)  # it says so each time
        browser.wait_for("document.body.dataset.state === 'trouble'")
        assert browser.evaluate(TROUBLE) == said
        (folder / "about.json").unlink()
        browser.page("Page.reload")
        browser.wait_for(f"{TROUBLE} === 'A part of the page did not come (about.json). Reload the page.'")


@pytest.mark.long
@pytest.mark.thorough
def test_without_isolation_headers_there_is_one_thread(site_folder):
    plain = dict.fromkeys(("Cross-Origin-Opener-Policy", "Cross-Origin-Embedder-Policy"), "")
    with Site(site_folder, headers=plain) as site, Chromium() as browser:
        open_page(browser, site)
        assert browser.evaluate("crossOriginIsolated") is False
        assert "1 thread" in browser.evaluate("document.getElementById('engine').textContent")
        browser.evaluate(CLICK_SAMPLE)
        wait_for_frames(browser, 1)
        close_source(browser)


def test_it_can_be_installed(page):
    answer = page.page("Page.getAppManifest")
    assert not answer["errors"]
    manifest = json.loads(answer["data"])
    assert manifest["display"] == "standalone"
    assert manifest["icons"]
    assert not page.page("Page.getInstallabilityErrors")["installabilityErrors"]
    assert page.evaluate("navigator.serviceWorker.controller !== null")


def test_what_is_kept_for_offline_use_is_known_and_small():
    files = site_files()
    told = json.loads(files["precache.js"].decode().removeprefix("self.PRECACHE = ").rstrip(";\n"))
    kept = {name: files["index.html" if name == "./" else name] for name in told["files"]}
    assert {name: integrity(content) for name, content in kept.items()} == told["files"]
    assert sum(map(len, kept.values())) < 25e6
    assert "ort/ort-wasm-simd-threaded.asyncify.wasm" in told["gpu"].keys() - kept.keys()
