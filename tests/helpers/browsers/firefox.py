"""Firefox, driven over Marionette, its own protocol, with the standard library alone.

In:  addresses, scripts. Out: what the scripts return.

Messages are `length:[0, number, command, parameters]`; answers `length:[1, number, error, result]`.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
from helpers.patience import PATIENCE_S

PREFERENCES = {
    "marionette.port": 0,  # any free one; it then stands in the profile
    "app.update.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "services.settings.server": "http://127.0.0.1:9/",
    "browser.shell.checkDefaultBrowser": False,
}


class Firefox:
    """One browser with a profile of its own; a context manager. The test is skipped where there is none."""

    def __init__(self) -> None:
        path = shutil.which("firefox-esr") or shutil.which("firefox") or pytest.skip("needs Firefox")
        self._folder = tempfile.TemporaryDirectory(prefix="firefox-", ignore_cleanup_errors=True)
        profile = Path(self._folder.name)
        lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in PREFERENCES.items()]
        (profile / "user.js").write_text("\n".join(lines), encoding="utf-8")
        self._process = subprocess.Popen(
            [path, "--marionette", "--headless", "--no-remote", "--profile", str(profile)],
            env=os.environ | {"HOME": self._folder.name},
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        self._number, self._buffer = 0, b""
        port = self._wait(lambda: (profile / "MarionetteActivePort").read_text(encoding="utf-8").strip())
        self._socket = self._wait(lambda: socket.create_connection(("127.0.0.1", int(port)), timeout=PATIENCE_S))
        self._receive()  # its greeting
        self.call("WebDriver:NewSession", capabilities={})

    def call(self, command: str, **parameters: Any) -> Any:
        """The result of a command; RuntimeError with its message where it fails."""
        self._number += 1
        message = json.dumps([0, self._number, command, parameters]).encode()
        self._socket.sendall(str(len(message)).encode() + b":" + message)
        _, _, error, result = self._receive()
        if error:
            raise RuntimeError(f"{command}: {error['message']}")
        return result

    def evaluate(self, expression: str) -> Any:
        """The value of an expression in the page."""
        return self.call("WebDriver:ExecuteScript", script=f"return {expression}", args=[])["value"]

    def wait_for(self, expression: str) -> Any:
        """The first true value of an expression; AssertionError where there is none in time."""
        end_s = time.monotonic() + PATIENCE_S
        while not (value := self.evaluate(expression)):
            assert time.monotonic() < end_s, f"never true: {expression}"
            time.sleep(0.1)
        return value

    def _wait(self, attempt: Any) -> Any:
        """What `attempt` gives as soon as it gives something."""
        end_s = time.monotonic() + PATIENCE_S
        while True:
            try:
                if value := attempt():
                    return value
            except OSError:
                assert self._process.poll() is None, "Firefox has ended"
            assert time.monotonic() < end_s, "Firefox does not answer"
            time.sleep(0.1)

    def _receive(self) -> Any:
        while b":" not in self._buffer or len(self._buffer.partition(b":")[2]) < int(self._buffer.partition(b":")[0]):
            data = self._socket.recv(1 << 16)
            assert data, "Firefox says nothing more"
            self._buffer += data
        length, _, rest = self._buffer.partition(b":")
        message, self._buffer = rest[: int(length)], rest[int(length) :]
        return json.loads(message)

    def __enter__(self) -> Firefox:
        return self

    def __exit__(self, *exception: object) -> None:
        self._socket.close()
        os.killpg(self._process.pid, 15)
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, 9)
            self._process.wait()
        self._folder.cleanup()
