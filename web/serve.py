"""A server of the site on this machine alone.

In:  a folder that `web/export.py` wrote, a port.
Out: a `Site`, which answers on 127.0.0.1 with the headers that the page wants; `requests` are the paths asked for.
"""

from __future__ import annotations

import os
import sys
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from support import FAILED, UserError
from web.export import HEADERS

MIME_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".wasm": "application/wasm",
    ".onnx": "application/octet-stream",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webp": "image/webp",
    ".txt": "text/plain; charset=utf-8",
}
HOST = "127.0.0.1"  # nobody else on the network sees it


class Handler(BaseHTTPRequestHandler):
    """Files of the folder, and nothing else: no listing, no way out, no other method than GET and HEAD."""

    protocol_version = "HTTP/1.1"
    server: Site

    def do_GET(self) -> None:
        """The file, compressed where that lies beside it and the browser takes it."""
        self.server.requests.append(self.path)
        path = self._file()
        if path is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        packed = path.with_name(f"{path.name}.gz")
        compressed = "gzip" in self.headers.get("Accept-Encoding", "") and packed.is_file()
        content = (packed if compressed else path).read_bytes()
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", MIME_TYPES[path.suffix])
        self.send_header("Content-Length", str(len(content)))
        if compressed:
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        if self.command != "HEAD":
            self.server.bytes_sent += len(content)
            self.wfile.write(content)

    do_HEAD = do_GET

    def end_headers(self) -> None:
        """The headers of every answer, errors included."""
        for name, value in (HEADERS | self.server.headers).items():
            if value:
                self.send_header(name, value)
        self.send_header("Cache-Control", "no-cache")  # asked again each time; the service worker keeps files
        self.send_header("Vary", "Accept-Encoding")
        super().end_headers()

    def _file(self) -> Path | None:
        """The file that the address names; None for folders, what is outside, and kinds that no page has."""
        try:
            name = unquote(urlsplit(self.path).path).removeprefix("/") or "index.html"
            path = (self.server.folder / name).resolve()
            inside = path.is_relative_to(self.server.folder)
            return path if inside and path.suffix in MIME_TYPES and path.is_file() else None
        except (OSError, ValueError):  # a name that no file can have
            return None

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: what is asked for stands in `Site.requests`."""


class Site(ThreadingHTTPServer):
    """The server, to be entered: it then answers in a thread of its own.

    headers: more of them, or other values; an empty value leaves one out.
    """

    daemon_threads = True
    allow_reuse_address = os.name != "nt"  # there two processes could listen on one port

    def __init__(self, folder: Path, *, port: int = 0, headers: dict[str, str] | None = None) -> None:
        self.folder, self.headers = folder.resolve(), headers or {}
        self.requests: list[str] = []
        self.bytes_sent = 0
        try:
            super().__init__((HOST, port), Handler)
        except OSError as error:
            raise UserError(
                f"port {port} cannot be used: {error.strerror}; name another with --port.", exit_code=FAILED
            ) from error

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing to say of a browser that left before it had everything; all else is a mistake of ours."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    @property
    def address(self) -> str:
        """What a browser opens."""
        return f"http://{HOST}:{self.server_port}/"

    def __enter__(self) -> Site:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.shutdown()
        self.server_close()
