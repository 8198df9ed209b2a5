"""Graphs: networks as ONNX Runtime reads them, without their weights.

In:  a graph's name, the folder of the shipped ones, a function that makes it where it is not at hand.
Out: a `Graph`: shipped with the project, or kept from an earlier start, or made now and kept for the next one.

A graph holds what a network computes, not with which numbers: those stay in the checkpoint, and meet the graph when a
session begins (support/onnx/session.py). So a retrained network needs no new graph and cannot disagree with it. What a
graph can fall behind is the code that it was made from; it carries the hash of each of those files.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from support.cli import UserError, notify
from support.files import atomic_write

ROOT = Path(__file__).parents[2]
CACHE_VARIABLE = "LIVE_EXPRESSIONS_CACHE"  # an environment variable that names another folder for the cache
MODEL, ABOUT = "graph.onnx", "about.json"  # the two parts of a graph's file


@dataclass(frozen=True, eq=False)
class Graph:
    """A network without its weights.

    model: an ONNX model whose weights are named but not in it; empty where `about` says why none was made.
    about: plain JSON values, among them `weights`, the shape of each weight by name, and `sources`, the SHA-256 of each
        file of this project that the graph was made from.
    """

    model: bytes
    about: dict

    def is_current(self) -> bool:
        """Are the files that it was made from still what they were?"""
        return all(source_hash(ROOT / name) == known for name, known in self.about["sources"].items())


def find_graph(name: str, *, shipped: Path, make: Callable[[], Graph]) -> Graph:
    """The graph `name` from the folder `shipped` or from the user's cache, if current; else what `make` makes.

    A cache that cannot be written costs the next start the time that making takes, and a line on stderr says so.
    """
    kept = cache_folder() / f"{name}.zip"
    for path in (shipped / f"{name}.zip", kept):
        graph = read_graph(path)
        if graph is not None and graph.is_current():
            return graph
    try:
        graph = make()
    except ImportError as error:
        raise UserError(
            f"ONNX Runtime needs a graph of {name} first ({error}); pip install onnx, or add --engine torch."
        ) from error
    try:
        write_graph(kept, graph)
    except (UserError, OSError) as error:  # no right to write there, or a full disk
        notify(f"the graph of {name} is not kept for the next start ({error}); {CACHE_VARIABLE} names another folder.")
    return graph


def write_graph(path: str | Path, graph: Graph) -> None:
    """One file with the graph, whole or not at all; the same graph gives the same bytes."""
    with atomic_write(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in ((ABOUT, json.dumps(graph.about, indent=1)), (MODEL, graph.model)):
            file.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)  # ZipInfo: without the time of day


def read_graph(path: str | Path) -> Graph | None:
    """The graph in the file, or None where there is no such file or it is damaged: a graph can always be made anew."""
    try:
        with zipfile.ZipFile(path) as file:
            return Graph(file.read(MODEL), json.loads(file.read(ABOUT)))
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, zlib.error):
        return None


def source_hash(path: Path) -> str | None:
    """SHA-256 of a text file, whatever its line endings; None where there is none."""
    if not path.is_file():
        return None
    return hashlib.sha256(path.read_bytes().replace(b"\r\n", b"\n")).hexdigest()


def cache_folder() -> Path:
    """The user's folder for what can be made again, which need not exist: where the system keeps such things."""
    if named := os.environ.get(CACHE_VARIABLE):
        return Path(named)
    if sys.platform == "darwin":
        caches = "~/Library/Caches"
    elif sys.platform == "win32":
        caches = os.environ.get("LOCALAPPDATA") or "~/AppData/Local"
    else:
        caches = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(os.path.expanduser(caches)) / "live-expressions"
