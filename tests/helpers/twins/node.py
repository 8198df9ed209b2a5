"""Node.js, which runs the page's modules that need no browser."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers.paths import ROOT

from web.about import about


def node(*argv: str, text: str | None = None, cwd: Path = ROOT) -> str:
    """What Node.js prints; the test fails with what it says where it fails, and is skipped where it is not."""
    if shutil.which("node") is None:
        pytest.skip("needs Node.js")
    done = subprocess.run(["node", *argv], cwd=cwd, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def twin(script: str, values: object) -> list:
    """The JSON that a module's code makes of JSON values, which it finds in `values`; `about` is about.json."""
    code = (
        "const { values, about } = JSON.parse(await new Response(process.stdin).text());\n"
        f"{script}\nconsole.log(JSON.stringify(result));"
    )
    return json.loads(
        node("--input-type=module", "-e", code, text=json.dumps({"values": values, "about": about()}), cwd=ROOT / "web")
    )


def as_frame(frame_rgb: np.ndarray) -> dict:
    """A frame (H, W, 3) uint8 RGB as JSON values, of which `FRAME_OF` makes one of the page's."""
    rgba = base64.b64encode(cv2.cvtColor(frame_rgb, cv2.COLOR_RGB2RGBA).tobytes()).decode()
    return {"rgba": rgba, "height": frame_rgb.shape[0], "width": frame_rgb.shape[1]}


FRAME_OF = """
const frameOf = ({ rgba, width, height }) =>
  ({ rgba: new Uint8ClampedArray(Buffer.from(rgba, "base64")), width, height });
"""
