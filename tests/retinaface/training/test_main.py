"""The command: what it refuses and which pictures it reads."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers.tiny_detector_runs import files_of, make_annotated, run

from retinaface.detector import SHIPPED
from retinaface.training.__main__ import load_pictures, main
from retinaface.training.trainer import Settings
from support import UserError


@pytest.fixture(scope="module")
def folder(tmp_path_factory, portrait):
    return make_annotated(tmp_path_factory.mktemp("faces"), portrait)


def test_what_is_missing_is_said(folder, tmp_path):
    with pytest.raises(UserError, match="both needed"):
        main([])
    with pytest.raises(UserError, match="--resume found no"):
        run(folder, tmp_path / "new", "--resume")
    with pytest.raises(UserError, match="--distill needs --teacher"):
        run(folder, tmp_path / "new", "--distill", "1")
    with pytest.raises(UserError, match="--distill needs --teacher"):
        run(folder, tmp_path / "new", "--follow", "1")  # the former name
    (tmp_path / "a.jsonl").write_text((folder / "a.jsonl").read_text().splitlines()[0] + "\n")
    with pytest.raises(UserError, match="wanted pictures without a face"):
        main(["--annotations", str(tmp_path / "a.jsonl"), "--images", str(folder), "--device", "cpu"])


def test_pictures_are_split_and_get_the_teachers_pseudo_labels(folder):
    (_, annotations, _, images) = files_of(folder)
    settings = Settings(annotations=[annotations], images=[images])
    train, val = load_pictures(settings, torch.device("cpu"))
    assert (len(train), len(val)) == (10, 2)
    settings.teacher = str(SHIPPED)
    labelled, _ = load_pictures(settings, torch.device("cpu"))
    for before, after in zip(train, labelled, strict=True):
        assert np.array_equal(before.boxes, after.boxes[: len(before.boxes)])
        assert np.array_equal(before.landmarks, after.landmarks[: len(before.landmarks)])  # they were set by hand
