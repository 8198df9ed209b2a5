"""The operating point of detector weights."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
import torch
from helpers.tiny_sets import write_lines, write_picture

from retinaface.checkpoint import FORMAT, load_network
from retinaface.detector import SHIPPED, RetinaFace
from retinaface.face import Face
from retinaface.network import RetinaFaceNetwork
from retinaface.training import operating_point
from retinaface.training.annotations import read_pictures
from retinaface.training.operating_point import (
    find_threshold,
    main,
    mean_network,
    round_to_half,
    shift_scores,
)
from support import UserError
from support.weights import save_tensors


def test_a_score_moves_to_one_half_and_the_order_stays():
    torch.manual_seed(0)
    network, x = RetinaFaceNetwork().eval(), torch.randn(1, 3, 96, 96)
    before = network(x)[0].sigmoid()
    boxes = network(x)[1]
    shift_scores(network, 0.8)
    after = network(x)[0].sigmoid()
    torch.testing.assert_close(network(x)[1], boxes, rtol=0, atol=0)
    odds_before, odds_after = before / (1 - before), after / (1 - after)
    torch.testing.assert_close(odds_after, odds_before / 4, rtol=0.02, atol=1e-5)  # odds of 0.8 are 4, of 0.5 are 1
    assert (odds_after <= odds_before / 4).all()
    state = network.state_dict()
    shifted = [f"heads.{i}.out.bias" for i in range(3)]
    assert all(torch.equal(state[name][:2].half().float(), state[name][:2]) for name in shifted)


@pytest.mark.parametrize("seed", range(12))
def test_what_was_refused_stays_refused_when_the_weights_are_written(tmp_path, seed):
    """A face that is refused by the smallest step scores less than 0.5 in the float16 file."""
    torch.manual_seed(seed)
    network, x = load_network(SHIPPED).eval(), torch.rand(1, 3, 96, 96) * 255 - 127.5
    with torch.no_grad():
        for tensor in filter(torch.is_floating_point, network.state_dict().values()):
            tensor.mul_(1 + 0.001 * torch.rand(()))
    round_to_half(network)
    save_tensors(tmp_path / "r.safetensors", network.state_dict(), header={"format": FORMAT}, half=True)
    stored = load_network(tmp_path / "r.safetensors").state_dict()
    assert all(torch.equal(stored[name], tensor) for name, tensor in network.state_dict().items())
    with torch.no_grad():
        refused = network(x)[0].sigmoid().max().item()
    shift_scores(network, float(np.nextafter(np.float32(refused), np.float32(1))))
    save_tensors(tmp_path / "w.safetensors", network.state_dict(), header={"format": FORMAT}, half=True)
    with torch.no_grad():
        score = load_network(tmp_path / "w.safetensors").eval()(x)[0].sigmoid().max().item()
    assert 0.49 < score < 0.5


@pytest.mark.parametrize(("allowed", "expected"), [(0, 0.9), (1, 0.7), (2, 0.5), (9, 0.5)])
def test_the_threshold_leaves_so_many_false_faces(tmp_path, allowed, expected):
    false = iter([[0.9], [], [0.7, 0.3]])

    def detector(frames):
        return [[Face(np.zeros(4), np.zeros((5, 2)), score) for score in next(false)]]

    write_picture(tmp_path / "g.png", np.zeros((20, 20, 3), np.uint8))
    pictures = read_pictures([{"image": "g.png", "boxes": []}] * 3, tmp_path)
    score = find_threshold(detector, pictures, allowed=allowed)
    assert score == pytest.approx(expected, abs=1e-6)
    assert sum(s >= score for s in (0.9, 0.7, 0.3)) <= allowed


def test_false_faces_of_the_highest_score_leave_no_threshold(tmp_path):
    write_picture(tmp_path / "g.png", np.zeros((20, 20, 3), np.uint8))
    pictures = read_pictures([{"image": "g.png", "boxes": []}] * 2, tmp_path)
    with pytest.raises(UserError, match="more than 1 false faces are scored 1, or next to it"):
        find_threshold(lambda frames: [[Face(np.zeros(4), np.zeros((5, 2)), 1.0)]], pictures, allowed=1)


def test_of_several_weights_the_mean_is_taken(tmp_path, public_weights):
    states = []
    for seed in range(2):
        torch.manual_seed(seed)
        states.append(RetinaFaceNetwork().state_dict())
        save_tensors(tmp_path / f"{seed}.safetensors", states[-1], header={"format": FORMAT})
    paths = [str(tmp_path / f"{seed}.safetensors") for seed in range(2)]
    for key, value in mean_network(paths).state_dict().items():
        torch.testing.assert_close(
            value.double(), (states[0][key].double() + states[1][key].double()) / 2, atol=1e-6, rtol=0
        )
    with pytest.raises(UserError, match=r"takes weights that python -m retinaface\.training made, not .*pth"):
        mean_network([paths[0], str(public_weights)])


def test_the_command_writes_weights_that_load(tmp_path, rng):
    rows = []
    for number in range(30):
        name = f"neg_clothing/{number}.png"
        write_picture(tmp_path / name, cv2.resize(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8), (64, 64)))
        rows.append({"image": name, "boxes": [], "split": "val"})
    write_lines(tmp_path / "a.jsonl", [json.dumps(row) for row in rows])
    out = tmp_path / "w.safetensors"
    argv = ["--weights", str(SHIPPED), "--annotations", str(tmp_path / "a.jsonl"), "--images", str(tmp_path)]
    with pytest.raises(UserError, match="both needed, one folder for each file"):
        main(argv[:-2])
    with pytest.raises(UserError, match="30 validation pictures without a face, fewer than 40"):
        main(argv)
    assert main([*argv, "--pictures-per-false-face", "30", "--out", str(out), "--device", "cpu"]) == 0
    assert load_network(out).state_dict().keys() == load_network(SHIPPED).state_dict().keys()
    assert out.with_suffix(".onnx").exists()
    frames = [np.asarray(cv2.imread(str(tmp_path / row["image"]))) for row in rows]
    assert sum(len(faces) for faces in RetinaFace.from_file(out)(frames)) <= 1


def test_the_operating_point_is_searched_with_the_weights_that_the_file_will_hold(tmp_path, monkeypatch):
    seen = []

    def find(detector, pictures, *, allowed):
        seen.extend(detector.engine.network.state_dict().values())
        raise UserError("seen")

    monkeypatch.setattr(operating_point, "find_threshold", find)
    torch.manual_seed(0)
    save_tensors(tmp_path / "r.safetensors", RetinaFaceNetwork().state_dict(), header={"format": FORMAT})
    write_lines(tmp_path / "a.jsonl", [json.dumps({"image": "g.png", "boxes": [], "split": "val"})])
    argv = ["--weights", str(tmp_path / "r.safetensors"), "--annotations", str(tmp_path / "a.jsonl"), "--images", "."]
    with pytest.raises(UserError, match="seen"):
        main([*argv, "--pictures-per-false-face", "1", "--out", str(tmp_path / "w.safetensors"), "--device", "cpu"])
    assert seen
    assert all(torch.equal(tensor.half().float(), tensor.float()) for tensor in seen)
