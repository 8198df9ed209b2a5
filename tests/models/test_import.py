"""python -m models.import: a checkpoint of another program's weights."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
import torch

from models.checkpoint import load_checkpoint
from models.classifier import Classifier
from models.spec import find_spec
from support import UserError

main = importlib.import_module("models.import").main
FLAGS = ["--model", "deep_emotion", "--classes", "calm", "glad", "sad"]


@pytest.fixture
def weights(tmp_path):
    torch.manual_seed(0)
    network = find_spec("deep_emotion").build(3).eval()
    torch.save({"model": {f"module.{k}": v for k, v in network.state_dict().items()}}, tmp_path / "w.pth")
    return tmp_path / "w.pth", network


def test_the_checkpoint_says_what_the_network_says(weights, capsys):
    path, network = weights
    assert main(["--weights", str(path), *FLAGS, "--mean", "0.25", "--std", "0.5"]) == 0
    out = capsys.readouterr().out.strip()
    assert out == str(path.with_name("w.checkpoint.safetensors"))
    classifier = Classifier.from_file(out, engine="torch")
    assert classifier.class_names == ("calm", "glad", "sadness")
    crops = np.random.default_rng(0).integers(0, 256, (2, 48, 48, 3), dtype=np.uint8)
    grey = crops @ np.array([0.299, 0.587, 0.114])
    with torch.inference_mode():
        expected = network(torch.tensor((grey / 255 - 0.25) / 0.5, dtype=torch.float32)[:, None])
    np.testing.assert_allclose(classifier.logits(crops), expected, atol=1e-4)


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ([], "--weights and --model and --classes must be given"),
        (["--classes", "calm", "glad"], r"is not all of a deep_emotion of 2 classes: .* 2 of another shape"),
        (["--model", "face_emotion_cnn"], "is not all of a face_emotion_cnn of 3 classes"),
        (["--classes", "calm", "calm", "sad"], "class_names names 'calm' twice; correct the flags"),
        (["--mean", "0.1", "0.2", "--std", "1", "1"], "mean must be 1 numbers"),
        (["--mean", "0.1"], "mean and std must both be given"),
        (["--out", "SAME"], "would overwrite the weights"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(weights, flags, sentence):
    path, _ = weights
    given = ["--weights", str(path), *FLAGS] if flags else []
    with pytest.raises(UserError, match=sentence):
        main([*given, *[str(path) if flag == "SAME" else flag for flag in flags]])
    assert [file.name for file in path.parent.iterdir()] == ["w.pth"]


def test_class_names_are_the_projects_own(weights):
    path, _ = weights
    flags = ["--weights", str(path), *FLAGS]
    assert main([*flags, "--classes", "Happy", "sad", "surprised"]) == 0
    assert load_checkpoint(path.with_name("w.checkpoint.safetensors")).class_names == (
        "happiness",
        "sadness",
        "surprise",
    )
