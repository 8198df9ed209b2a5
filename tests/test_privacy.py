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
from pathlib import Path

import pytest
from helpers.paths import ROOT
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


def traced(argv: list[str], folder: Path, **environment: str) -> tuple[set[str], set[str]]:
    """Addresses other than loopback's that a Python command used, and what it wrote elsewhere than in folder/out.

    Temporary files may come and go; the checkout's .cache may be filled.
    """
    home, temporary, trace = folder / "home", folder / "tmp", folder / "trace.txt"
    home.mkdir()
    temporary.mkdir()
    inherited = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
    own = {"HOME": str(home), "TMPDIR": str(temporary), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(ROOT)}
    command = [*STRACE, str(trace), sys.executable, *argv]
    done = subprocess.run(command, cwd=folder, env=inherited | own | environment, capture_output=True, text=True,
                          check=False, timeout=600)  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = trace.read_text(errors="replace").splitlines()
    addresses = {match[1] for line in lines if (match := ADDRESS.search(line))}
    succeeded = [line for line in lines if " = -1 " not in line]
    written = {str(folder / match[1]) for line in succeeded if (match := OPENED.search(line) or MADE.search(line))}
    allowed = (f"{folder}/out", str(temporary), str(ROOT / ".cache"), "/dev/", "/proc/")
    left = {str(path) for path in (*home.rglob("*"), *temporary.rglob("*"))}
    return (
        {address for address in addresses if not address.startswith(("127.", "::1"))},
        {path for path in written if not path.startswith(allowed)} | left,
    )


def argv_of(name: str, folder: Path) -> list[str]:
    """The arguments of a command that writes into folder/out alone."""
    out = folder / "out"
    out.mkdir()
    if name == "live":
        return [str(ROOT / "live.py"), "--source", "sample", "--no-show", "--max-frames", "1000", "--quiet",
                "--log", str(out / "seen.csv"), "--save", str(out / "seen.mp4")]  # fmt: skip
    if name == "train":
        data = make_learnable(folder / "data")
        flags = ["--data-path", str(data), "--out", str(out / "run"), *FLAGS, *TINY, "--tensorboard"]
        return [str(ROOT / "train.py"), *flags]
    if name == "export":
        return ["-m", "models.export", "--weights", str(SHIPPED), "--out", str(out / "x.onnx")]
    data = make_learnable(folder / "data")
    return [
        "-m",
        "evaluation.classification",
        "--data-path",
        str(data),
        "--split",
        "test",
        "--out",
        str(out / "scores"),
    ]


@pytest.mark.parametrize("name", ["live", "train", "export", "evaluation"])
def test_nothing_leaves_the_machine_and_nothing_stays_behind(name, tmp_path):
    addresses, written = traced(argv_of(name, tmp_path), tmp_path)
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
