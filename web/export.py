"""The page as a folder of static files: what `python -m web --out site/` writes and what it serves itself.

In:  web/page, onnxruntime-web, the two .onnx files, the portraits of the bundled sample.
Out: index.html, scripts, about.json, networks, sample; precache.js for use offline; _headers, README.txt, LICENSES.txt.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np

from data.sources import sample
from models.checkpoint import SHIPPED as CLASSIFIER
from retinaface.detector import SHIPPED as DETECTOR
from support import UserError
from support.cli import ROOT
from support.files import cannot_write
from web.about import about, wanted_runtime
from web.runtime import GPU_FILES, runtime_files

PAGE = Path(__file__).parent / "page"
KINDS = {".js", ".html", ".css", ".svg", ".webmanifest"}  # of the page's files; what else lies there is not its own
LITTER = ".DS_Store"  # a Mac leaves it in every folder that somebody looks into
MARK = "precache.js"  # a folder that has it was written by this, and may be written over
WEBP_QUALITY = 88
LARGE = 20_000  # bytes; files from here on lie compressed beside themselves, too

# Scripts and connections from here alone; no inline script or style. Pictures and films that a person opens are blobs.
POLICY = {
    "default-src": "'self'",
    "script-src": "'self' 'wasm-unsafe-eval'",
    "connect-src": "'self'",
    "img-src": "'self' blob:",
    "media-src": "'self' blob:",
    "object-src": "'none'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}
HEADERS = {
    "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in POLICY.items()),
    "Cross-Origin-Opener-Policy": "same-origin",  # these two allow threads
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
README = """Facial expressions in a browser: host this folder on any https server; cameras open on https and localhost.
Send the headers in _headers (Netlify reads that file), and compress; without them one thread is used,
and the policy that keeps pictures here binds the page alone, not the worker that analyses them.
"""


def export(out: Path) -> Path:
    """Write the folder `out`, whole or not at all, over one that this wrote before; where it is.

    Raises `UserError` where `out` holds other files or cannot be written, or a part of the page cannot be had.
    """
    out = Path(os.path.realpath(out))
    if out == Path.cwd():
        raise UserError(f"--out wants a folder other than the one you are in, {out}; name one inside it.")
    if out.exists() and not out.is_dir():
        raise UserError(f"--out wants a folder, and {out} is a file; name another place.")
    files = site_files()
    there = [path.name for path in out.iterdir() if path.name != LITTER] if out.is_dir() else []
    known = {name.split("/")[0] for name in [*files, *precached(out / MARK)]}
    if any(name.removesuffix(".gz") not in known for name in there) or (there and MARK not in there):
        raise UserError(f"{out} holds files that are not of the page; name a new folder, or empty this one.")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as temporary:
            folder = Path(temporary) / "site"
            write_files(files, folder)
            put_in_place(folder, out, before=Path(temporary) / "before")
    except OSError as error:
        raise cannot_write(out, error) from error
    return out


def put_in_place(folder: Path, out: Path, *, before: Path) -> None:
    """Rename `folder` to `out`; a folder that was there goes to `before`, and comes back where that fails."""
    if out.exists():
        out.rename(before)
    try:
        folder.rename(out)
    except BaseException:
        if before.exists():
            before.rename(out)
        raise


def site_files() -> dict[str, bytes]:
    """The bytes of every file of the site by its path; the same inputs give the same bytes."""
    paths = [path.relative_to(PAGE) for path in sorted(PAGE.rglob("*")) if path.suffix in KINDS]
    hidden = [path for path in paths if any(part.startswith(".") for part in path.parts)]
    files = {path.as_posix(): (PAGE / path).read_bytes() for path in paths if path not in hidden}
    files["index.html"] = files["index.html"].replace(b"@POLICY@", meta_policy().encode())
    files |= {f"ort/{path.name}": path.read_bytes() for path in runtime_files()}
    files |= {f"{path.stem}.onnx": path.with_suffix(".onnx").read_bytes() for path in (DETECTOR, CLASSIFIER)}
    files |= sample_files()
    files["about.json"] = json.dumps(about(), separators=(",", ":")).encode()
    files[MARK] = precache(files)
    files["_headers"] = "\n".join(["/*", *(f"  {name}: {value}" for name, value in HEADERS.items()), ""]).encode()
    files["README.txt"] = README.encode()
    files["LICENSES.txt"] = licences().encode()
    return files


def licences() -> str:
    """This project's licence and that of onnxruntime-web, which has the same text and another owner."""
    ours = (ROOT / "LICENSE").read_text(encoding="utf-8")
    permission = ours[ours.index("Permission is hereby granted") :]
    notices = f"https://github.com/microsoft/onnxruntime/blob/v{wanted_runtime()}/ThirdPartyNotices.txt"
    theirs = f"MIT License\n\nCopyright (c) Microsoft Corporation\n\n{permission}"
    return f"{ours}\nThe folder ort (onnxruntime-web; what it holds of others: {notices}):\n\n{theirs}"


def meta_policy() -> str:
    """The policy inside the page, for hosts that set no headers; what only a header may say is left out.

    It does not bind the page's workers: those have the policy of the headers that their own script came with.
    """
    return "; ".join(f"{name} {value}" for name, value in POLICY.items() if name != "frame-ancestors")


def precache(files: Mapping[str, bytes]) -> bytes:
    """The script that tells sw.js of which version the page is, and what it needs offline.

    `files`: the integrity of each by its path, so that nothing else is kept. `gpu`: as `files`, 27 MB, which are kept
    once a GPU needed them.
    """
    digests = {name: hashlib.sha256(files[name]).digest() for name in sorted(files)}
    version = hashlib.sha256(b"".join(name.encode() + digest for name, digest in digests.items())).hexdigest()[:16]
    integrity = {name: f"sha256-{base64.b64encode(digest).decode()}" for name, digest in digests.items()}
    integrity = {"./": integrity["index.html"]} | integrity
    del integrity["sw.js"]
    gpu = {name: integrity.pop(name) for name in [f"ort/{name}" for name in GPU_FILES] if name in integrity}
    return f"self.PRECACHE = {json.dumps({'version': version, 'files': integrity, 'gpu': gpu})};\n".encode()


def precached(script: Path) -> list[str]:
    """The files that a `precache` of an earlier version names; none where it is not one."""
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
        value = json.loads(script.read_text("utf-8").partition(" = ")[2].rstrip(";\n"))
        return [str(name) for name in value["files"]]
    return []


def write_files(files: Mapping[str, bytes], folder: Path) -> None:
    """Write every file, the large ones a second time, compressed as X.gz."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        if len(content) >= LARGE:
            path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(content, 6, mtime=0))


def sample_files() -> dict[str, bytes]:
    """The wall and the prints of the bundled sample as pictures; the page moves them as Python does."""
    height, width = sample.DEFAULT_SIZE_HW
    files = {"sample/wall.webp": webp(cv2.cvtColor(sample._wall((height, width)), cv2.COLOR_RGB2BGR))}
    for i, photo in enumerate(sample.PHOTOS):
        print_rgba = sample._sprite(photo, max(8, round(photo.size * min(height, 0.75 * width))))
        alpha = np.maximum(print_rgba[..., 3:], 1).astype(np.float32) / 255  # browsers multiply by it themselves
        straight = np.dstack(
            [np.clip(print_rgba[..., :3] / alpha, 0, 255).round().astype(np.uint8), print_rgba[..., 3]]
        )
        files[f"sample/{i}.webp"] = webp(cv2.cvtColor(straight, cv2.COLOR_RGBA2BGRA))
    return files


def webp(image_bgr: np.ndarray) -> bytes:
    """A picture (H, W, 3 or 4) uint8 BGR or BGRA as a .webp file."""
    return cv2.imencode(".webp", image_bgr, [cv2.IMWRITE_WEBP_QUALITY, WEBP_QUALITY])[1].tobytes()
