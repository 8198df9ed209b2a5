"""FaceSet: rows keep everything together; duplicates leave train."""

from __future__ import annotations

import numpy as np
import pytest

from data.face_set import FaceSet, with_labels_for_votes, without_duplicates


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
