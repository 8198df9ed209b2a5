"""An evaluation: classes joined by name, both confidences, duplicates, groups, members; numbers are recomputed."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from data.face_set import FaceSet, rows_without_duplicate
from evaluation.classification.scores import class_columns, closed, evaluate, summary
from models.checkpoint import Checkpoint
from models.classifier import Classifier
from models.ensemble import Ensemble
from models.spec import find_spec
from support import UserError
from support.columns import one_hot
from support.emotions import EMOTIONS
from support.metrics import expected_calibration_error, kl_divergence, softmax

NETWORK = "small_resnet18_w32"
N = 12


def checkpoint(class_names: tuple[str, ...], *, seed: int = 0, temperature: float = 0.5) -> Checkpoint:
    """An untrained network."""
    torch.manual_seed(seed)
    spec = find_spec(NETWORK)
    return Checkpoint(NETWORK, class_names, spec.preprocess, spec.build(len(class_names)).state_dict(), temperature)


def evaluate_checkpoints(checkpoints, faces, **options):
    return evaluate([Classifier(each, confidence="label") for each in checkpoints], faces, **options)


@pytest.fixture
def faces(rng) -> FaceSet:
    """Twelve noise pictures of two classes, with votes and one attribute."""
    images = rng.integers(0, 256, (N, 48, 48, 3), dtype=np.uint8)
    votes = rng.dirichlet([1, 1], N).astype(np.float32)
    names = tuple(f"{i}.png" for i in range(N))
    attributes = {"age": np.array(["4-19", "70+", None] * (N // 3), object)}
    return FaceSet(images, votes, votes.argmax(axis=1), names, ("fear", "joy"), attributes=attributes)


def test_classes_are_joined_by_name_and_what_the_faces_lack_is_dropped(faces):
    known = checkpoint(("joy", "anger", "fear"))
    evaluation = evaluate_checkpoints([known], faces)
    found = Classifier(known).probabilities(faces.images)
    by_hand = np.stack([found[:, 2], found[:, 0]], axis=1) / (found[:, 2] + found[:, 0])[:, None]
    np.testing.assert_allclose(evaluation.crowd, by_hand, rtol=1e-5)
    assert list(evaluation.scores["per_class"]) == ["fear", "joy"]
    assert evaluation.scores["correct"] == (by_hand.argmax(axis=1) == faces.labels).sum()
    assert evaluation.confusion.sum() == N


def test_a_class_that_the_set_lacks_leaves_the_others_their_order_however_sure_the_network_is_of_it(faces):
    plain = checkpoint(("fear", "joy", "awe"), temperature=0.1)
    sure = dataclasses.replace(plain, class_bias=(0.0, 0.0, 40.0))  # 400 nats ahead; float32 ends at 104
    logits = Classifier(plain).logits(faces.images)
    evaluation = evaluate_checkpoints([sure], faces)
    np.testing.assert_allclose(evaluation.label, softmax(logits[:, :2] / 0.1), rtol=1e-3)


def test_the_class_bias_changes_labels_and_not_the_crowds_shares(faces):
    plain = checkpoint(("fear", "joy"))
    biased = dataclasses.replace(plain, class_bias=(0.0, 50.0))  # whatever it sees, the label is joy
    before, after = (evaluate_checkpoints([one], faces).scores for one in (plain, biased))
    assert after["correct"] == (faces.labels == 1).sum()
    assert after["per_class"]["fear"]["recall"] == 0
    assert after["kl"] == before["kl"]
    assert after["accuracy_crowd"] == before["accuracy_crowd"]


def test_a_closed_set_has_two_figures(rng):
    """Two of three classes: forced to choose among them it is right more often than its own answers are."""
    known = checkpoint(("joy", "anger", "fear"))
    known = dataclasses.replace(known, class_bias=(0.0, 0.2, 0.0))
    images = rng.integers(0, 256, (40, 48, 48, 3), dtype=np.uint8)
    own = Classifier(known, confidence="label").probabilities(images)
    closed_answers = np.array(["fear", "joy"])[own[:, [2, 0]].argmax(axis=1)]
    labels = np.where(np.arange(40) % 5 > 0, closed_answers == "joy", closed_answers == "fear").astype(int)
    faces = FaceSet(images, np.eye(2, dtype=np.float32)[labels], labels, tuple(map(str, range(40))), ("fear", "joy"))
    scores = evaluate_checkpoints([known], faces).scores
    assert scores["correct"] == 32
    right = np.array(["joy", "anger", "fear"])[own.argmax(axis=1)] == np.array(["fear", "joy"])[labels]
    assert scores["own_answers"]["correct"] == right.sum() < 32
    assert scores["own_answers"]["accuracy"] == right.mean()
    low, high = scores["own_answers"]["accuracy_interval"]
    assert low <= right.mean() <= high
    assert scores["classes"] == {"of_the_set": ["fear", "joy"], "forbidden": ["anger"], "unknown_to_the_network": []}
    same = evaluate_checkpoints([checkpoint(("joy", "fear"))], faces).scores
    assert not {"own_answers", "known_classes"} & same.keys()


def test_faces_of_a_class_that_the_network_lacks_are_wrong_and_counted(rng):
    votes = np.array([[0.2, 0.8, 0], [0, 0.4, 0.6], [0.7, 0, 0.3], [0, 0, 1]], np.float32)
    images = rng.integers(0, 256, (4, 48, 48, 3), dtype=np.uint8)
    faces = FaceSet(images, votes, votes.argmax(axis=1), tuple("abcd"), ("fear", "joy", "awe"))
    known = checkpoint(("joy", "fear"))
    evaluation = evaluate_checkpoints([known], faces)
    scores, crowd = evaluation.scores, Classifier(known).probabilities(images)[:, ::-1]
    assert (evaluation.label[:, 2] == 0).all()
    assert scores["n"] == 4
    assert scores["correct"] == scores["known_classes"]["correct"] == (crowd[[0, 2]].argmax(axis=1) == [1, 0]).sum()
    assert scores["known_classes"]["n"] == 2
    assert scores["classes"]["unknown_to_the_network"] == ["awe"]
    heard = np.array([[0.2, 0.8], [0, 1], [1, 0]])
    assert scores["kl"] == pytest.approx(kl_divergence(heard, crowd[:3]), rel=1e-4)
    unknown = evaluate_checkpoints([known], faces.rows([3])).scores
    assert (unknown["kl"], unknown["known_classes"]) == (None, {"n": 0})


def test_sets_that_share_no_two_classes_are_refused(faces):
    with pytest.raises(UserError, match=r"share 1 class.*: the set has fear, joy, the network joy, anger"):
        evaluate_checkpoints([checkpoint(("joy", "anger"))], faces)
    with pytest.raises(UserError, match="has the class b, which the network does not know; its classes are a, c"):
        class_columns(("a", "c"), ("c", "b"))
    assert class_columns(("a", "b", "c"), ("c", "a")) == [2, 0]


def test_prior_and_crowd_temperature_have_their_readings(faces):
    plain = checkpoint(("fear", "joy"))
    fitted = dataclasses.replace(plain, crowd_temperature=2.0, class_prior=(0.9, 0.1), prior_tau=0.5)
    logits = Classifier(plain).logits(faces.images)
    for prior, bias in (("dataset", [0, 0]), ("balanced", [0, 0.5 * np.log(9)])):
        evaluation = evaluate([Classifier(fitted, confidence="label", prior=prior)], faces)
        np.testing.assert_allclose(evaluation.crowd, softmax((logits + bias) / 2), atol=1e-5)
        np.testing.assert_allclose(evaluation.label, softmax((logits + bias) / 0.5), atol=1e-5)
        assert evaluation.scores["prior"] == prior


@pytest.mark.parametrize("tta", [False, True])
def test_kl_is_of_the_crowds_shares_and_ece_of_the_label_probabilities(faces, tta):
    known = checkpoint(("fear", "joy"))
    evaluation = evaluate_checkpoints([known], faces, tta=tta)
    crowd = Classifier(known).probabilities(faces.images, tta=tta)
    label = Classifier(known, confidence="label").probabilities(faces.images, tta=tta)
    np.testing.assert_allclose(evaluation.crowd, crowd, atol=1e-6)
    np.testing.assert_allclose(evaluation.label, label, atol=1e-6)
    assert evaluation.scores["kl"] == pytest.approx(kl_divergence(faces.votes, crowd), rel=1e-4)
    for key, probabilities in (("ece", label), ("ece_crowd", crowd)):
        expected = expected_calibration_error(faces.labels, probabilities)
        assert evaluation.scores[key] == pytest.approx(expected, abs=1e-4)
    assert evaluation.scores["temperatures"] == [0.5]
    assert evaluation.scores["kl_js_target"] == "the votes"


def test_several_networks_are_averaged_and_each_is_scored(faces):
    both = [checkpoint(("fear", "joy")), checkpoint(("joy", "fear"), seed=1)]
    evaluation = evaluate_checkpoints(both, faces)
    together = Ensemble([Classifier(member) for member in both]).probabilities(faces.images)
    np.testing.assert_allclose(evaluation.crowd, together, atol=1e-6)
    alone = [evaluate_checkpoints([member], faces).scores for member in both]
    for member, scores in zip(evaluation.scores["members"], alone, strict=True):
        assert member["network"] == NETWORK
        assert member["kl"] == pytest.approx(scores["kl"], rel=1e-5)
        assert member["accuracy_interval"] == scores["accuracy_interval"]
    assert "members" not in alone[0]


def test_members_are_scored_also_by_labels_alone_of_a_large_set(faces, monkeypatch):
    """Whose one-hot votes are made only when they are asked for."""
    networks = [checkpoint(("fear", "joy"), seed=seed) for seed in (0, 1)]
    found = []
    for dense in (one_hot.DENSE, 0):
        monkeypatch.setattr(one_hot, "DENSE", dense)
        labelled = dataclasses.replace(faces, votes=one_hot.one_hot(faces.labels, 2), has_votes=False)
        found.append(evaluate_checkpoints(networks, labelled).scores["members"])
    assert found[0] == found[1]


def test_scores_without_duplicates_and_of_groups_are_those_of_their_rows(faces):
    train = faces.rows([1, 2, 3])
    known = checkpoint(("fear", "joy"))
    scores = evaluate_checkpoints([known], faces, train=train).scores
    kept = np.setdiff1d(np.arange(N), [1, 2, 3])
    without = evaluate_checkpoints([known], dataclasses.replace(faces.rows(kept), attributes={})).scores
    for key in ("temperatures", "kl_js_target", "prior", "classes"):
        del without[key]
    assert scores["without_train_duplicates"].pop("duplicates") == 3
    assert close(scores["without_train_duplicates"], without)
    assert list(scores["groups"]["age"]) == ["4-19", "70+"]
    old = evaluate_checkpoints([known], faces.rows(faces.attributes["age"] == "70+")).scores
    assert scores["groups"]["age"]["70+"]["n"] == N // 3
    assert scores["groups"]["age"]["70+"]["kl"] == pytest.approx(old["kl"], rel=1e-5)
    assert evaluate_checkpoints([known], faces, train=faces).scores["without_train_duplicates"] == {"duplicates": N}


def test_empty_values_have_a_name_and_attributes_of_very_many_values_no_groups(faces, monkeypatch):
    monkeypatch.setattr("evaluation.classification.scores.MOST_GROUPS", 3)
    attributes = {"id": np.array([str(i) for i in range(N)]), "site": np.array(["", "lab", "street"] * (N // 3))}
    found = evaluate_checkpoints([checkpoint(("fear", "joy"))], dataclasses.replace(faces, attributes=attributes))
    groups = {name: [group["n"] for group in values.values()] for name, values in found.scores["groups"].items()}
    assert groups == {"site": [N // 3] * 3}
    assert list(found.scores["groups"]["site"]) == ["(empty)", "lab", "street"]


def test_rows_of_a_closed_set_sum_to_1_however_little_is_left_for_it():
    logits = np.float32([[0, 1, 80], [1, 0, 0], [0, 0, 200]])
    found = closed(softmax(logits)[None], ("fear", "joy", "awe"), ("joy", "fear"))[0]
    np.testing.assert_allclose(found[:2], softmax(logits[:2, [1, 0]]), rtol=1e-5)
    assert (found[2] == 0).all()  # nothing at all is left


def test_duplicates_are_found_by_their_pixels_and_not_by_their_names(faces):
    renamed = dataclasses.replace(faces.rows([4, 5]), names=("0.png", "0.png"))
    kept = rows_without_duplicate(dataclasses.replace(faces, names=("0.png",) * N), renamed)
    assert np.flatnonzero(~kept).tolist() == [4, 5]


def close(found: dict, expected: dict) -> bool:
    """Are the numbers the same, in whatever size of batch they were computed?"""
    assert found.keys() == expected.keys()
    return all(
        close(value, expected[key]) if isinstance(value, dict) else value == pytest.approx(expected[key], rel=1e-4)
        for key, value in found.items()
    )


def test_seven_class_f1_leaves_contempt_out_of_the_mean_only():
    labels = np.repeat(np.arange(8), 5)
    predicted = np.repeat([0, 1, 2, 3, 4, 5, 6, 0], 5)  # contempt is taken for neutral
    probabilities = np.eye(8)[predicted]
    crowd = np.full((40, 8), 1 / 8)  # by which no class is scored
    found = summary(labels, np.eye(8)[labels], crowd, probabilities, class_names=EMOTIONS)
    assert found["macro_f1"] == pytest.approx((2 / 3 + 6) / 8)
    assert found["macro_f1_7"] == pytest.approx((2 / 3 + 6) / 7)
    low, high = found["macro_f1_interval"]
    assert low < found["macro_f1"] < high
    neutral = found["per_class"]["neutral"]
    assert neutral["auroc"] == pytest.approx((35 * 5 - 5 * 5 / 2) / (35 * 5))  # contempt's five are ties
    wanted = {"precision": 0.5, "recall": 1, "f1": pytest.approx(2 / 3), "support": 5, "average_precision": 0.5}
    assert neutral == wanted | {"auroc": neutral["auroc"]}
    three = summary(labels[:2], np.eye(3)[:2], np.eye(3)[:2], np.eye(3)[:2], class_names=("joy", "fear", "contempt"))
    assert "macro_f1_7" not in three
    alone = summary(labels[-5:], np.eye(8)[labels[-5:]], crowd[:5], probabilities[-5:], class_names=EMOTIONS)
    assert alone["macro_f1_7"] is None  # of contempt alone there is nothing to average


def test_a_resample_without_a_rare_class_does_not_score_the_better_for_it():
    labels = np.repeat([0, 1, 2], [20, 20, 1])
    label = np.eye(3)[np.where(labels == 2, 0, labels)]  # the rare one is taken for the first
    found = summary(labels, np.eye(3)[labels], label, label, class_names=("joy", "fear", "awe"))
    _, high = found["macro_f1_interval"]
    assert high < 2 / 3 + 1e-9
