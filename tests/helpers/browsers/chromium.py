"""Chromium, driven over its debugging pipe with the standard library alone.

In:  flags of Chromium; methods of the DevTools protocol; expressions of JavaScript.
Out: a `Chromium` whose page answers: values of expressions, screenshots, console messages, the accessibility tree.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
from helpers.patience import PATIENCE_S

QUIET = (
    *[
        "--headless=new",
        "--no-first-run",
        "--no-default-browser-check",
        "--disable-background-networking",
        "--disable-sync",
    ],
    *["--disable-component-update", "--disable-default-apps", "--disable-extensions", "--disable-quic"],
    "--mute-audio",
    "--disable-dev-shm-usage",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # a name that is asked for is never found
)
STARTS = 3


def chromium_path() -> str:
    """Where Chromium is; the test is skipped where there is none."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    return path or pytest.skip("needs Chromium (Debian: apt install chromium)")


class Chromium:
    """One browser with a profile of its own and one page; a context manager.

    profile: the folder of its profile, which the command lines of its processes name.
    console: what the page and its workers logged or failed with, in the order it came.
    """

    def __init__(self, *flags: str) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True)
        self.profile = self._folder.name
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        argv = [chromium_path(), *QUIET, *sandbox, f"--user-data-dir={self.profile}", *flags]
        self._number = 0
        self.console: list[str] = []
        for _ in range(STARTS):
            self._start(argv)
            try:
                targets = self.call("Target.getTargets", patience_s=PATIENCE_S / STARTS)["targetInfos"]
                break
            except TimeoutError:  # its start hangs
                self._end()
        else:
            raise TimeoutError(f"Chromium does not answer: {argv}")
        page = next(target["targetId"] for target in targets if target["type"] == "page")
        self.session = self.call("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "DOM", "Accessibility"):
            self.page(f"{domain}.enable")
        self.page("Target.setAutoAttach", autoAttach=True, waitForDebuggerOnStart=False, flatten=True)

    def _start(self, argv: list[str]) -> None:
        theirs_in, self._write = os.pipe()
        self._read, theirs_out = os.pipe()
        redirect = f'exec "$@" --remote-debugging-pipe about:blank 3<&{theirs_in} 4>&{theirs_out}'
        self._process = subprocess.Popen(
            ["bash", "-c", redirect, "bash", *argv],
            pass_fds=(theirs_in, theirs_out), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        os.close(theirs_in)
        os.close(theirs_out)
        self._buffer = b""

    def call(self, method: str, session: str | None = None, *, patience_s: float = PATIENCE_S, **params: Any) -> dict:
        """The result of one method of the protocol; RuntimeError with its message where it fails."""
        number = self._send(method, session, params)
        while (answer := self._next(patience_s)).get("id") != number:
            self._note(answer)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def _send(self, method: str, session: str | None, params: dict) -> int:
        self._number += 1
        message = {"id": self._number, "method": method, "params": params} | ({"sessionId": session} if session else {})
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._write, data) :]
        return self._number

    def page(self, method: str, **params: Any) -> dict:
        """`call` for the page."""
        return self.call(method, self.session, **params)

    def evaluate(self, expression: str) -> Any:
        """The value of an expression in the page, awaited where it is a promise."""
        done = self.page("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in done:
            details = done["exceptionDetails"]
            raise RuntimeError(details.get("exception", {}).get("description") or details["text"])
        return done["result"].get("value")

    def wait_for(self, expression: str) -> Any:
        """The first true value of an expression; AssertionError with the console where there is none in time."""
        end_s = time.monotonic() + PATIENCE_S
        while not (value := self._evaluate_here(expression)):
            assert time.monotonic() < end_s, f"never true: {expression}; console: {self.console}"
            time.sleep(0.05)
        return value

    def _evaluate_here(self, expression: str) -> Any:
        """As `evaluate`; None where the page is being left meanwhile."""
        try:
            return self.evaluate(expression)
        except RuntimeError as error:
            if "Inspected target navigated or closed" not in str(error):
                raise
            return None

    def open(self, address: str) -> None:
        """Load a page and wait until its document is there."""
        self.page("Page.navigate", url=address)
        self.wait_for(f"location.href.startsWith({address!r}) && document.readyState === 'complete'")

    def key(self, key: str, **params: Any) -> None:
        """Press and release a key: a sign, or a name such as "Tab" or "Enter"."""
        codes = {"Tab": 9, "Enter": 13, "Escape": 27, " ": 32}
        common = {"key": key, "windowsVirtualKeyCode": codes.get(key, ord(key[0].upper()))} | params
        text = {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
        self.page("Input.dispatchKeyEvent", type="keyDown", text=text, **common)
        self.page("Input.dispatchKeyEvent", type="keyUp", **common)

    def upload(self, selector: str, *paths: Path) -> None:
        """Give files to an <input type=file>."""
        root = self.page("DOM.getDocument")["root"]["nodeId"]
        node = self.page("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.page("DOM.setFileInputFiles", nodeId=node, files=[str(path) for path in paths])

    def resize(self, width: int, height: int, *, phone: bool = False) -> None:
        """The size of the page in CSS pixels; a phone has three device pixels for one, and a finger."""
        self.page(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=3 if phone else 1, mobile=phone,
        )  # fmt: skip
        self.page("Emulation.setTouchEmulationEnabled", enabled=phone)

    def screenshot(self, path: Path) -> None:
        """The page as it looks, as a PNG."""
        path.write_bytes(base64.b64decode(self.page("Page.captureScreenshot", format="png")["data"]))

    def accessibility_tree(self) -> list[dict]:
        """The nodes that a screen reader meets: role, name and description each."""
        nodes = self.page("Accessibility.getFullAXTree")["nodes"]
        value = lambda node, name: node.get(name, {}).get("value", "")  # noqa: E731
        return [{k: value(n, k) for k in ("role", "name", "description")} for n in nodes if not n["ignored"]]

    def _next(self, timeout_s: float) -> dict:
        end_s = time.monotonic() + timeout_s
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._read], [], [], max(0, end_s - time.monotonic()))
            if not ready:
                raise TimeoutError("Chromium says nothing")
            data = os.read(self._read, 1 << 20)
            if not data:
                raise RuntimeError("Chromium has ended")
            self._buffer += data
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)

    def _note(self, event: dict) -> None:
        params = event.get("params", {})
        match event.get("method"):
            case "Runtime.consoleAPICalled":
                self.console.append(" ".join(str(arg.get("value", arg.get("description"))) for arg in params["args"]))
            case "Runtime.exceptionThrown":
                details = params["exceptionDetails"]
                self.console.append(details.get("exception", {}).get("description", details["text"]))
            case "Log.entryAdded":
                self.console.append(params["entry"]["text"] + " " + params["entry"].get("url", ""))
            case "Target.attachedToTarget":  # a worker
                self._send("Runtime.enable", params["sessionId"], {})

    def close(self) -> None:
        """End the browser and drop its profile."""
        self._end()
        self._folder.cleanup()

    def _end(self) -> None:
        os.close(self._write)
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, 9)
            self._process.wait()
        os.close(self._read)

    def __enter__(self) -> Chromium:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
