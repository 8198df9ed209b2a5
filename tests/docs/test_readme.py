"""The commands of the README, in their order, as they are pasted: each ends well, on a tiny set of data.

What only costs time is made smaller by flags behind the pasted ones; names that stand for a person's own files
(DIR, film.mp4, pictures/ ...) are such files. Commands of the set-up are compared with what `make` would run.
"""

from __future__ import annotations

import importlib
import os
import re
import runpy
import shlex
import shutil
import subprocess

import cv2
import numpy as np
import pytest
from helpers.paths import ROOT
from helpers.tiny_detector_runs import FLAGS as DETECTOR_FLAGS
from helpers.tiny_detector_runs import make_annotated
from helpers.tiny_runs import make_learnable

from data.sources.sample import portrait, sample_frame
from pipeline.output import window
from pipeline.output.film import VideoWriter

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
FENCES = re.findall(r"^```(\w*)\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
BLOCKS = [block for language, block in FENCES if not language]
COMMANDS = [
    line.split("  #")[0].strip() for block in BLOCKS for line in block.splitlines() if line.startswith("python ")
]
SETUP = ("python -m venv .venv", "python live.py --ask --blur")  # the latter waits for a person
SMALLER = {
    "live.py": "--max-frames 3 --no-show --device cpu",
    "train.py": "--epochs 1 --model tiny_cnn --batch-size 8 --device cpu --threads 1",
    "evaluation.explanations": "--limit 4 --steps 3 --rounds 1 --explainers gradcam "
    "--weights runs/mine/best.safetensors",
    "retinaface.training": f"--steps 2 --out runs/detector {' '.join(DETECTOR_FLAGS)}",
    "web": "--out page --no-open",
}


def test_the_first_screen_is_a_sentence_two_commands_and_a_picture():
    top = TEXT.split("\n## ")[0]
    assert BLOCKS[0].splitlines() == ["git clone <this repository> expressions && cd expressions", "make live"]
    assert top.index("make live") < top.index("(docs/pictures/live.webp)") < 700


@pytest.mark.skipif(os.name == "nt" or shutil.which("make") is None, reason="make, with bin/ as on Unix")
@pytest.mark.parametrize(
    ("target", "last"), [("live", "bin/python live.py"), ("sbom", "-m docs.make.sbom --out sbom.json")]
)
def test_make_sets_up_what_the_readme_says_and_starts(target, last, tmp_path):
    command = ["make", "-n", "--no-print-directory", target, f"VENV={tmp_path}/venv"]  # `make check` may run this
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    lines = [line.strip() for line in shown.stdout.splitlines() if line.strip()]
    assert any("requirements-live.txt" in line for line in lines)
    assert not any("requirements.txt" in line for line in lines)  # no torch
    assert lines[-1].endswith(last)


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """What the README takes a person to have."""
    folder = tmp_path_factory.mktemp("readme")
    make_learnable(folder / "DIR")
    make_annotated(folder / "detector", portrait())
    (folder / "pictures").mkdir()
    for name in ("holiday.jpg", "pictures/a.jpg"):
        cv2.imwrite(str(folder / name), portrait()[..., ::-1])
    with VideoWriter(folder / "film.mp4", 30) as film:
        for index in range(4):
            film.write(sample_frame(index), index / 30)
    return folder


def argv_of(command: str) -> tuple[str, list[str]]:
    """What runs, and its arguments, with the names of this test in the place of a person's."""
    words = shlex.split(command)[1:]
    name = words.pop(0)
    if name == "-m":
        name = words.pop(0)
    own = {"DIR": "detector" if name == "retinaface.training" else "DIR", "A.jsonl": "detector/a.jsonl",
           "FILE.safetensors": "runs/mine/best.safetensors"}  # fmt: skip
    more = SMALLER.get(name, "").split()
    return name, [own.get(word, word) for word in words] + more


@pytest.mark.long
def test_every_command_in_order(here, monkeypatch, capsys):
    monkeypatch.chdir(here)
    monkeypatch.setattr(window, "display_available", lambda: False)
    commands = [command for command in COMMANDS if command not in SETUP and command != "python live.py"]
    assert len(commands) > 12
    for command in commands:
        name, argv = argv_of(command)
        if name == "web" and not (ROOT / "web" / "node_modules" / "onnxruntime-web").is_dir():
            continue  # npm would fetch it
        file = ROOT / name
        if file.suffix == ".py":
            main = importlib.import_module(file.stem).main
        else:
            package = (ROOT / name.replace(".", "/")).is_dir()
            main = importlib.import_module(f"{name}.__main__" if package else name).main
        code = main(argv)
        assert code == 0, f"{command}: {code}\n{capsys.readouterr().err}"
    for made in ("seen.mp4", "seen.csv", "seen.jsonl", "seen/a.jpg", "runs/mine/best.onnx"):
        assert (here / made).stat().st_size > 0, made


def test_the_library_as_it_is_pasted(here, monkeypatch, capsys):
    monkeypatch.chdir(here)
    (code,) = [block for language, block in FENCES if language == "python" and "EmotionPipeline" in block]
    (here / "paste.py").write_text(code)
    names = runpy.run_path("paste.py")
    names["pipeline"].close()
    assert capsys.readouterr().out.startswith("happiness ")
    seen = cv2.imread("seen.png")
    assert np.abs(seen.astype(int) - portrait()[..., ::-1]).max() > 50


def test_results_of_an_archive_are_read_as_pasted(here, monkeypatch):
    pandas, duckdb = pytest.importorskip("pandas"), pytest.importorskip("duckdb")
    pytest.importorskip("pyarrow")
    from pipeline.archive.__main__ import main

    monkeypatch.chdir(here)
    assert main(["holiday.jpg", "--out", "results", "--jobs", "1", "--device", "cpu"]) == 0
    first, second = next(block for _, block in FENCES if "read_parquet" in block).strip().splitlines()
    names = {"pandas": pandas, "duckdb": duckdb}
    exec(first, names)
    assert names["faces"]["label"].tolist() == ["happiness"]
    assert eval(second, names).fetchall() == [("holiday.jpg", "happiness", 1)]
