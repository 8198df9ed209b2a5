"""The benchmark with tiny settings: everything measured is on stdout, in the JSON and in the picture."""

from __future__ import annotations

import json

import cv2
import pytest

from evaluation.speed import benchmark, live_loop
from evaluation.speed.benchmark import Settings, engine_of, run
from evaluation.speed.stage_times import STAGES
from models.classifier import Classifier
from pipeline.run import EmotionPipeline
from retinaface.detector import RetinaFace


@pytest.mark.thorough
def test_everything_is_measured_and_written(tmp_path, capsys, monkeypatch):
    baseline = {"fps": 0.5, "frame_ms": {"median": 2000.0, "p95": 2100.0, "count": 3}}
    commands = []

    def output_of(command, *, without):
        commands.append((command, without))
        return json.dumps([baseline])

    start_up = dict.fromkeys(("first_s", "live_s", "imports_s", "ratio"), 1.0)
    monkeypatch.setattr(live_loop, "WARM_UP_S", 0.0)
    monkeypatch.setattr(benchmark, "output_of", output_of)
    monkeypatch.setattr(benchmark, "start_up", lambda flags: start_up)
    monkeypatch.setattr(benchmark, "memory", lambda flags: None)
    settings = Settings(
        faces=[2], sizes=["320x240"], seconds=0.05, device="cpu", compare="public.pth", out=str(tmp_path)
    )
    assert run(settings) == 0

    report = json.loads((tmp_path / "benchmark.json").read_text())
    (scene,) = report["scenes"]
    assert (scene["size"], scene["faces"]) == ("320x240", 2)
    assert scene["detected"] == {"fewest": 2, "most": 2}
    assert tuple(scene["stages_ms"]) == STAGES
    assert min(scene["live"]["fps"], scene["file"]["fps"]) > 0
    assert scene["lag"]["p95_ms"] >= scene["lag"]["p50_ms"] > 0
    assert scene["baseline"] == baseline
    assert report["settings"]["faces"] == [2]
    assert report["versions"]["numpy"]
    assert report["machine"]["processor"]
    assert report["memory"] is None
    ((command, without),) = commands
    assert command[1:3] == ["-m", "evaluation.speed.baseline_loop"]
    assert command[command.index("--detector-weights") + 1] == "public.pth"
    assert "OMP_WAIT_POLICY" in without
    assert cv2.imread(str(tmp_path / "benchmark.png")).shape[1] > 800
    assert sorted(path.name for path in tmp_path.iterdir()) == ["benchmark.json", "benchmark.png"]
    printed = capsys.readouterr()
    assert printed.out.count("\n320x240") == 2
    assert "320x240 with 2 faces" in printed.err


def test_the_engine_is_the_one_that_runs(monkeypatch):
    pipeline = EmotionPipeline(RetinaFace.from_file(engine="torch"), Classifier.from_file(engine="torch"))
    assert engine_of(pipeline) == "torch on cpu"
    monkeypatch.setattr(RetinaFace, "computing", "float16 in the backbone, channels-last")  # as on cuda
    assert engine_of(pipeline) == "torch on cpu; faces: float16 in the backbone, channels-last"
    monkeypatch.undo()
    pytest.importorskip("onnxruntime")
    pipeline = EmotionPipeline(RetinaFace.from_file(engine="torch"), Classifier.from_file(engine="onnx"))
    assert engine_of(pipeline) == "torch (faces) and ONNX Runtime (expressions) on cpu"
