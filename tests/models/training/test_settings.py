"""What is refused before any data is loaded; which size an epoch has."""

from __future__ import annotations

import pytest

from models.training.settings import Settings, check, epoch_sizes, progressive_size
from support import UserError


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"init": "none.pth"}, "--init names none.pth, but there is no such file"),
        ({"teacher": ["none.safetensors"], "distill": 0.5}, "--teacher names none.safetensors"),
        ({"soft": "none.csv", "distill": 0.5}, "--soft names none.csv"),
        ({"soft": "none.csv"}, "go together"),
        ({"soft": "a", "teacher": ["b"], "distill": 0.5}, "two sources"),
        ({"init": "a", "pretrained": True}, "two beginnings"),
        ({"folds": 2}, "--folds 2 leaves no face to train on"),
        ({"out": __file__}, "which is no folder"),
        ({"optimiser": "adamw"}, "--lr 0.1 is for sgd: adamw moves each weight .* give --lr 0.003"),
        ({"optimiser": "adam", "lr": 0.01, "lr_batch": 8}, "--lr 0.01 is for sgd: adam moves"),
        ({"accumulate": 3}, "--batch-size 64 cannot be split into 3 parts"),
    ],
)
def test_contradictions_and_missing_files_are_refused(settings, sentence):
    with pytest.raises(UserError, match=sentence):
        check(Settings(**settings))


def test_a_resumed_run_needs_its_beginning_no_more(tmp_path):
    with pytest.raises(UserError, match=r"--resume found no last.pt"):
        check(Settings(out=str(tmp_path), resume=True))
    (tmp_path / "last.pt").touch()
    check(Settings(init="gone.pth", resume=True, out=str(tmp_path)))
    check(Settings())
    folds = Settings(out=str(tmp_path / "folds"), folds=5, resume=True)
    with pytest.raises(UserError, match=r"--resume found no last.pt"):  # and no new one begins with other settings
        check(folds)
    (tmp_path / "folds" / "fold1").mkdir(parents=True)
    (tmp_path / "folds" / "fold1" / "last.pt").touch()
    check(folds)


def test_sizes_grow_in_three_steps():
    assert [progressive_size(48, done) for done in (0, 0.37, 0.375, 0.74, 0.75, 1)] == [36, 36, 42, 42, 48, 48]


def test_each_epoch_has_its_size():
    assert epoch_sizes(Settings(epochs=8), 48, fixed=False) == [36, 36, 36, 42, 42, 42, 48, 48]
    assert epoch_sizes(Settings(epochs=4), 48, fixed=False) == [36, 42, 42, 48]
    assert [epoch_sizes(Settings(epochs=n), 48, fixed=False) for n in (1, 2, 3)] == [[48], [36, 48], [36, 42, 48]]
    assert epoch_sizes(Settings(epochs=2, progressive_resizing=False), 48, fixed=False) == [48, 48]
    assert epoch_sizes(Settings(epochs=2), 48, fixed=True) == [48, 48]
