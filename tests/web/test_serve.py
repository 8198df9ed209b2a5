"""The server: loopback alone, the right kinds, headers on every answer, nothing outside the folder."""

from __future__ import annotations

import gzip
import http.client
import importlib.util
import os
import socket
import struct
import threading
from pathlib import Path

import pytest
from helpers.patience import PATIENCE_S

from support import UserError
from web import serve
from web.export import HEADERS
from web.serve import Site


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    (folder / "ort").mkdir(parents=True)
    (folder / "index.html").write_text("<p>page")
    (folder / "ort" / "a.wasm").write_bytes(b"\0asm" * 100)
    (folder / "ort" / "a.wasm.gz").write_bytes(gzip.compress(b"\0asm" * 100))
    (folder / "code.mjs").write_text("1")
    (tmp_path / "secret.txt").write_text("secret")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "_headers").write_text("/*")
    return folder


def ask(site: Site, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", site.server_port, timeout=PATIENCE_S)
    connection.putrequest(method, path, skip_accept_encoding=True)
    for name, value in headers.items():
        connection.putheader(name.replace("_", "-"), value)
    connection.endheaders()
    answer = connection.getresponse()
    result = answer.status, dict(answer.getheaders()), answer.read()
    connection.close()
    return result


def test_files_and_their_kinds(folder):
    with Site(folder) as site:
        assert ask(site, "/")[2] == ask(site, "/index.html?x=1")[2] == b"<p>page"
        assert ask(site, "/code.mjs")[1]["Content-Type"].startswith("text/javascript")
        status, headers, content = ask(site, "/ort/a.wasm")
        assert (status, headers["Content-Type"], content) == (200, "application/wasm", b"\0asm" * 100)
        status, headers, content = ask(site, "/ort/a.wasm", Accept_Encoding="gzip, br")
        assert headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(content) == b"\0asm" * 100
        status, headers, content = ask(site, "/code.mjs", "HEAD")
        assert (status, headers["Content-Length"], content) == (200, "1", b"")


@pytest.mark.parametrize(
    "path",
    ["/../secret.txt", "/%2e%2e/secret.txt", "//etc/passwd", "/ort/../../secret.txt", "/link.txt", "/ort", "/ort/"]
    + ["/missing.js", "/_headers", "/a%00b.js", "/..%5csecret.txt", "/" + "a" * 5000],
)
def test_nothing_else_is_given(folder, path):
    with Site(folder) as site:
        status, headers, content = ask(site, path)
        assert status == 404
        assert b"secret" not in content.replace(path.encode(), b"")
        assert headers["Content-Security-Policy"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_other_methods_are_refused(folder, method):
    with Site(folder) as site:
        assert ask(site, "/", method)[0] == 501


def test_headers_are_on_every_answer(folder):
    with Site(folder) as site:
        for path in ("/", "/missing"):
            assert HEADERS.items() <= ask(site, path)[1].items()
    with Site(folder, headers={"Cross-Origin-Opener-Policy": ""}) as site:
        assert "Cross-Origin-Opener-Policy" not in ask(site, "/")[1]


def test_a_browser_that_leaves_early_is_nothing_to_tell(folder, capsys):
    (folder / "large.js").write_bytes(b" " * 30_000_000)
    before = set(threading.enumerate())
    with Site(folder) as site, socket.create_connection(site.server_address[:2]) as gone:
        gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # it hangs up rudely
        gone.sendall(b"GET /large.js HTTP/1.1\r\nHost: x\r\n\r\n")
        assert gone.recv(10)
    for thread in set(threading.enumerate()) - before:
        thread.join(30)
    assert capsys.readouterr().err == ""


def test_it_is_on_this_machine_alone_and_says_a_taken_port(folder):
    with Site(folder) as site:
        assert site.server_address[0] == "127.0.0.1"
        with pytest.raises(UserError, match=f"port {site.server_port} cannot be used: .*; name another with --port"):
            Site(folder, port=site.server_port)


@pytest.mark.parametrize(("system", "reused"), [("posix", True), ("nt", False)])
def test_a_port_has_one_server(monkeypatch, system, reused):
    """On Windows two processes could listen on a port that may be used again."""
    spec = importlib.util.spec_from_file_location("serve_there", serve.__file__)
    module = importlib.util.module_from_spec(spec)
    with monkeypatch.context() as there:
        there.setattr(os, "name", system)
        spec.loader.exec_module(module)
    assert bool(module.Site.allow_reuse_address) is reused
