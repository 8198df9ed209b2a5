"""live.py as a person runs it: a process, its exit code, its files and what it prints."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys

import cv2
import numpy as np
import pytest
from helpers.paths import ROOT

import live
from data.emotions import EMOTIONS
from models.checkpoint import SHIPPED
from pipeline.options import PredictOptions
from pipeline.run import EmotionPipeline
from retinaface.detector import RetinaFace
from support import VERSION, UserError

NO_SCREEN = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY")}


def run_live(*argv: str, cwd) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, str(ROOT / "live.py"), "--device", "cpu", *argv],
        cwd=cwd, env=NO_SCREEN, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_the_sample_is_recorded_logged_and_printed(tmp_path):
    done = run_live("--source", "sample", "--save", "out.mp4", "--log", "out.csv", "--max-frames", "12", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "no window opens" in done.stderr  # it works as with --no-show and says so
    rows = list(csv.DictReader((tmp_path / "out.csv").read_text().splitlines()))
    expected = ["time_s", "frame", "face", "track", "x1", "y1", "x2", "y2", "score", "label", "confidence"]
    expected += [f"p_{name}" for name in EMOTIONS]
    assert list(rows[0]) == expected
    assert {int(row["frame"]) for row in rows} == set(range(12))
    assert len(rows) == len(done.stdout.splitlines()) >= 24  # one row and one line a face and frame; several faces
    for row in rows:
        assert sum(float(row[f"p_{name}"]) for name in EMOTIONS) == pytest.approx(1, abs=1e-4)
        assert float(row["confidence"]) == max(float(row[f"p_{name}"]) for name in EMOTIONS)
    film = cv2.VideoCapture(str(tmp_path / "out.mp4"))
    assert (film.get(cv2.CAP_PROP_FRAME_COUNT), film.get(cv2.CAP_PROP_FPS)) == (12, 30)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.csv", "out.mp4"]


def test_a_folder_of_pictures_with_a_fault_among_them(tmp_path, portrait):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, image in (("b ü.png", portrait), ("a.jpg", portrait[:, ::-1]), ("none.png", np.zeros((40, 40, 3)))):
        data = cv2.imencode(os.path.splitext(name)[1], np.ascontiguousarray(image[..., ::-1]))[1]
        (folder / name).write_bytes(data.tobytes())
    (folder / "broken.jpg").write_bytes(b"no picture")
    done = run_live("--source", str(folder), "--log", "out.jsonl", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "broken.jpg" in done.stderr
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert len(rows) == 2
    assert {row["label"] for row in rows} == {"happiness"}
    assert {row["track"] for row in rows} == {None}
    assert done.stdout.startswith("a.jpg  face 0  looks like happiness")


@pytest.mark.parametrize(
    ("argv", "code", "words"),
    [
        (["--source", "none.mp4"], 2, "none.mp4"),
        (["--source", "9"], 1, "camera 9"),
        (["--weights", "none.safetensors"], 2, "no file none.safetensors"),
        (["--detector-weights", "none.pth"], 2, "none.pth"),
        (["--device", "tpu"], 2, "--device takes"),
        (["--explainer", "lime"], 2, "the explainers are gradcam"),
        (["--explain-class", "joy"], 2, "its classes are neutral"),
        (["--conf", "7"], 2, "--conf: wanted a number from 0 to 1"),
        (["--max-faces", "0"], 2, "--max-faces"),
        (["--every", "0"], 2, "--every"),
        (["--alpha", "1.1"], 2, "--alpha"),
        (["--imgsz", "-1"], 2, "--imgsz"),
        (["--save", "out.gif"], 2, ".mp4"),
        (["--log", "out.xls"], 2, ".csv"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_bad_input_is_one_sentence_and_a_code(argv, code, words, tmp_path):
    source = [] if "--source" in argv else ["--source", "sample"]
    done = run_live(*source, *argv, "--no-show", "--max-frames", "1", cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    errors = [line for line in done.stderr.splitlines() if "error: " in line]
    assert len(errors) == 1
    assert words in errors[0]


@pytest.mark.long
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_finishes_the_files(tmp_path, stop):
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "live.py"), "--device", "cpu", "--source", "sample", "--no-show",
         "--save", "o.mp4", "--log", "o.csv"],
        cwd=tmp_path, env=NO_SCREEN, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a test run in the background ignores it
    )  # fmt: skip
    try:
        for _ in range(20):
            assert process.stdout.readline()
        process.send_signal(stop)
        _, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 130, err
    assert "Traceback" not in err
    rows = list(csv.DictReader((tmp_path / "o.csv").read_text().splitlines()))
    film = cv2.VideoCapture(str(tmp_path / "o.mp4"))
    frames = int(film.get(cv2.CAP_PROP_FRAME_COUNT))
    assert frames > 0
    assert abs(frames - 1 - max(int(row["frame"]) for row in rows)) <= 1
    assert film.read()[0]


def test_auto_is_the_cpu_where_no_gpu_or_no_torch_is_there(monkeypatch, capsys):
    monkeypatch.setattr(live, "pick_device", lambda wanted: f"picked {wanted}")
    monkeypatch.setattr(live, "gpu_possible", lambda: False)
    assert (live.device_for("auto"), live.device_for("cpu")) == ("cpu", "cpu")
    assert live.device_for("cuda") == "picked cuda"
    monkeypatch.setattr(live, "gpu_possible", lambda: True)
    assert live.device_for("auto") == "picked auto"
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(live.importlib.util, "find_spec", lambda name: None)
    assert live.device_for("auto") == "cpu"
    assert "torch is not installed" in capsys.readouterr().err


def test_what_needs_torch_says_so_where_it_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(UserError, match=r"live\.py needs the package torch, which is not installed; run pip") as error:
        live.main(["--source", "sample", "--no-show", "--device", "cpu", "--engine", "torch", "--max-frames", "1"])
    assert error.value.exit_code == 1


def test_flags_reach_the_networks_and_the_options():
    settings = live.Settings(
        imgsz=320, conf=0.25, max_faces=3, weights=[str(SHIPPED)] * 2, tta=True, explainer="none",
        explain_class="anger", smooth_s=0.0,
    )  # fmt: skip
    pipeline = live.build_pipeline(settings, "cpu")
    detector = pipeline.detector
    assert isinstance(detector, RetinaFace)
    assert (detector.imgsz, detector.conf, detector.max_faces) == (320, 0.25, 3)
    whole = live.build_pipeline(live.Settings(imgsz=0), "cpu").detector
    assert isinstance(whole, RetinaFace)
    assert whole.imgsz is None
    assert pipeline.classifier.name == "small_resnet18_w32 + small_resnet18_w32"
    assert pipeline.options == PredictOptions(explainer=None, explain_class="anger", tta=True, smooth_s=0.0)


def test_former_names_of_flags_still_work(monkeypatch, capsys):
    seen = []
    monkeypatch.setattr(live, "build_pipeline", lambda settings, device: seen.append(settings))
    monkeypatch.setattr(live.signal, "signal", lambda *arguments: None)
    argv = ["--explain", "gradcam++", "--smooth", "1", "--device", "cpu", "--source", "none.mp4"]
    with pytest.raises(UserError, match=r"none\.mp4"):
        live.main(argv)
    assert (seen[0].explainer, seen[0].smooth_s) == ("gradcam++", 1.0)


@pytest.mark.parametrize("log", [None, "no log.xls"])
def test_the_pipeline_is_closed_at_the_end_and_on_an_error(log, tmp_path, monkeypatch):
    closed = []

    class Detector:
        def __call__(self, frames):
            return [[] for _ in frames]

        def close(self):
            closed.append(True)

    classifier = EmotionPipeline.from_files().classifier
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(live, "build_pipeline", lambda settings, device: EmotionPipeline(Detector(), classifier))
    monkeypatch.setattr(live.signal, "signal", lambda *arguments: None)
    settings = live.Settings(source="sample", device="cpu", show=False, max_frames=2, log=log)
    if log:
        with pytest.raises(UserError, match=r"\.csv"):
            live.run(settings)
    else:
        assert live.run(settings) == 0
    assert closed == [True]


def test_version_and_cameras(tmp_path):
    done = run_live("--version", cwd=tmp_path)
    assert done.stdout == f"live.py {VERSION}\n"
    done = run_live("--list-cameras", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.strip() == "no camera answers" or " x " in done.stdout


def test_output_may_be_cut_off_by_a_reader(tmp_path):
    command = f"{sys.executable} {ROOT / 'live.py'} --device cpu --source sample --no-show --max-frames 30 | head -n 1"
    script = ["bash", "-c", f"set -o pipefail; {command}"]
    done = subprocess.run(script, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stdout.splitlines()) == 1
