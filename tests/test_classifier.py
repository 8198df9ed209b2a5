"""The classifier: batches, temperature, mirror views, and the shipped checkpoint on a real face."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from data.emotions import EMOTIONS
from models.checkpoint import Checkpoint
from models.classifier import BATCH, Classifier, predict_logits
from models.spec import find_spec

SPEC = find_spec("small_resnet18_w32")


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    torch.manual_seed(0)
    network = SPEC.build(4)
    return Classifier(
        Checkpoint("small_resnet18_w32", tuple("abcd"), SPEC.preprocess, network.state_dict(), 0.5), calibrated=True
    )


@pytest.fixture
def crops(rng) -> np.ndarray:
    return rng.integers(0, 256, (5, 48, 48, 3), dtype=np.uint8)


def test_rows_are_probabilities_of_the_logits_over_the_temperature(classifier, crops):
    found = classifier.probabilities(crops)
    assert found.shape == (5, 4)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
    logits = classifier.network(SPEC.preprocess(crops)).numpy()
    expected = np.exp(logits / 0.5) / np.exp(logits / 0.5).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_the_crowds_shares_are_the_plain_softmax(classifier, crops):
    checkpoint = Checkpoint("small_resnet18_w32", tuple("abcd"), SPEC.preprocess, classifier.network.state_dict(), 0.5)
    logits = classifier.logits(crops)
    torch.testing.assert_close(Classifier(checkpoint).to_probabilities(logits), logits.softmax(dim=1))


def test_one_by_one_is_the_same_as_together_and_nothing_gives_nothing(classifier, crops):
    one_by_one = np.concatenate([classifier.probabilities(crop[None]) for crop in crops])
    np.testing.assert_allclose(classifier.probabilities(crops), one_by_one, atol=1e-5)
    assert classifier.probabilities(crops[:0]).shape == (0, 4)


def test_more_than_a_batch_and_crops_of_several_sizes(classifier, rng):
    many = rng.integers(0, 256, (BATCH + 3, 8, 8, 3), dtype=np.uint8)
    logits = predict_logits(classifier.network, SPEC.preprocess, many, device="cpu")
    assert logits.shape == (BATCH + 3, 4)
    last = predict_logits(classifier.network, SPEC.preprocess, many[-1:], device="cpu")
    np.testing.assert_allclose(logits[-1:], last, atol=1e-4)
    mixed = [many[0], rng.integers(0, 256, (60, 60, 3), dtype=np.uint8)]
    assert classifier.probabilities(mixed).shape == (2, 4)


def test_mirror_views_make_the_answer_symmetric(classifier, crops):
    found = classifier.probabilities(crops, tta=True)
    np.testing.assert_allclose(found, classifier.probabilities(crops[:, :, ::-1], tta=True), atol=1e-6)
    both = classifier.probabilities(crops) + classifier.probabilities(crops[:, :, ::-1])
    np.testing.assert_allclose(found, both / 2, atol=1e-6)


def test_the_shipped_checkpoint_reads_a_smile(portrait):
    classifier = Classifier.from_file()
    assert classifier.class_names == EMOTIONS
    probabilities = classifier.probabilities(portrait[None, 60:172, 169:281])
    assert EMOTIONS[probabilities[0].argmax()] == "happiness"
    assert not any(p.requires_grad for p in classifier.network.parameters())
