"""The benchmark with tiny settings: everything measured is on stdout, in the JSON and in the picture."""

from __future__ import annotations

import json
import subprocess
import sys

import cv2
import pytest
from helpers.paths import ROOT

from evaluation.speed import __main__ as benchmark
from evaluation.speed import live_loop, processes
from evaluation.speed.stage_times import STAGES
from models.classifier import Classifier
from pipeline.run import EmotionPipeline
from retinaface.detector import RetinaFace
from support import UserError

TINY = ["--faces", "2", "--sizes", "320x240", "--seconds", "0.05", "--device", "cpu"]


def test_everything_is_measured_and_written(tmp_path, capsys, monkeypatch):
    plain = {"fps": 0.5, "frame_ms": {"median": 2000.0, "p95": 2100.0, "count": 3}}
    commands = []

    def output_of(command, *, without):
        commands.append((command, without))
        return json.dumps([plain])

    monkeypatch.setattr(live_loop, "WARM_UP_S", 0.0)
    monkeypatch.setattr(processes, "output_of", output_of)
    monkeypatch.setattr(
        processes, "start_up", lambda flags: dict.fromkeys(("first_s", "live_s", "imports_s", "ratio"), 1.0)
    )
    monkeypatch.setattr(processes, "memory", lambda flags: None)
    assert benchmark.main([*TINY, "--compare", "batch-face", "--out", str(tmp_path)]) == 0

    report = json.loads((tmp_path / "benchmark.json").read_text())
    (scene,) = report["scenes"]
    assert (scene["size"], scene["faces"]) == ("320x240", 2)
    assert scene["found"] == {"fewest": 2, "most": 2}
    assert tuple(scene["stages_ms"]) == STAGES
    assert min(scene["live"]["fps"], scene["file"]["fps"]) > 0
    assert scene["lag"]["p95_ms"] >= scene["lag"]["p50_ms"] > 0
    assert scene["plain"] == plain
    assert report["settings"]["faces"] == [2]
    assert report["versions"]["numpy"]
    assert report["machine"]["processor"]
    assert report["memory"] is None
    ((command, without),) = commands
    assert command[1:3] == ["-m", "evaluation.speed.baseline_loop"]
    assert "OMP_WAIT_POLICY" in without
    assert cv2.imread(str(tmp_path / "benchmark.png")).shape[1] > 800
    assert sorted(path.name for path in tmp_path.iterdir()) == ["benchmark.json", "benchmark.png"]
    said = capsys.readouterr()
    assert said.out.count("\n320x240") == 2
    assert "320x240 with 2 faces" in said.err


def test_the_engine_is_the_one_that_runs():
    pipeline = EmotionPipeline(RetinaFace.from_file(engine="torch"), Classifier.from_file(engine="torch"))
    assert benchmark.engine_of(pipeline) == "torch on cpu"
    pytest.importorskip("onnxruntime")
    pipeline.classifier = Classifier.from_file(engine="onnx")
    assert benchmark.engine_of(pipeline) == "torch (faces) and ONNX Runtime (expressions) on cpu"


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--faces"], "one value or more"),
        (["--faces", "-1"], "0 or more"),
        (["--seconds", "0"], "above 0"),
        (["--sizes", "vga"], "640x480"),
    ],
)
def test_what_cannot_be_measured_is_refused_at_once(argv, said, tmp_path):
    with pytest.raises(UserError, match=said):
        benchmark.main([*argv, "--out", str(tmp_path)])


def test_help_needs_no_torch():
    code = (
        "import sys; from evaluation import benchmark; assert not {'torch', 'cv2', 'matplotlib'} & sys.modules.keys()"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
