"""live.py as a person runs it: a process, its exit code, its files and what it prints."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from unittest.mock import MagicMock, Mock

import cv2
import numpy as np
import pytest
from helpers.paths import ROOT
from helpers.patience import PATIENCE_S

import live
from data.sources.sample import PERIOD
from models.checkpoint import SHIPPED
from models.engines import TorchEngine
from pipeline.options import PredictOptions
from pipeline.output import window
from pipeline.run import EmotionPipeline
from retinaface.defaults import CONF
from retinaface.detector import RetinaFace
from support import VERSION, UserError
from support.emotions import EMOTIONS
from support.process import outcome_of

NO_SCREEN = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY")}


def run_live(*argv: str, cwd) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, str(ROOT / "live.py"), "--device", "cpu", *argv],
        cwd=cwd, env=NO_SCREEN, capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip


def test_the_sample_is_recorded_logged_and_printed(tmp_path):
    done = run_live("--source", "sample", "--save", "out.mp4", "--log", "out.csv", "--max-frames", "12", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "no window opens" in done.stderr  # it works as with --no-show and says so
    rows = list(csv.DictReader((tmp_path / "out.csv").read_text().splitlines()))
    expected = ["time_s", "frame", "face", "track", "x1", "y1", "x2", "y2", "score", "label", "confidence"]
    expected += [f"p_{name}" for name in EMOTIONS] + ["source", "problem"]
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
    assert "1 of 4 pictures and frames, in 1 file, could not be read" in done.stderr
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    found = sorted((row["frame"], row["source"], row["face"], bool(row["problem"])) for row in rows)
    assert found == [(0, "a.jpg", 0, False), (1, "b ü.png", 0, False), (2, "broken.jpg", None, True),
                     (3, "none.png", None, False)]  # fmt: skip
    rows = [row for row in rows if row["face"] is not None]
    assert {row["label"] for row in rows} == {"happiness"}
    assert {row["track"] for row in rows} == {None}
    assert done.stdout.startswith("a.jpg  face 0  looks like happiness")


@pytest.mark.parametrize(
    ("argv", "code", "words"),
    [
        (["--source", "none.mp4"], 2, "none.mp4"),
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
        (["--width", "1"], 2, "--width: wanted a whole number from 32 to 16384"),
        (["--fps", "1e300"], 2, "--fps"),
        (["--max-frames", "0"], 2, "--max-frames"),
        (["--source", "http://[::1"], 2, "is no address"),
        (["--source", "9" * 20], 2, "no camera 9"),
        (["--save", "out.gif"], 2, ".mp4"),
        (["--log", "out.xls"], 2, ".csv"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_bad_input_is_one_sentence_and_a_code(argv, code, words, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    source = [] if "--source" in argv else ["--source", "sample"]
    with pytest.raises((UserError, SystemExit)) as error:
        live.main([*source, "--device", "cpu", *argv, "--no-show", "--max-frames", "1"])
    sentence, found = outcome_of(error.value)
    assert found == code
    errors = [line for line in capfd.readouterr().err.splitlines() if "error: " in line] + [sentence] * bool(sentence)
    assert len(errors) == 1
    assert words in errors[0]


def test_the_process_ends_with_that_sentence_and_that_code(tmp_path):
    for source, code, words in (("none.mp4", 2, "none.mp4"), ("9", 1, "camera 9")):
        done = run_live("--source", source, "--no-show", "--max-frames", "1", cwd=tmp_path)
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        (sentence,) = (line for line in done.stderr.splitlines() if "error: " in line)
        assert words in sentence


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
    with pytest.raises(UserError, match=r"live\.py needs the package torch, which is not installed") as error:
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
    for imgsz, expected in ((0, None), (None, 640)):
        of_flag = live.build_pipeline(live.Settings(imgsz=imgsz), "cpu").detector
        assert isinstance(of_flag, RetinaFace)
        assert of_flag.imgsz == expected
    assert live.Settings().conf == CONF
    assert pipeline.classifier.name == "small_resnet18_w32 + small_resnet18_w32"
    assert pipeline.options == PredictOptions(explainer=None, explain_class="anger", tta=True, smooth_s=0.0)


@pytest.mark.parametrize(
    ("flags", "allowed"), [({}, True), ({"amp": False}, False), ({"log": "a.csv"}, False), ({"report": "a"}, False)]
)
def test_what_is_kept_is_computed_in_float32(monkeypatch, flags, allowed):
    asked = []
    monkeypatch.setattr(TorchEngine, "warm_up", lambda self, crop_size, *, amp: asked.append(amp))
    live.build_pipeline(live.Settings(engine="torch", **flags), "cpu")
    assert asked == [allowed]


@pytest.mark.parametrize("fails", [False, True])
def test_the_pipeline_is_closed_at_the_end_and_on_an_error(fails, tmp_path, monkeypatch):
    closed = []

    class Detector:
        def __call__(self, frames):
            return [[] for _ in frames]

        def close(self):
            closed.append(True)

    classifier = EmotionPipeline.from_files().classifier
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(live, "build_pipeline", lambda settings, device: EmotionPipeline(Detector(), classifier))
    settings = live.Settings(source="sample", device="cpu", show=False, max_frames=2)
    if fails:
        monkeypatch.setattr("pipeline.live.session.Outputs.__enter__", Mock(side_effect=UserError("no disk")))
        with pytest.raises(UserError, match="no disk"):
            live.run(settings)
    else:
        assert live.run(settings) == 0
    assert closed == [True]


def test_what_would_be_lost_is_refused_before_anything_is_loaded(tmp_path, monkeypatch):
    (film := tmp_path / "film.mp4").write_bytes(b"x")
    monkeypatch.setattr(live, "open_and_load", lambda *arguments: pytest.fail("it was opened"))
    with pytest.raises(UserError, match="is the source"):
        live.run(live.Settings(source=str(film), save=str(tmp_path / "." / "film.mp4"), show=False))
    assert film.read_bytes() == b"x"


def test_what_a_killed_run_left_is_said(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(live, "open_and_load", stop := Mock(side_effect=UserError("enough")))
    (tmp_path / "o.partial.csv").write_text("time_s")
    with pytest.raises(UserError, match="enough"):
        live.run(live.Settings(source="sample", log=str(tmp_path / "o.csv"), show=False))
    assert stop.called
    assert "o.partial.csv" in capsys.readouterr().err
    assert (tmp_path / "o.partial.csv").exists()


@pytest.mark.parametrize(("show", "screen", "ends"), [(False, True, True), (True, False, True), (True, True, False)])
def test_the_sample_ends_where_nobody_watches(monkeypatch, show, screen, ends):
    monkeypatch.setattr(window, "display_available", lambda: screen)
    monkeypatch.setattr(live, "build_pipeline", lambda settings, device: None)
    source, _ = live.open_and_load(live.Settings(source="sample", show=show), "cpu")
    with source:
        assert source.count == (PERIOD if ends else None)


@pytest.mark.parametrize(("imgsz", "whole"), [(None, True), (640, False), (0, False)])
def test_pictures_are_searched_at_their_own_size_unless_told_otherwise(monkeypatch, imgsz, whole):
    session = Mock(side_effect=UserError("enough"))
    monkeypatch.setattr("pipeline.live.session.Session", session)
    monkeypatch.setattr(live, "open_and_load", lambda *arguments: (MagicMock(), MagicMock()))
    with pytest.raises(UserError, match="enough"):
        live.run(live.Settings(source="sample", show=False, imgsz=imgsz))
    assert session.call_args.kwargs["whole_pictures"] is whole


def test_a_folder_of_which_nothing_can_be_read_is_a_failure(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in ("a.png", "b.jpg"):
        (folder / name).write_bytes(b"no picture")
    done = run_live("--source", str(folder), "--no-show", "--log", "out.csv", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert "none of the 2 files" in done.stderr
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 3  # a row for each says so


def test_version_and_cameras(tmp_path):
    done = run_live("--version", cwd=tmp_path)
    assert done.stdout == f"live.py {VERSION}\n"
    done = run_live("--list-cameras", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.strip() == "no camera answers" or " x " in done.stdout


def test_output_may_be_cut_off_by_a_reader(tmp_path):
    command = f"{sys.executable} {ROOT / 'live.py'} --device cpu --source sample --no-show --max-frames 30 | head -n 1"
    script = ["bash", "-c", f"set -o pipefail; {command}"]
    done = subprocess.run(script, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stdout.splitlines()) == 1
