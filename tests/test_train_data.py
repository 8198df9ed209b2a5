"""train.py on data as people have it: folds by person, pictures on disk, another data set on resuming."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.tiny_runs import TINY, make_learnable, run, run_main, same_weights, state_of
from helpers.tiny_sets import make_image_folder, write_grey, write_lines, write_picture

import train
from models.checkpoint import load_checkpoint, save_checkpoint
from models.training.settings import Settings
from support import UserError
from support.columns import one_hot

SHORT = [*TINY, "--epochs", "1"]


def make_people(root: Path) -> Path:
    """A CK+-shaped set: six people, two sequences each, smiles bright above, frowns bright below."""
    rng = np.random.default_rng(0)
    for person in range(6):
        for sequence, label in enumerate((5, 1)):
            place = f"S{person + 10:03}/{sequence + 1:03}"
            for frame in range(6):
                image = rng.integers(0, 60, (48, 48, 3), dtype=np.uint8)
                if frame > 2:
                    image[24 * sequence : 24 * sequence + 24] += 150
                write_picture(root / f"cohn-kanade-images/{place}/{place.replace('/', '_')}_{frame:08}.png", image)
            write_lines(root / f"Emotion/{place}/{place.replace('/', '_')}_00000005_emotion.txt", [f"  {label:.7e}"])
    return root


def test_folds_are_of_other_people_and_told_together(tmp_path, capsys):
    folder = make_people(tmp_path / "CK+")
    assert run(folder, tmp_path / "run", *SHORT, "--folds", "3") == 0
    err = capsys.readouterr().err
    assert "macro_f1 of 3 folds: " in err
    report = json.loads((tmp_path / "run/folds.json").read_text())
    assert len(report["accuracy"]["folds"]) == 3
    assert sum(report["n"]["folds"]) == 48  # every face once
    assert load_checkpoint(tmp_path / "run/fold3/best.safetensors").class_names == ("neutral", "happiness", "anger")
    with pytest.raises(UserError, match="fold1 holds a run already"):
        run(folder, tmp_path / "run", *SHORT, "--folds", "3")
    (tmp_path / "run/fold3").rename(tmp_path / "gone")  # as if killed while it saved the first state
    (tmp_path / "run/fold3").mkdir()
    (tmp_path / "run/fold3/.last-x.partial.pt").touch()
    assert run_main(train.main, "--resume", "--out", str(tmp_path / "run"), export=False) == 0
    assert json.loads((tmp_path / "run/folds.json").read_text()) == report
    with pytest.raises(UserError, match=r"fold2 holds one run, perhaps one fold.* name the folder above"):
        train.main(["--resume", "--out", str(tmp_path / "run/fold2")])


def test_pictures_on_disk_train_the_same_weights(tmp_path, monkeypatch):
    monkeypatch.setattr("data.pictures.store.SHRUNK", tmp_path / "cache")
    folder = make_learnable(tmp_path / "ferplus")
    for memory in ("1", "0"):
        assert run(folder, tmp_path / memory, *SHORT, "--memory", memory) == 0
    assert same_weights(tmp_path / "1", tmp_path / "0")
    assert run(folder, tmp_path / "0", *SHORT, "--memory", "1", "--resume") == 0  # this may change


@pytest.mark.parametrize("flags", [(), ("--augment-on", "device"), ("--loss", "cross_entropy", "--class-weights", "1")])
def test_labels_of_very_many_faces_and_classes_train_the_same_weights(tmp_path, monkeypatch, flags):
    folder = make_image_folder(tmp_path / "data", {"happy": 20, "sad": 20})
    for name, dense in (("dense", 2**20), ("lazy", 0)):
        monkeypatch.setattr(one_hot, "DENSE", dense)
        assert run(folder, tmp_path / name, *SHORT, *flags) == 0
    assert same_weights(tmp_path / "dense", tmp_path / "lazy")


def test_a_renamed_or_swapped_class_folder_is_another_data_set(tmp_path):
    folder = make_image_folder(tmp_path / "data", {"happy": 20, "sad": 20})
    for number in range(20):
        write_grey(folder / f"sad/{number}.png", 2 * number + 1, side=20)
    assert run(folder, tmp_path / "run", *SHORT) == 0
    (folder / "sad").rename(folder / "fear")
    with pytest.raises(UserError, match=r"started with class names \['happiness', 'sadness'\] and not .*'fear'"):
        run(folder, tmp_path / "run", *SHORT, "--resume")
    (folder / "happy").rename(folder / "sad")
    (folder / "fear").rename(folder / "happy")
    with pytest.raises(UserError, match="was started with names and labels, by a digest '"):
        run(folder, tmp_path / "run", *SHORT, "--resume")


def test_other_validation_faces_and_another_teacher_are_noticed_when_a_run_is_resumed(tmp_path):
    folder = make_learnable(tmp_path / "ferplus")
    assert run(folder, tmp_path / "teacher", *SHORT) == 0
    teacher = tmp_path / "teacher/best.safetensors"
    flags = [*SHORT, "--teacher", str(teacher), "--distill", "0.5"]
    assert run(folder, tmp_path / "run", *flags) == 0
    rows = (folder / "FER2013Valid/label.csv").read_text().splitlines()
    write_lines(folder / "FER2013Valid/label.csv", rows[1:])
    with pytest.raises(UserError, match="was started with validation faces, by a digest '"):
        run(folder, tmp_path / "run", *flags, "--resume")
    write_lines(folder / "FER2013Valid/label.csv", rows)
    assert run(folder, tmp_path / "run", *flags, "--resume") == 0
    save_checkpoint(teacher, dataclasses.replace(load_checkpoint(teacher), temperature=2.0))
    with pytest.raises(UserError, match="was started with teachers or soft targets, by a digest "):
        run(folder, tmp_path / "run", *flags, "--resume")


def test_a_state_from_before_these_digests_is_resumed(tmp_path):
    folder = make_learnable(tmp_path / "ferplus")
    assert run(folder, tmp_path / "run", *SHORT) == 0
    state = state_of(tmp_path / "run")
    old = {name: value for name, value in state["settings"].items() if name in vars(Settings()) or "names" in name}
    torch.save(state | {"settings": old}, tmp_path / "run/last.pt")
    assert run(folder, tmp_path / "run", *SHORT, "--resume") == 0


def test_class_names_are_mapped_and_doubts_are_refused_unless_named(tmp_path):
    folder = make_image_folder(tmp_path / "data", {"aligned": 20, "original": 20})
    with pytest.raises(UserError, match="--accept class-names"):
        run(folder, tmp_path / "run", *SHORT)
    assert run(folder, tmp_path / "accepted", *SHORT, "--accept", "class-names") == 0
    mapping = write_lines(tmp_path / "map.csv", ["aligned,happy", "original,sad"])
    assert run(folder, tmp_path / "mapped", *SHORT, "--classes", str(mapping)) == 0
    assert load_checkpoint(tmp_path / "mapped/best.safetensors").class_names == ("happiness", "sadness")
