"""FER+: which rows count, votes, both layouts, faults; and the official counts where the release is at hand."""

from __future__ import annotations

import csv
import functools
import pathlib
import shutil
import tarfile

import numpy as np
import pytest
from helpers.paths import SHARED
from helpers.tiny_sets import (
    FER_COLUMNS,
    FER_ROWS,
    edit_line,
    faults_of,
    fer_level,
    fer_pixels,
    make_ferplus,
    make_ferplus_csv,
    write_lines,
)

from data.datasets import ferplus, load_format
from data.datasets.fer2013 import LABELS
from data.datasets.ferplus import check_order, drop_single_votes, find, kappa, majority_rows
from support import UserError
from support.emotions import EMOTIONS

load = functools.partial(load_format, ferplus)

CLASSES = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
RELEASE = SHARED / "data" / "ferplus.tar.gz"
NAMES = {  # an unknown counts nowhere, a tie only in training
    "train": ("fer0000000.png", "fer0000002.png", "fer0000003.png"),
    "validation": ("fer0000010.png", "fer0000013.png"),
    "test": ("fer0000020.png", "fer0000023.png"),
}


@pytest.mark.parametrize("make", [make_ferplus, make_ferplus_csv])
def test_rows_labels_votes_and_pictures(tmp_path, make):
    assert find(make(tmp_path)) is not None
    for part, split in enumerate(NAMES):
        faces = load(tmp_path, split)
        assert faces.class_names == CLASSES
        assert faces.names == NAMES[split]
        assert faces.has_votes
        for image, name in zip(faces.images, faces.names, strict=True):
            assert image.shape == (48, 48, 3)
            assert (image == fer_level(part, int(name[9]))).all()
        assert [CLASSES[label] for label in faces.labels[[0, -1]]] == ["anger", "happiness"]
        np.testing.assert_allclose(faces.votes[0], [0, 0, 0, 0, 0.75, 0.25, 0, 0])  # single votes are dropped
        np.testing.assert_allclose(faces.votes[-1], [0.2, 0.8, 0, 0, 0, 0, 0, 0])
    np.testing.assert_allclose(load(tmp_path, "train").votes[1], [0, 0, 0.5, 0, 0, 0, 0.5, 0])


def test_single_votes_are_dropped_unless_there_are_no_others():
    counts = np.zeros((2, 10), np.float32)
    counts[0, :4] = 7, 2, 1, 0
    counts[1, :3] = 1
    assert drop_single_votes(counts)[:, :4].tolist() == [[7, 2, 0, 0], [1, 1, 1, 0]]


def test_a_majority_is_more_than_half_of_what_is_left_and_an_expression():
    rows = {  # counts of neutral, happiness, ..., contempt, unknown, not a face
        (6, 4, 0, 0, 0, 0, 0, 0, 0, 0): True,
        (5, 5, 0, 0, 0, 0, 0, 0, 0, 0): False,
        (4, 3, 3, 0, 0, 0, 0, 0, 0, 0): False,
        (4, 3, 1, 1, 1, 0, 0, 0, 0, 0): True,  # 4 of 7
        (0, 0, 0, 0, 0, 0, 0, 0, 9, 1): False,
        (1, 1, 1, 1, 1, 1, 1, 1, 1, 1): False,
    }
    assert majority_rows(np.array(list(rows), np.float32)).tolist() == list(rows.values())


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ('fer0000021.png,"(0, 0, 48, 48)",0,0,0,0,0,0,0,0,0,0', "the votes sum to zero"),
        ('fer0000020.png,"(0, 0, 48, 48)",0,9,0,0,0,0,0,0,0,0', "fer0000020.png is a duplicate of label.csv:1"),
        ("fer0000021.png,0,9,0,0,0,0,0,0,0,0", "wanted 12 fields (name, box and ten counts), found 11"),
    ],
)
def test_faults_of_a_label_file(tmp_path, row, fault):
    make_ferplus(tmp_path)
    edit_line(tmp_path / "FER2013Test/label.csv", 2, row)
    (found,) = faults_of(load, tmp_path, "test")
    assert found.startswith(f"FER2013Test/label.csv:2: {fault}")
    assert load(tmp_path, "test", skip_bad=True).names == NAMES["test"]
    assert load(tmp_path, "train").names == NAMES["train"]


def test_a_missing_picture_is_a_fault(tmp_path):
    make_ferplus(tmp_path)
    (tmp_path / "FER2013Valid/fer0000013.png").unlink()
    (fault,) = faults_of(load, tmp_path, "validation")
    assert fault.startswith("FER2013Valid/label.csv:4: cannot open FER2013Valid/fer0000013.png")


def test_faults_of_the_two_csv_files(tmp_path):
    make_ferplus_csv(tmp_path)
    votes = tmp_path / "fer2013new.csv"
    edit_line(votes, 2, "Training,fer0000000.png,0,0,0,0,0,0,0,0,0,0")
    edit_line(votes, 3, f"PublicTest,fer0000001.png,{FER_ROWS[1]}")
    edit_line(votes, 4, f"Training,,{FER_ROWS[2]}")  # dropped by the release: no fault
    edit_line(votes, 7, f"PublicTest,fer0000010.png,{FER_ROWS[0]}")
    with open(votes, "a") as file:
        file.write(f"PrivateTest,fer0000099.png,{FER_ROWS[0]}\n")
    assert faults_of(load, tmp_path, "train") == [
        "fer2013new.csv:2: the votes sum to zero",
        "fer2013new.csv:7: fer0000010.png is a duplicate of fer2013new.csv:6",
        "fer2013.csv:3: Usage is 'Training' here, but not on line 3 of fer2013new.csv",
        "fer2013new.csv:14: fer2013.csv has no usable line 14 for these votes",
    ]
    assert load(tmp_path, "train", skip_bad=True).names == ("fer0000003.png",)


def test_more_pixels_than_votes_are_a_fault(tmp_path):
    make_ferplus_csv(tmp_path)
    with open(tmp_path / "fer2013.csv", "a") as file:
        file.write(f"0,{fer_pixels(1)},PrivateTest\n")
    assert faults_of(load, tmp_path, "test") == ["fer2013.csv:14: fer2013new.csv has no line 14 for this picture"]


def test_the_official_counts():
    if not RELEASE.exists():
        pytest.skip(f"the FER+ release is not at {RELEASE}")
    majority, training = {}, 0
    with tarfile.open(RELEASE, "r|gz") as archive:  # a stream: nothing is unpacked but the three tables
        for member in archive:
            if member.name.endswith("/label.csv"):
                lines = archive.extractfile(member).read().decode().splitlines()
                counts = np.array([row[2:] for row in csv.reader(lines)], dtype=np.float32)
                part = member.name.split("/")[1]
                majority[part] = int(majority_rows(counts).sum())
                if part == "FER2013Train":
                    training = int((drop_single_votes(counts).argmax(axis=1) < 8).sum())
    assert majority == {"FER2013Train": 25045, "FER2013Valid": 3191, "FER2013Test": 3137}
    assert training == 28385


def make_long(root, *, names=None, votes=None, labels=None, n: int = 60):
    """FER2013's csv and FER+'s votes, `n` rows a part, the label the top vote in most of them."""
    rng = np.random.default_rng(0)
    true = rng.integers(0, 7, 3 * n)
    order = {name: number for number, name in enumerate(LABELS)}  # FER2013's numbers
    fer = [order[EMOTIONS[t]] for t in (true if labels is None else labels(true))]
    usages = np.repeat(["Training", "PublicTest", "PrivateTest"], n)
    write_lines(root / "fer2013.csv", ["emotion,pixels,Usage"] + [
        f"{label},{fer_pixels(number % 250)},{usage}"
        for number, (label, usage) in enumerate(zip(fer, usages, strict=True))
    ])  # fmt: skip
    counts = np.where(np.arange(10) == true[:, None], 7, 0) + rng.multinomial(3, [0.1] * 10, 3 * n)
    places = np.arange(3 * n) if votes is None else votes(rng, n)
    numbers = places if names is None else names
    lines = [f"{usage},fer{number:07}.png,{','.join(map(str, counts[place]))}"
             for usage, number, place in zip(usages, numbers, places, strict=True)]  # fmt: skip
    write_lines(root / "fer2013new.csv", [FER_COLUMNS, *lines])
    return root


def within_parts(rng, n: int):
    return np.concatenate([part * n + rng.permutation(n) for part in range(3)])


def test_votes_in_the_published_order_are_joined(tmp_path):
    assert len(load(make_long(tmp_path), "train")) > 30


def test_rows_that_were_sorted_again_are_refused_by_their_names(tmp_path):
    make_long(tmp_path, votes=within_parts)
    for skip_bad in (False, True):
        with pytest.raises(UserError, match=r"names stand before a smaller one; as published they ascend"):
            load(tmp_path, "test", skip_bad=skip_bad)


def test_and_by_their_votes_where_the_names_were_sorted_too(tmp_path):
    make_long(tmp_path, votes=within_parts, names=np.arange(180))
    with pytest.raises(UserError, match=r"agree with FER2013's label hardly more often than by chance \(kappa"):
        load(tmp_path, "test")


def test_a_block_in_another_order_shows_among_many(monkeypatch):
    monkeypatch.setattr(ferplus, "BLOCK", 100)
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 7, 1000)
    votes = labels.copy()
    check_order(tmp := pathlib.Path("votes.csv"), [], list(zip(labels, votes, strict=True)))
    votes[600:700] = rng.permutation(votes[600:700])
    with pytest.raises(UserError, match="in rows 601 to 700"):
        check_order(tmp, [], list(zip(labels, votes, strict=True)))


def test_kappa_is_scikit_learns():
    metrics = pytest.importorskip("sklearn.metrics")
    pairs = np.random.default_rng(1).integers(0, 3, (200, 2))
    pairs[:120, 1] = pairs[:120, 0]
    assert kappa(pairs) == pytest.approx(metrics.cohen_kappa_score(pairs[:, 0], pairs[:, 1]))
    assert kappa(np.array([[1, 1], [1, 1]])) == 1


def test_kappa_of_a_table_by_hand():
    pairs = np.repeat([[0, 0], [0, 1], [1, 0], [1, 1]], [20, 5, 10, 15], axis=0)  # Cohen 1960: p_o 0.7, p_e 0.5
    assert kappa(pairs) == pytest.approx(0.4)


def test_folders_of_pictures_are_joined_to_the_releases_votes_by_name(tmp_path):
    make_ferplus(tmp_path / "data")
    expected = {split: load(tmp_path, split) for split in NAMES}
    make_ferplus_csv(tmp_path / "csv")
    (tmp_path / "csv/fer2013new.csv").rename(tmp_path / "data/fer2013new.csv")
    shutil.rmtree(tmp_path / "csv")
    for part in ("FER2013Train", "FER2013Valid", "FER2013Test"):
        (tmp_path / "data" / part / "label.csv").unlink()
    rows = (tmp_path / "data/fer2013new.csv").read_text().splitlines()
    dropped = f"Training,,{FER_ROWS[0]}"  # by the release: without a name
    write_lines(tmp_path / "data/fer2013new.csv", [rows[0], *rows[:0:-1], dropped])  # by name: their order is free
    for split, faces in expected.items():
        found = load(tmp_path, split)
        assert sorted(found.names) == sorted(faces.names)
        assert {name: int(image[0, 0, 0]) for name, image in zip(found.names, found.images, strict=True)} == {
            name: int(image[0, 0, 0]) for name, image in zip(faces.names, faces.images, strict=True)
        }


def test_pictures_may_lie_in_folders_of_their_part(tmp_path):
    make_ferplus(tmp_path)
    part = tmp_path / "FER2013Test"
    (part / "a").mkdir()
    (part / "fer0000020.png").rename(part / "a" / "fer0000020.png")
    table = part / "label.csv"
    table.write_text(table.read_text().replace("fer0000020.png", "a/fer0000020.png"))
    assert "a/fer0000020.png" in load(tmp_path, "test").names
