"""Who imports whom: arrows point downwards only, never in a circle; tests mirror folders; help needs no torch."""

from __future__ import annotations

import ast
import functools
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.paths import ROOT

# Each part and the parts it may import; all may import `support`, which imports none.
ALLOWED = {
    "support": set(),
    "data": set(),
    "retinaface": set(),
    "gradcam": set(),
    "models": {"gradcam"},  # a classifier explains itself, in the engine that it runs in
    "pipeline": {"data", "retinaface", "models", "gradcam"},
    "evaluation": {"data", "retinaface", "models", "gradcam", "pipeline"},
    "web": {"data", "retinaface", "models", "gradcam", "pipeline"},
    "docs": {"data", "retinaface", "models", "gradcam", "pipeline", "evaluation"},
    "live": {"data", "retinaface", "models", "gradcam", "pipeline"},
    "train": {"data", "models"},
}
# What a live frame needs imports nothing that only a training needs.
TRAINING = ("retinaface.training", "models.training", "support.training")
LARGEST_FOLDER = 16  # files
FILES = sorted(path for part in ALLOWED for path in [*ROOT.glob(f"{part}.py"), *ROOT.glob(f"{part}/**/*.py")])
MODULES = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in FILES}


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imported_modules(path: Path, *, at_run_time: bool = False) -> set[str]:
    """The project's own modules that the file imports, at its top or inside a function.

    at_run_time: leave out what stands under `if TYPE_CHECKING`.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    if at_run_time:
        tree.body = [
            node for node in tree.body if not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test))
        ]
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names & MODULES.keys()


@functools.cache
def imports(*, at_run_time: bool = False) -> dict[str, set[str]]:
    """The project's own modules that each of them imports."""
    return {module: imported_modules(path, at_run_time=at_run_time) - {module} for module, path in MODULES.items()}


def test_imports_point_downwards():
    for module, imported in imports().items():
        part = module.split(".")[0]
        climbing = {other for other in imported if other.split(".")[0] not in ALLOWED[part] | {part, "support"}}
        assert not climbing, f"{module} is part of {part} and must not import {', '.join(sorted(climbing))}"


def test_live_code_imports_no_training_code():
    for module, imported in imports().items():
        if module == "train" or module.startswith((*TRAINING, "evaluation")):
            continue  # needs what a training needs
        wanted = {other for other in imported if other.startswith(TRAINING)}
        assert not wanted, f"{module} must not import {', '.join(sorted(wanted))}, which only a training needs"


def circle_from(start: str) -> list[str]:
    """A way from `start` along imports back to it, or nothing."""
    ways, seen = [[start]], set()
    for way in ways:
        for other in sorted(imports(at_run_time=True)[way[-1]]):
            if other == start:
                return [*way, start]
            if other not in seen:
                seen.add(other)
                ways.append([*way, other])
    return []


def test_no_import_circle():
    circles = {frozenset(way): way for module in MODULES if (way := circle_from(module))}
    assert not circles, "\n".join(" -> ".join(way) for way in circles.values())


def test_the_finder_of_circles_finds_one(monkeypatch):
    monkeypatch.setitem(imports(at_run_time=True), "support.files", {"support.weights"})
    assert circle_from("support.files")[0] == circle_from("support.files")[-1] == "support.files"


def test_a_test_file_mirrors_each_code_file():
    for path in FILES:
        if path.name == "__init__.py":
            tree = ast.parse(path.read_text(encoding="utf-8"))
            if not any(isinstance(node, ast.FunctionDef | ast.ClassDef) for node in tree.body):
                continue  # names things, does nothing
            stem = path.parent.name
        else:
            stem = {"__main__": "main"}.get(path.stem, path.stem)
        folder = ROOT / "tests" / path.relative_to(ROOT).parent
        wanted = [folder / f"test_{stem}.py", folder / f"test_{path.parent.name}.py"]  # of its own, or the folder's
        assert any(file.exists() for file in wanted), f"{name_of(path)} has none of {', '.join(map(name_of, wanted))}"


def test_no_folder_is_crowded():
    folders: dict[Path, int] = {}
    for path in FILES:
        folders[path.parent] = folders.get(path.parent, 0) + 1
    crowded = {name_of(folder): count for folder, count in folders.items() if count > LARGEST_FOLDER}
    assert not crowded, f"more than {LARGEST_FOLDER} files in one flat folder: {crowded}"


@pytest.mark.parametrize("door", ["live.py", "train.py"])
def test_help_imports_nothing_heavy(door):
    code = (
        "import runpy, sys\n"
        f"sys.argv = [{door!r}, '--help']\n"
        "try: runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "except SystemExit as leave: assert not leave.code\n"
        "assert not {'torch', 'cv2', 'numpy', 'pandas'} & sys.modules.keys(), 'heavy imports'\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "usage" in done.stdout


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
