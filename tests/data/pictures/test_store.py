"""Pictures in memory and on disk: the same bits, the same faults, the same duplicates."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from helpers.tiny_sets import make_image_folder, write_grey, write_picture

from data.augment import Augment, changed
from data.datasets import load_faces, load_for_training
from data.face_set import END, FaceSet, rows_without_duplicate
from data.faults import FaultyData
from data.loader import EpochLoader
from data.pictures.cache import Picture, PictureCache, shrink
from data.pictures.store import Pictures, Sources, Storage, digests, training_storage
from data.splits import fold_splits, make_folds
from support.resize import resizing


@pytest.fixture
def folder(tmp_path, portrait):
    """Thirty pictures of two classes, larger ones among them."""
    for number in range(30):
        side = (40, 90, 200)[number % 3]
        write_picture(
            tmp_path / f"data/{('happy', 'sad')[number % 2]}/{number}.png", portrait[number : number + side, :side]
        )
    return tmp_path / "data"


def both_ways(folder, tmp_path):
    return [
        load_for_training(folder, storage=training_storage(memory, side=24, folder=tmp_path / "cache"))
        for memory in (1.0, 0.0)
    ]


def test_batches_are_the_same_bit_for_bit(folder, tmp_path):
    (in_memory, validation), (on_disk, validation_on_disk) = both_ways(folder, tmp_path)
    assert in_memory.images.decoded is not None
    assert on_disk.images.decoded is None
    assert list(on_disk.names) == list(in_memory.names)
    loaders = [EpochLoader(faces, Augment(), 4) for faces in (in_memory, on_disk)]
    for epoch in range(2):
        whole, lazy = (list(loader.epoch(epoch, size=24)) for loader in loaders)
        np.testing.assert_equal(lazy, whole)
    np.testing.assert_equal(list(validation_on_disk.images), list(validation.images))
    assert max(image.shape[0] for image in validation.images) == 200  # only training pictures are shrunk
    assert max(image.shape[0] for image in on_disk.images) == 36


@pytest.mark.parametrize("memory", [1.0, 0.0])
def test_of_a_fold_only_training_pictures_are_shrunk(folder, tmp_path, memory):
    faces = load_faces(folder, "all", storage=training_storage(memory, side=24, folder=tmp_path / "cache"))
    train, *others = fold_splits(faces, make_folds(faces, 3), 0)
    assert max(image.shape[0] for image in train.images) == 36
    whole = dict(zip(faces.names, load_faces(folder, "all").images, strict=True))
    for part in others:
        np.testing.assert_equal(list(part.images), [whole[name] for name in part.names])


def detail(image: np.ndarray) -> float:
    """Deviation of what a blur by one pixel takes away."""
    grey = image.astype(float).mean(axis=2)
    return float((grey - cv2.GaussianBlur(grey, (0, 0), 1)).std())


@pytest.mark.parametrize("size_hw", [(100, 100), (144, 144), (200, 140), (300, 300)])
def test_a_training_picture_has_the_detail_that_validation_sees(portrait, size_hw):
    image = cv2.resize(portrait[:200, 130:330], size_hw[::-1], interpolation=cv2.INTER_AREA)
    rows, columns = (resizing(side, 48) for side in size_hw)  # as `Preprocess` does
    seen = detail(np.einsum("yi,ijc,xj->yxc", rows, image, columns))
    shrunk = shrink(image, training_storage(1.0, side=48).cache.side)
    change = Augment.of_strength(0).draw(np.random.default_rng(0), size=48)
    assert detail(changed(shrunk, change, size=48)) == pytest.approx(seen, rel=0.05)
    assert detail(changed(shrunk, change._replace(scale=1.14), size=48)) > 0.85 * seen


def test_in_memory_nothing_is_written(folder, tmp_path):
    load_for_training(folder, storage=training_storage(1.0, side=24, folder=tmp_path / "cache"))
    assert not (tmp_path / "cache").exists()


def test_where_nothing_can_be_kept_that_is_said_and_the_work_goes_on(folder, tmp_path, capsys):
    """Such as in an installation that belongs to another user."""
    (tmp_path / "cache").write_text("a file in the place of the folder")
    faces = load_faces(folder, "all", storage=training_storage(0.0, side=12, folder=tmp_path / "cache"))
    kept = load_faces(folder, "all", storage=training_storage(0.0, side=12, folder=tmp_path / "other"))
    for one, other in zip(faces.images, kept.images, strict=True):
        np.testing.assert_array_equal(one, other)
    assert "is made anew each time" in capsys.readouterr().err
    assert (tmp_path / "other").is_dir()


@pytest.mark.parametrize("memory", [1.0, 0.0])
def test_broken_pictures_are_faults_either_way(folder, tmp_path, memory):
    (folder / "happy/0.png").write_bytes(b"half a picture")
    storage = training_storage(memory, side=24, folder=tmp_path / "cache")
    with pytest.raises(FaultyData, match=r"0\.png is not a picture"):
        load_faces(folder, "all", storage=storage)
    faces = load_faces(folder, "all", storage=storage, skip_bad=True)
    assert len(faces) == 29
    assert "happy/0.png" not in faces.names


@pytest.mark.parametrize("memory", [1.0, 0.0])
def test_duplicates_are_found_either_way(tmp_path, memory):
    make_image_folder(tmp_path / "data", {"train/happy": 6, "train/sad": 6, "test/sad": 3, "validation/sad": 1})
    storage = training_storage(memory, side=24, folder=tmp_path / "cache")
    train, validation = load_for_training(tmp_path / "data", storage=storage)
    assert train.names == ("train/happy/3.png", "train/happy/4.png", "train/happy/5.png", "train/sad/3.png",
                           "train/sad/4.png", "train/sad/5.png")  # fmt: skip
    assert rows_without_duplicate(validation, train).tolist() == [True]


def test_only_files_that_end_alike_are_read_whole(tmp_path):
    end = bytes(END)
    contents = [b"a" + end, b"b" + end, b"a" + end + b"c", b"short", b"a" + end]
    for number, content in enumerate(contents):
        (tmp_path / f"{number}.png").write_bytes(content)
    pictures = Pictures(Sources((tmp_path / f"{number}.png", None) for number in range(5)))
    ends, whole = (digests(pictures, np.arange(5), last=last) for last in (END, None))
    assert [len(set(ends[list(rows)].tolist())) for rows in ((0, 1, 4), (0, 2), (0, 3))] == [1, 2, 2]
    assert whole[0] == whole[4]
    assert len(set(whole.tolist())) == 4
    faces = FaceSet(pictures, np.ones((5, 1)), np.zeros(5, int), tuple("abcde"), ("x",))
    assert rows_without_duplicate(faces.rows(np.arange(4)), faces.rows(np.array([4]))).tolist() == [False, *[True] * 3]
    assert rows_without_duplicate(faces).all()


def test_rows_slices_and_iteration_agree(folder, tmp_path):
    lazy = load_faces(folder, "all", storage=Storage(0.0)).images
    whole = load_faces(folder, "all").images
    for part in (slice(None), slice(1, 9, 3), np.array([5, 0, 5])):
        np.testing.assert_equal(list(lazy[part]), list(whole[part]))
        np.testing.assert_equal([lazy[part][row] for row in range(len(lazy[part]))], list(whole[part]))
    np.testing.assert_equal(lazy[-1], whole[-1])
    assert len(list(Pictures.joined([lazy[:3], lazy[3:5]]))) == 5


@pytest.mark.parametrize("memory", [None, 0.5])
def test_without_a_check_only_missing_files_are_told_and_nothing_is_decoded(tmp_path, monkeypatch, memory):
    monkeypatch.setattr("data.pictures.store.decode", lambda picture: pytest.fail(f"{picture} is decoded"))
    good, text = write_grey(tmp_path / "a.png", 3), tmp_path / "b.png"
    text.write_text("no picture")
    pictures, broken = Storage(memory, check=False).store(
        Sources([Picture(good), Picture(text), Picture(tmp_path / "gone.png")])
    )
    assert list(broken) == [2]
    assert pictures.decoded is None
    assert len(pictures) == 2


def test_the_budget_is_a_share_of_the_free_memory(folder, monkeypatch):
    whole = sum(image.nbytes for image in load_faces(folder, "train").images)
    estimate = Storage.estimate(load_faces(folder, "train").images)
    assert 0.5 * whole < estimate < 2 * whole
    for free, kept in ((4 * whole, True), (whole / 4, False)):
        monkeypatch.setattr("data.pictures.store.free_memory", lambda free=free: free)
        assert (load_faces(folder, "train", storage=Storage(0.9)).images.decoded is not None) == kept


def test_processes_of_one_machine_share_the_budget(monkeypatch, tmp_path):
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert training_storage(0.5, side=24, folder=tmp_path) == Storage(0.125, PictureCache(36, tmp_path))


def test_sources_are_what_went_in(tmp_path):
    pictures = [Picture(tmp_path / "ä.png", (1, 2, 3, 4)), Picture(tmp_path / "b.png", (5, 6, 7, 8))]
    assert list(Sources(pictures)) == pictures
    assert list(Sources(pictures)[1:]) == pictures[1:]
    grey = np.zeros((2, 2), np.uint8)
    assert Sources([Picture(grey)])[0].source is grey
    assert len(Sources([])) == 0
