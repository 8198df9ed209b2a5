"""The parts of a data set: the same whatever the order, people whole; folds that share nobody."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from data.face_set import FaceSet
from data.samples import Sample, Samples
from data.splits import fold_splits, make_folds, split_off
from support import UserError


def sample(name: str, *, label: int = 0, split: str = "train", picture: Path = Path("a.png"), **more) -> Sample:
    return Sample(name=name, split=split, label=label, picture=picture, file=Path("list.csv"), line=1, **more)


def names_of(rows: list[Sample], split: str) -> set[str]:
    return {row.name for row in rows if row.split == split}


def test_the_split_is_stratified_and_leaves_other_splits_alone():
    rows = [sample(f"{label}-{i}", label=label) for label, count in enumerate((100, 40, 3, 1)) for i in range(count)]
    rows += [sample("t", split="test")]
    split = split_off(rows, 0.1, split="validation")
    moved = [row.label for row in split if row.split == "validation"]
    assert np.bincount(moved, minlength=4).tolist() == [10, 4, 1, 0]  # one of three, but never the only one
    assert names_of(split, "test") == {"t"}
    assert names_of(split, "train").isdisjoint(names_of(split, "validation"))
    assert [row.name for row in split] == [row.name for row in rows]


@pytest.mark.parametrize("classes", [255, 256, 257])
def test_of_very_many_classes_each_is_split(classes):
    rows = Samples(sample(f"{i}", label=i % classes) for i in range(2 * classes))
    assert split_off(rows, 0.2, split="test").splits.equal("test").sum() == classes


def test_the_split_does_not_depend_on_the_order_of_rows(rng):
    rows = [sample(f"train_{i:05}", label=i % 7) for i in range(350)]
    first = names_of(split_off(rows, 0.1, split="validation"), "validation")
    shuffled = [rows[i] for i in rng.permutation(len(rows))]
    assert names_of(split_off(shuffled, 0.1, split="validation"), "validation") == first
    assert len(first) == 35
    numbers = sorted(int(name[6:]) for name in first)
    assert numbers[0] < 100 < 250 < numbers[-1]  # from all over the list
    second = split_off(split_off(rows, 0.2, split="test"), 0.1, split="validation")
    assert names_of(second, "test").isdisjoint(names_of(second, "validation"))


def test_those_with_the_smallest_hashes_are_moved_and_one_listed_twice_goes_one_way():
    rows = [sample(f"{i % 50}", label=i % 2) for i in range(100)] + [sample("7", split="test")]
    hashes = {row.name: hashlib.blake2b(f"0 {row.name}".encode(), digest_size=8).digest() for row in rows}
    moved = names_of(split_off(rows, 0.1, split="validation"), "validation")
    assert moved == {name for odd in (0, 1) for name in sorted(map(str, range(odd, 50, 2)), key=hashes.get)[:3]}
    assert names_of(split_off(rows, 1.0, split="validation"), "test") == {"7"}


def test_people_are_never_divided():
    rows = [sample(f"{person}-{i}", label=i % 2, person=f"p{person}") for person in range(20) for i in range(5)]
    split = split_off(split_off(rows, 0.2, split="test"), 0.1, split="validation")
    people = {name: {row.person for row in split if row.split == name} for name in ("train", "validation", "test")}
    assert {name: len(found) for name, found in people.items()} == {"train": 14, "validation": 2, "test": 4}
    assert not people["train"] & people["test"]
    assert not people["train"] & people["validation"]
    assert list(split_off(rows[::-1], 0.2, split="test"))[::-1] == list(split_off(rows, 0.2, split="test"))


@pytest.mark.parametrize("seed", range(20))
def test_a_person_with_most_of_the_faces_is_trained_on_and_not_tested_on(seed):
    counts = {f"{seed}-a": 900, f"{seed}-b": 50, f"{seed}-c": 50, f"{seed}-d": 50}
    rows = [sample(f"{person}-{i}", person=person) for person, count in counts.items() for i in range(count)]
    split = split_off(split_off(rows, 0.2, split="test"), 0.1, split="validation")
    faces = Counter(row.split for row in split)
    assert (faces["test"] + faces["validation"], faces["train"]) == (150, 900)
    assert min(faces.values()) >= 50


def test_faces_of_a_moved_person_in_another_split_stay_there():
    rows = [sample(f"{who}-{i}", person=who, split="train" if i else "test") for who in "abcdefgh" for i in range(4)]
    split = split_off(rows, 0.25, split="validation")
    assert names_of(split, "validation")
    assert names_of(split, "test") == {f"{who}-0" for who in "abcdefgh"}


def test_of_two_people_one_is_moved_however_many_faces_each_has():
    rows = [sample(f"{person}-{i}", person=person) for person, count in (("a", 90), ("b", 10)) for i in range(count)]
    assert len({row.person for row in split_off(rows, 0.1, split="test") if row.split == "test"}) == 1
    alone = [sample(str(i), person="a") for i in range(4)]
    assert list(split_off(alone, 0.2, split="test")) == alone


def faces_of(persons: list[str] | None, labels: list[int]) -> FaceSet:
    n = len(labels)
    images = np.zeros((n, 2, 2, 3), np.uint8)
    votes = np.eye(2, dtype=np.float32)[labels]
    names = tuple(map(str, range(n)))
    return FaceSet(images, votes, np.array(labels), names, ("x", "y"), persons=persons and np.array(persons))


def test_folds_have_every_face_once_and_every_person_in_one():
    persons = [f"p{person}" for person, count in enumerate((9, 7, 5, 4, 4, 3, 2, 2)) for _ in range(count)]
    faces = faces_of(persons, [i % 2 for i in range(36)])
    folds = make_folds(faces, 3)
    assert sorted(np.concatenate(folds).tolist()) == list(range(36))
    assert [len(rows) for rows in folds] == [12, 13, 11]
    seen = [set(faces.persons[rows].tolist()) for rows in folds]
    assert sum(map(len, seen)) == 8
    for number in range(3):
        parts = fold_splits(faces, folds, number)
        people = [set(part.persons.tolist()) for part in parts]
        assert sum(map(len, parts)) == 36
        assert sum(map(len, people)) == 8
        assert people[2] == seen[number]


def test_without_people_each_class_is_spread_evenly():
    faces = faces_of(None, [0] * 20 + [1] * 10)
    for rows in make_folds(faces, 5):
        assert np.bincount(faces.labels[rows]).tolist() == [4, 2]


def test_more_folds_than_people_are_refused():
    with pytest.raises(UserError, match=r"--folds 3 needs as many people.* here are 2 people"):
        make_folds(faces_of(["a", "a", "b"], [0, 1, 0]), 3)


def test_a_class_of_two_gives_one_and_people_count_only_where_all_are_known():
    two = [sample(str(i), label=i // 2) for i in range(4)]
    assert [row.label for row in split_off(two, 0.1, split="test") if row.split == "test"] == [0, 1]
    mixed = [sample(f"{i}", label=i % 2, person="p" * (i < 10)) for i in range(20)]
    nobody = [sample(f"{i}", label=i % 2) for i in range(20)]
    assert names_of(split_off(mixed, 0.2, split="test"), "test") == names_of(
        split_off(nobody, 0.2, split="test"), "test"
    )
