"""Teachers: the mean of their probabilities, by class name."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
import torch

from models.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from models.classifier import Classifier
from models.spec import find_spec
from models.training.distillation import Teachers, identity_of, soft_votes
from support import UserError


@pytest.fixture
def paths(tmp_path) -> list[str]:
    """Two untrained teachers, whose classes stand in different orders; the second knows one more."""
    paths = []
    for seed, class_names in enumerate((("calm", "glad"), ("glad", "awe", "calm"))):
        torch.manual_seed(seed)
        spec = find_spec("deep_emotion")
        network = spec.build(len(class_names))
        paths.append(str(tmp_path / f"{seed}.safetensors"))
        save_checkpoint(
            paths[-1], Checkpoint("deep_emotion", class_names, spec.preprocess, network.state_dict(), temperature=0.1)
        )
    return paths


def test_it_is_the_mean_of_the_teachers_probabilities_of_the_students_classes(paths, rng):
    crops = rng.integers(0, 256, (3, 40, 40, 3), dtype=np.uint8)
    first, second = (Classifier(load_checkpoint(path)).logits(crops) for path in paths)
    shares = [np.exp(z) / np.exp(z).sum(axis=1, keepdims=True) for z in map(np.asarray, (first, second[:, [2, 0]]))]
    found = Teachers(paths, ("calm", "glad"), device="cpu")(crops)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, np.mean(shares, axis=0), atol=1e-6)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)


def test_a_teacher_of_other_classes_is_refused(paths):
    with pytest.raises(UserError, match=r"0\.safetensors does not know awe; its classes are calm, glad"):
        Teachers(paths, ("calm", "awe"), device="cpu")


def test_soft_targets_join_the_votes_by_file_name(tmp_path, caplog):
    path = tmp_path / "soft.csv.gz"
    with gzip.open(path, "wt") as file:
        file.write("name,fold,glad,calm\nb.png,3,3,1\nother.png,1,1,1\n")
    votes = np.array([[0.2, 0.8], [1.0, 0.0]], np.float32)
    found = soft_votes(str(path), ["a.png", "b.png"], ("calm", "glad"), votes, share=0.4)
    np.testing.assert_allclose(found, [[0.2, 0.8], [0.6 + 0.4 * 0.25, 0.4 * 0.75]], rtol=1e-6)
    assert caplog.messages == [f"{path} has soft targets for 1 of 2 training faces"]
    assert votes[1].tolist() == [1, 0]


def test_columns_of_soft_targets_are_classes_in_the_words_of_the_data_set(tmp_path):
    path, names = tmp_path / "soft.csv", ("happiness", "anger", "two words")
    path.write_text("name,Happy, angry ,Two  Words\na.png,2,6,0\n")
    found = soft_votes(str(path), ["a.png"], names, np.ones((1, 3), np.float32) / 3, share=1)
    np.testing.assert_allclose(found, [[0.25, 0.75, 0]])
    path.write_text("name,happy,joy,anger,two words\na.png,2,2,6,0\n")
    with pytest.raises(UserError, match="names happiness more than once"):
        soft_votes(str(path), ["a.png"], names, np.ones((1, 3), np.float32) / 3, share=1)


def test_a_damaged_archive_of_soft_targets_is_refused(tmp_path):
    path = tmp_path / "soft.csv.gz"
    whole = gzip.compress(b"name,calm,glad\n" + b"".join(b"%d,%d,1\n" % (i, i % 7) for i in range(999)))
    for place in range(20, len(whole), 100):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        with pytest.raises(UserError):
            soft_votes(str(path), ["a"], ("calm", "glad"), np.ones((1, 2), np.float32) / 2, share=1)


def test_another_teacher_of_the_same_name_is_another_identity(paths):
    first = identity_of([*paths, ""])
    assert first == identity_of(paths)
    Path(paths[0]).write_bytes(Path(paths[1]).read_bytes())
    assert first != identity_of(paths)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("name,calm\na,1\n", "soft.csv:1 must name a column for each class, separated by commas; it lacks glad"),
        ("name;calm;glad\na;1;1\n", "soft.csv:1 must name a column for each class, separated by commas; it lacks"),
        ("name,calm,glad,calm\na,1,1,1\n", "soft.csv:1 names calm more than once"),
        ("name,calm,glad\na,1,x\n", "soft.csv:2 must hold a number of 0 or more for each class, not 'a,1,x'"),
        ("name,calm,glad\na,1,-1\n", "soft.csv:2 must hold"),
        ("name,calm,glad\na,0,0\n", "soft.csv:2 must hold"),
        ("name,calm,glad\na,1\n", "soft.csv:2 must hold"),
        ("name,calm,glad\na,1e39,1\n", "soft.csv:2 must hold"),
        ("name,calm,glad\na,1,1\nb,1,1\na,1,2\n", "soft.csv:4 names a a second time"),
        ("name,calm,glad\nb,1,1\n", "names none of the 1 training faces"),
    ],
)
def test_soft_targets_that_are_none_are_refused_with_their_line(tmp_path, text, sentence):
    (tmp_path / "soft.csv").write_text(text)
    with pytest.raises(UserError, match=sentence):
        soft_votes(str(tmp_path / "soft.csv"), ["a"], ("calm", "glad"), np.ones((1, 2), np.float32) / 2, share=1)
