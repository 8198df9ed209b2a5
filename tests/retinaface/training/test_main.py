"""The command: what it refuses and which pictures it reads."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from helpers.paths import ROOT
from helpers.tiny_detector_runs import BOX, FLAGS, LANDMARKS, files_of, make_annotated, run
from helpers.tiny_runs import state_of
from helpers.tiny_sets import write_lines

from retinaface.training.__main__ import load_pictures, main
from retinaface.training.trainer import Settings, Trainer
from support import UserError


@pytest.fixture(scope="module")
def folder(tmp_path_factory, portrait):
    return make_annotated(tmp_path_factory.mktemp("faces"), portrait)


def test_what_is_missing_is_said(folder, tmp_path):
    with pytest.raises(UserError, match="both needed"):
        main([])
    with pytest.raises(UserError, match="--resume found no"):
        run(folder, tmp_path / "new", "--resume")
    with pytest.raises(UserError, match="one file for each"):
        run(folder, tmp_path / "new", "--labels", "a.jsonl", "b.jsonl")
    (tmp_path / "a.jsonl").write_text((folder / "a.jsonl").read_text().splitlines()[0] + "\n")
    with pytest.raises(UserError, match="wanted pictures with faces and pictures without one"):
        main(["--annotations", str(tmp_path / "a.jsonl"), "--images", str(folder), "--device", "cpu"])


def test_a_picture_that_cannot_be_read_ends_it_in_one_sentence(portrait, tmp_path):
    folder = make_annotated(tmp_path, portrait)
    for number in range(5):
        (folder / f"none/{number}.jpg").write_bytes(b"no picture")
    with pytest.raises(UserError) as error:
        run(folder, tmp_path / "run", "--steps", "20", "--save-every", "20", "--workers", "1")
    assert str(error.value).startswith("none/")
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.long
@pytest.mark.thorough
@pytest.mark.skipif(os.name == "nt", reason="POSIX")
def test_a_process_that_is_killed_ends_it_in_one_sentence(folder, tmp_path, monkeypatch):
    train_step = Trainer.train_step

    def killing(self, *batch):
        if self.step == 1:
            os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)
        return train_step(self, *batch)

    monkeypatch.setattr(Trainer, "train_step", killing)
    with pytest.raises(UserError, match=r"^a process that makes windows has ended; "):
        run(folder, tmp_path / "run", "--steps", "100000", "--save-every", "100000", "--workers", "1")


@pytest.mark.skipif(os.name == "nt", reason="POSIX")
@pytest.mark.thorough
def test_a_stop_signal_that_its_workers_get_too_loses_nothing(folder, tmp_path):
    flags = ["--steps", "100000", "--save-every", "100000", "--workers", "1", "--out", str(tmp_path / "run")]
    argv = [sys.executable, "-m", "retinaface.training", *files_of(folder), *FLAGS, *flags]
    process = subprocess.Popen(argv, cwd=ROOT, stderr=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stderr is not None
    assert any(line.startswith("about ") for line in process.stderr)  # the first steps are done
    os.killpg(process.pid, signal.SIGTERM)
    _, said = process.communicate(timeout=300)
    assert (process.returncode, "error" in said) == (128 + signal.SIGTERM, False)
    assert state_of(tmp_path / "run")["step"] > 0


def test_pictures_are_split_and_completed_by_pseudo_labels(portrait, tmp_path):
    (_, annotations, _, images) = files_of(make_annotated(tmp_path, portrait, complete=False))
    settings = Settings(annotations=[annotations], images=[images])
    with pytest.raises(UserError, match="wanted pictures with faces"):
        load_pictures(settings)  # the portraits are not complete, and no labels say what else they show
    rows = [
        {"image": f"lfw/{number}.jpg", "boxes": [BOX, [0, 0, 60, 60]], "scores": [0.9, 0.8],
         "landmarks": [np.zeros((5, 2)).tolist()] * 2}
        for number in range(4)
    ]  # fmt: skip
    write_lines(tmp_path / "labels.jsonl", [json.dumps(row) for row in rows])
    settings.labels = [str(tmp_path / "labels.jsonl")]
    train, val = load_pictures(settings)
    assert (len(train), len(val)) == (9, 2)  # one portrait has no labels
    portrait = next(picture for picture in train if picture.name == "lfw/0.jpg")
    assert portrait.boxes.tolist() == [BOX, [0, 0, 60, 60]]
    assert portrait.landmarks[0].tolist() == LANDMARKS  # they were set by hand
