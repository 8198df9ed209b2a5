"""The detector's trainer: it learns, resumes to the bit, and refuses in sentences."""

from __future__ import annotations

import json
import os
import signal

import cv2
import numpy as np
import pytest
import torch
from helpers.paths import ROOT
from helpers.tiny_runs import torchrun

from retinaface.detector import SHIPPED, RetinaFace, read_weights
from retinaface.network import to_input
from retinaface.training import __main__ as train
from support import UserError

FLAGS = ["--device", "cpu", "--pixels", str(2 * 128 * 128), "--sizes", "96", "128", "--workers", "0", "--warmup", "2"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, portrait):
    """Portraits of one face and pictures without one, annotated."""
    folder = tmp_path_factory.mktemp("faces")
    rows, rng = [], np.random.default_rng(0)
    landmarks = [[205, 103], [244, 103], [225, 126], [206, 140], [242, 140]]
    for number in range(6):
        split = "val" if number == 5 else "train"
        rows.append(
            {
                "image": f"lfw/{number}.jpg",
                "boxes": [[178, 57, 270, 175]],
                "landmarks": [landmarks],
                "complete": False,
                "split": split,
            }
        )
        rows.append({"image": f"none/{number}.jpg", "boxes": [], "complete": True, "split": split})
        background = cv2.resize(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8), (200, 200))
        for row, image in zip(rows[-2:], (portrait, background), strict=True):
            path = folder / row["image"]
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(cv2.imencode(".jpg", image[..., ::-1])[1].tobytes())
    (folder / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def run(folder, out, *extra: str) -> int:
    return train.main(
        ["--annotations", str(folder / "a.jsonl"), "--images", str(folder), "--out", str(out), *FLAGS, *extra]
    )


def test_a_run_leaves_weights_that_load_and_losses_that_fall(folder, tmp_path):
    assert run(folder, tmp_path / "run", "--steps", "30", "--save-every", "10", "--ema", "0.9") == 0
    history = np.genfromtxt(tmp_path / "run" / "metrics.csv", delimiter=",", names=True)
    assert history["step"].tolist() == [10, 20, 30]
    assert history["class"][2] < history["class"][0]
    RetinaFace.from_file(tmp_path / "run" / "weights.safetensors")([np.zeros((64, 64, 3), np.uint8)])
    assert json.loads((tmp_path / "run" / "settings.json").read_text())["steps"] == 30
    with pytest.raises(UserError, match="holds a run already"):
        run(folder, tmp_path / "run", "--steps", "30")


def test_a_run_that_was_stopped_ends_with_the_same_weights(folder, tmp_path, monkeypatch):
    assert run(folder, tmp_path / "whole", "--steps", "6", "--save-every", "3") == 0

    learn = train.Trainer.train_step

    def interrupted(self, *batch):
        if self.step == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return learn(self, *batch)

    monkeypatch.setattr(train.Trainer, "train_step", interrupted)
    assert run(folder, tmp_path / "parts", "--steps", "6", "--save-every", "3") == 130
    assert train.newest_state(tmp_path / "parts")["step"] == 4  # the step that was under way is kept
    monkeypatch.setattr(train.Trainer, "train_step", learn)
    assert run(folder, tmp_path / "parts", "--steps", "6", "--save-every", "3", "--resume") == 0
    whole, parts = (read_weights(tmp_path / name / "weights.safetensors") for name in ("whole", "parts"))
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


SCRIPT = """
import sys
sys.path.insert(0, {root!r})
import torch
from retinaface.training import __main__ as train

run = train.Trainer.run

def keeping(self):
    code = run(self)
    torch.save(dict(self.network.named_parameters()), self.out / f"rank{{self.ranks.rank}}.pt")
    return code

train.Trainer.run = keeping
sys.exit(train.main(sys.argv[1:]))
"""


def test_two_processes_move_their_weights_as_one(folder, tmp_path):
    (tmp_path / "run.py").write_text(SCRIPT.format(root=str(ROOT)))
    files = ["--annotations", str(folder / "a.jsonl"), "--images", str(folder), "--out", str(tmp_path / "two")]
    done = torchrun(tmp_path / "run.py", *files, *FLAGS, "--steps", "3", "--save-every", "3")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("validating on 2") == done.stderr.count("step 3 ") == 1  # one of them speaks
    first, second = (torch.load(tmp_path / "two" / f"rank{rank}.pt") for rank in (0, 1))
    for name, weights in first.items():
        torch.testing.assert_close(second[name], weights, rtol=0, atol=0)  # though each saw other scenes
    torch.manual_seed(0)  # the default --seed
    start = dict(train.network_with("").named_parameters())
    assert all(not torch.equal(weights, start[name]) for name, weights in first.items() if weights.ndim > 1)


def test_following_a_teacher_brings_its_features_nearer(folder, tmp_path, portrait):
    flags = ["--steps", "12", "--save-every", "12", "--ema", "0", "--lr", "0.02", "--teacher", str(SHIPPED)]
    x = to_input(torch.from_numpy(portrait[None, :256, 100:356].copy()))
    distances = []
    for name, follow in (("alone", "0"), ("follow", "50")):
        assert run(folder, tmp_path / name, *flags, "--follow", follow) == 0
        own, teacher = (train.network_with(str(w)) for w in (tmp_path / name / "weights.safetensors", SHIPPED))
        teacher.eval()  # the young network's running statistics are not yet worth using
        with torch.no_grad():
            pairs = zip(train.Viewed(own)(x)[0], train.Viewed(teacher)(x)[0], strict=True)
            distances.append(sum((a - b).square().mean() / b.square().mean() for a, b in pairs).item())
    assert distances[1] < 0.9 * distances[0]


def test_processes_share_the_scenes_of_a_step(folder):
    def batches(size: int, **share: int) -> train.SceneBatches:
        settings = train.Settings(pixels=4 * 128 * 128, sizes=[size])
        return train.SceneBatches(maker, settings, first=1, **share)

    settings = train.Settings(annotations=[str(folder / "a.jsonl")], images=[str(folder)])
    maker = train.SceneMaker(train.load_pictures(settings, torch.device("cpu"))[0])
    for step in range(3):
        parts = [batches(128, rank=rank, ranks=2)[step] for rank in (0, 1)]
        for whole, a, b in zip(batches(128)[step], *parts, strict=True):
            torch.testing.assert_close(torch.stack([a, b], dim=1).flatten(0, 1), whole, equal_nan=True)
    assert [len(batches(96, rank=rank, ranks=3)[0][0]) for rank in range(3)] == [2, 2, 2]  # of 7.1 that would fit


def test_what_is_missing_is_said(folder, tmp_path):
    with pytest.raises(UserError, match="both needed"):
        train.main([])
    with pytest.raises(UserError, match="--resume found no"):
        run(folder, tmp_path / "new", "--resume")
    with pytest.raises(UserError, match="--follow needs --teacher"):
        run(folder, tmp_path / "new", "--follow", "1")
    (tmp_path / "a.jsonl").write_text((folder / "a.jsonl").read_text().splitlines()[0] + "\n")
    with pytest.raises(UserError, match="wanted pictures without a face"):
        train.main(["--annotations", str(tmp_path / "a.jsonl"), "--images", str(folder), "--device", "cpu"])
