"""FaceSet: rows keep everything together; duplicates leave train."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from helpers.tiny_sets import write_picture

from data.datasets import load_faces
from data.face_set import FaceSet, concatenate, map_classes, with_labels_for_votes, without_duplicates
from data.pictures.store import Storage
from support import UserError


@pytest.fixture
def faces() -> FaceSet:
    """Three pictures of three sizes; picture i is i all over."""
    return FaceSet(
        images=[np.full((4 + i, 5, 3), i, np.uint8) for i in range(3)],
        votes=np.array([[1, 0], [0.5, 0.5], [0, 1]], np.float32),
        labels=np.array([0, 0, 1]),
        names=("a", "b", "c"),
        class_names=("neutral", "fear"),
        attributes={"gender": np.array(["male", "female", "unsure"])},
    )


@pytest.mark.parametrize("index", [np.array([2, 0]), [2, 0]])
def test_rows_by_number_keep_all_columns_together(faces, index):
    part = faces.rows(index)
    assert len(part) == 2
    assert part.names == ("c", "a")
    assert [image.shape for image in part.images] == [(6, 5, 3), (4, 5, 3)]
    assert part.labels.tolist() == [1, 0]
    assert part.votes.tolist() == [[0, 1], [1, 0]]
    assert part.attributes["gender"].tolist() == ["unsure", "male"]
    assert part.class_names == faces.class_names
    assert part.has_votes


def test_rows_by_mask_may_be_none(faces):
    assert faces.rows(np.array([False, True, False])).names == ("b",)
    none = faces.rows(np.zeros(3, bool))
    assert len(none) == 0
    assert none.votes.shape == (0, 2)
    assert none.attributes["gender"].shape == (0,)


def test_images_may_be_one_array(faces):
    stacked = FaceSet(np.arange(3, dtype=np.uint8)[:, None, None, None] + np.zeros((3, 4, 4, 3), np.uint8),
                      faces.votes, faces.labels, faces.names, faces.class_names)  # fmt: skip
    assert stacked.rows(np.array([1])).images.shape == (1, 4, 4, 3)
    assert stacked.attributes == {}


def test_labels_may_stand_for_votes(faces):
    labelled = with_labels_for_votes(faces)
    assert labelled.votes.tolist() == [[1, 0], [1, 0], [0, 1]]
    assert not labelled.has_votes
    assert faces.has_votes
    assert labelled.votes.dtype == np.float32


def test_duplicates_of_other_splits_leave(faces):
    other = faces.rows(np.array([1]))
    assert without_duplicates(faces, other).names == ("a", "c")
    assert without_duplicates(faces, other, faces).names == ()
    assert without_duplicates(faces).names == faces.names


def test_the_digest_is_of_names_labels_votes_and_classes(faces):
    changes = [
        {"names": ("a", "b", "x")},
        {"labels": np.array([0, 1, 1])},
        {"votes": faces.votes[::-1]},
        {"class_names": ("fear", "neutral")},
        {"class_names": ("neutral", "disgust")},
        {"images": [faces.images[1], faces.images[0], faces.images[2]]},
    ]
    digests = {faces.digest(), *(dataclasses.replace(faces, **change).digest() for change in changes)}
    assert len(digests) == 7
    inside = [faces.images[0], faces.images[1] + 1, faces.images[2]]
    assert dataclasses.replace(faces, images=inside).digest() == faces.digest()  # not all pixels are read
    assert len(faces.digest()) == 32


@pytest.mark.parametrize("storage", [Storage(None), Storage(0.0)])
def test_class_folders_that_were_swapped_have_another_digest_though_all_files_have_one_size(tmp_path, storage):
    for level, name in enumerate(("happy", "sad")):
        for number in range(20):
            write_picture(tmp_path / name / f"{number}.bmp", np.full((4, 4, 3), 40 * level + number, np.uint8))
    before = load_faces(tmp_path, "train", storage=storage).digest()
    assert load_faces(tmp_path, "train", storage=storage).digest() == before
    for old, new in (("happy", "other"), ("sad", "happy"), ("other", "sad")):
        (tmp_path / old).rename(tmp_path / new)
    assert load_faces(tmp_path, "train", storage=storage).digest() != before


def test_sets_are_joined_with_what_all_of_them_have(faces):
    known = dataclasses.replace(faces, persons=np.array(["p", "q", "r"]))
    whole = concatenate([known, known.rows(np.array([1]))])
    assert whole.names == ("a", "b", "c", "b")
    assert whole.persons.tolist() == ["p", "q", "r", "q"]
    assert whole.attributes["gender"].tolist() == ["male", "female", "unsure", "female"]
    assert [image.shape for image in whole.images] == [(4, 5, 3), (5, 5, 3), (6, 5, 3), (5, 5, 3)]
    assert concatenate([known, dataclasses.replace(faces, attributes={})]).persons is None
    assert concatenate([known, dataclasses.replace(faces, attributes={})]).attributes == {}
    mixed = concatenate([faces, with_labels_for_votes(faces)])
    assert mixed.has_votes
    assert mixed.votes.tolist() == [[1, 0], [0.5, 0.5], [0, 1], [1, 0], [1, 0], [0, 1]]


def test_classes_are_renamed_joined_and_left_out():
    votes = np.array([[0.5, 0.25, 0.25], [0, 1, 0], [0, 0.5, 0.5], [0.2, 0, 0.8]], np.float32)
    images = [np.zeros((1, 1, 3), np.uint8)] * 4
    faces = FaceSet(images, votes, np.array([0, 1, 2, 2]), tuple("abcd"), ("glee", "joyful", "other"))
    joined = map_classes(faces, {"glee": "happiness", "joyful": "happiness"})
    assert joined.class_names == ("happiness", "other")
    assert joined.labels.tolist() == [0, 0, 1, 1]
    np.testing.assert_allclose(joined.votes, [[0.75, 0.25], [1, 0], [0.5, 0.5], [0.2, 0.8]])
    left = map_classes(faces, {"joyful": ""})
    assert left.names == ("a", "c", "d")
    assert left.class_names == ("glee", "other")
    np.testing.assert_allclose(left.votes, [[2 / 3, 1 / 3], [0, 1], [0.2, 0.8]])
    assert left.votes.dtype == np.float32
    assert map_classes(faces, {"glee": ""}).names == ("b", "c", "d")  # the first has votes left, but no label
    with pytest.raises(UserError, match="--classes names sad, which the data set lacks"):
        map_classes(faces, {"sad": "sadness"})
    with pytest.raises(UserError, match="leaves no face"):
        map_classes(faces, dict.fromkeys(faces.class_names, ""))


def test_two_labels_that_were_exchanged_give_another_digest_also_without_votes():
    images = [np.zeros((4, 4, 3), np.uint8)] * 6  # whose pixels and sizes tell nothing
    digests = {
        FaceSet(images, np.eye(2, dtype=np.float32)[labels], np.array(labels), tuple("abcdef"), ("x", "y"),
                has_votes=False).digest()
        for labels in ([0, 1, 0, 1, 0, 1], [0, 1, 1, 0, 0, 1])
    }  # fmt: skip
    assert len(digests) == 2
