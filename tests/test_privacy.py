"""Nothing leaves the machine, and nothing is left on it but what was asked for: every command under a tracer.

strace sees what libraries do behind Python's back, as ONNX Runtime's telemetry did: its wheel wrote a device id into
the home folder and looked a host up, but only after some hundred frames. So live.py runs for a thousand.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import tiny_detector_runs
from helpers.paths import ROOT
from helpers.patience import PATIENCE_S
from helpers.tiny_runs import FLAGS, TINY, make_learnable

from models.checkpoint import SHIPPED

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed"),
]

CALLS = "trace=connect,sendto,sendmsg,sendmmsg,bind,open,openat,creat,mkdir,mkdirat"
STRACE = ("strace", "-f", "--seccomp-bpf", "-q", "-e", CALLS, "-o")
ADDRESS = re.compile(r'sa_family=AF_INET6?,.*?"([^"]+)"')
OPENED = re.compile(r'\b(?:open|openat)\([^"]*"([^"]+)", [^)]*O_(?:WRONLY|RDWR|CREAT)')
MADE = re.compile(r'\b(?:creat|mkdir|mkdirat)\([^"]*"([^"]+)"')
NOT_INHERITED = ("ORT_DISABLE_TELEMETRY", "MPLCONFIGDIR", "TORCHINDUCTOR_CACHE_DIR", "DISPLAY")


def traced(argv: list[str], folder: Path, *, cwd: Path | None = None, **environment: str) -> tuple[set[str], set[str]]:
    """Addresses other than loopback's that a Python command used, and what it wrote elsewhere than in folder/out.

    cwd: where the command runs, by default `folder`. Temporary files may come and go; the checkout's .cache may be
    filled.
    """
    home, temporary, trace = folder / "home", folder / "tmp", folder / "trace.txt"
    home.mkdir()
    temporary.mkdir()
    inherited = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
    own = {"HOME": str(home), "TMPDIR": str(temporary), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(ROOT)}
    command = [*STRACE, str(trace), sys.executable, *argv]
    done = subprocess.run(command, cwd=cwd or folder, env=inherited | own | environment, capture_output=True, text=True,
                          check=False, timeout=PATIENCE_S)  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = trace.read_text(errors="replace").splitlines()
    addresses = {match[1] for line in lines if (match := ADDRESS.search(line))}
    succeeded = [line for line in lines if " = -1 " not in line]
    written = {
        os.path.normpath((cwd or folder) / match[1])
        for line in succeeded
        if (match := OPENED.search(line) or MADE.search(line))
    }
    allowed = (f"{folder}/out", str(temporary), str(ROOT / ".cache"), "/dev/", "/proc/")
    left = {str(path) for path in (*home.rglob("*"), *temporary.rglob("*"))}
    return (
        {address for address in addresses if not address.startswith(("127.", "::1"))},
        {path for path in written if not path.startswith(allowed)} | left,
    )


NOTEBOOKS = """
import json, pathlib, sys
root = pathlib.Path(sys.argv[1])
sys.path[:0] = [str(root), str(root / "notebooks")]
for path in sorted((root / "notebooks").glob("*.ipynb")):
    names = {}
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(line for line in cell["source"] if not line.startswith("%")), names)
"""
SERVER = """
import pathlib, sys, urllib.request
sys.path.insert(0, sys.argv[1])
import support
from web.export import export
from web.serve import MIME_TYPES, Site
folder = export(pathlib.Path(sys.argv[2]) / "page")
with Site(folder, port=0) as site:
    for path in sorted(folder.rglob("[!.]*")):
        if path.suffix in MIME_TYPES:
            urllib.request.urlopen(site.address + path.relative_to(folder).as_posix()).read()
"""


def live(folder: Path, out: Path) -> list[str]:
    return [str(ROOT / "live.py"), "--source", "sample", "--no-show", "--max-frames", "1000", "--quiet",
            "--log", str(out / "seen.csv"), "--save", str(out / "seen.mp4")]  # fmt: skip


def report(folder: Path, out: Path) -> list[str]:
    (out / "seen.csv").write_text("time_s,frame,face,track,p_happy,p_sad,source\n0.0,0,0,1,0.5,0.5,a.mp4\n")
    return ["-m", "pipeline.output.report", str(out / "seen.csv"), "--out", str(out / "page")]


def train(folder: Path, out: Path, *more: str) -> list[str]:
    data = make_learnable(folder / "data")
    return [str(ROOT / "train.py"), "--data-path", str(data), "--out", str(out / "run"), *FLAGS, *more]


def on_faces(module: str, *more: str) -> Callable[[Path, Path], list[str]]:
    """A command of evaluation, on the test split of a small data set."""

    def argv(folder: Path, out: Path) -> list[str]:
        data = make_learnable(folder / "data")
        return ["-m", module, "--data-path", str(data), "--split", "test", "--out", str(out / "scores"), *more]

    return argv


def detector(folder: Path, out: Path) -> list[str]:
    from skimage.data import astronaut

    data = tiny_detector_runs.make_annotated(folder / "data", astronaut())
    flags = ["--steps", "4", "--save-every", "2", "--tensorboard"]
    return ["-m", "retinaface.training", *tiny_detector_runs.files_of(data), "--out", str(out / "run"),
            *tiny_detector_runs.FLAGS, *flags]  # fmt: skip


def notebooks(folder: Path, out: Path) -> list[str]:
    (out / "notebooks").mkdir()
    return ["-c", NOTEBOOKS, str(ROOT)]


DOORS: dict[str, Callable[[Path, Path], list[str]]] = {
    "export": lambda folder, out: ["-m", "models.export", "--weights", str(SHIPPED), "--out", str(out / "x.onnx")],
    "report": report,
}
THOROUGH_DOORS: dict[str, Callable[[Path, Path], list[str]]] = {  # half a minute
    "live": live,
    "train": lambda folder, out: train(folder, out, *TINY, "--tensorboard"),
    "evaluation": on_faces("evaluation.classification"),
    "web server": lambda folder, out: ["-c", SERVER, str(ROOT), str(out)],
}
MORE_DOORS: dict[str, Callable[[Path, Path], list[str]]] = {  # minutes: make privacy
    "notebooks": notebooks,
    "detector training": detector,
    "detector export": lambda folder, out: ["-m", "retinaface.export", "--out", str(out / "x.onnx")],
    "timm": lambda folder, out: train(folder, out, "--model", "timm/mobilenetv3_small_050", "--epochs", "1"),
    "explanations": on_faces("evaluation.explanations", "--limit", "8"),
    "data check": lambda folder, out: ["-m", "data.check", str(make_learnable(folder / "data"))],
}


@pytest.mark.parametrize(
    "name", [*DOORS, *(pytest.param(name, marks=pytest.mark.thorough) for name in THOROUGH_DOORS | MORE_DOORS)]
)
def test_nothing_leaves_the_machine_and_nothing_stays_behind(name, tmp_path):
    if name in MORE_DOORS and "ALL_DOORS" not in os.environ:
        pytest.skip("takes a minute; make privacy")
    (tmp_path / "out").mkdir()
    argv = (DOORS | THOROUGH_DOORS | MORE_DOORS)[name](tmp_path, tmp_path / "out")
    cwd = tmp_path / "out/notebooks" if name == "notebooks" else tmp_path
    addresses, written = traced(argv, tmp_path, cwd=cwd, MPLBACKEND="Agg")
    assert not addresses
    assert not written


def test_the_tracer_sees_what_a_command_does(tmp_path):
    """What the test above would have to see: an address, files at home and elsewhere, a temporary file left over."""
    script = (
        "import os, pathlib, socket, tempfile\n"
        "for host in ('192.0.2.1', '127.0.0.1'):\n"
        "    try: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect((host, 53))\n"
        "    except OSError: pass\n"
        "places = pathlib.Path.home() / 'a', os.environ['ELSEWHERE'], 'b', tempfile.gettempdir() + '/c', 'out/d'\n"
        "for place in places: pathlib.Path(place).write_text('x')\n"
    )
    (tmp_path / "out").mkdir()
    addresses, written = traced(["-c", script], tmp_path, ELSEWHERE=str(tmp_path / "elsewhere"))
    assert addresses == {"192.0.2.1"}
    assert written == {str(tmp_path / name) for name in ("home/a", "elsewhere", "b", "tmp/c")}
