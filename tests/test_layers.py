"""Who imports whom: arrows point downwards only, and help answers without torch."""

from __future__ import annotations

import ast
import subprocess
import sys
import time

import pytest
from conftest import ROOT

# Each part and the parts it may import; all may import `support`, which imports none.
ALLOWED = {
    "support": set(),
    "data": set(),
    "retinaface": set(),
    "models": {"gradcam"},  # a classifier explains itself, in the engine that it runs in
    "gradcam": set(),
    "pipeline": {"data", "retinaface", "models", "gradcam"},
    "evaluation": {"data", "retinaface", "models", "gradcam", "pipeline"},
    "live": {"data", "retinaface", "models", "gradcam", "pipeline"},
    "train": {"data", "models", "evaluation"},
}
FILES = sorted(path for part in ALLOWED for path in [*ROOT.glob(f"{part}.py"), *ROOT.glob(f"{part}/**/*.py")])


def part_of(path) -> str:
    return path.relative_to(ROOT).with_suffix("").parts[0]


def imported_parts(path) -> set[str]:
    """The project's own parts that the file imports, at its top or inside a function."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(node.module.split(".")[0])
    return names & ALLOWED.keys()


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_downwards(path):
    part = part_of(path)
    climbing = imported_parts(path) - ALLOWED[part] - {part, "support"}
    assert not climbing, f"{path.relative_to(ROOT)} is part of {part} and must not import {', '.join(sorted(climbing))}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_test_file_stands_beside_each_code_file(path):
    if path.name == "__init__.py" and path.parent.name != "datasets":
        pytest.skip("names things, does nothing")
    tests = {test.stem for test in (ROOT / "tests").glob("test_*.py")}
    stem = path.parent.name if path.name == "__init__.py" else path.stem
    wanted = {f"test_{stem}", f"test_{path.parent.name}_{stem}", f"test_{path.parent.name}"}
    assert wanted & tests, f"{path.relative_to(ROOT)} has none of {', '.join(sorted(wanted))} in tests/"


@pytest.mark.parametrize("door", ["live.py", "train.py"])
def test_help_answers_at_once_and_imports_no_torch(door):
    code = (
        "import runpy, sys\n"
        f"sys.argv = [{door!r}, '--help']\n"
        "try: runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "except SystemExit as leave: assert not leave.code\n"
        "assert not {'torch', 'cv2', 'numpy', 'pandas'} & sys.modules.keys(), 'heavy imports'\n"
    )
    seconds = []
    for _ in range(2):  # the first run may compile
        started = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
        seconds.append(time.perf_counter() - started)
        assert done.returncode == 0, done.stderr
        assert "usage" in done.stdout
    assert min(seconds) < 0.5


def test_the_first_frame_needs_no_torch(tmp_path):
    argv = [str(ROOT / "live.py"), "--source", "sample", "--device", "cpu", "--no-show", "--max-frames", "1"]
    code = (
        "import runpy, sys\n"
        f"sys.argv = {argv}\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "try: runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "except SystemExit as leave: assert not leave.code\n"
        "assert 'onnxruntime' in sys.modules, 'the networks do not run in ONNX Runtime'\n"
        "heavy = {'torch', 'torchvision', 'onnx', 'pandas', 'matplotlib'} & sys.modules.keys()\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "looks like" in done.stdout
