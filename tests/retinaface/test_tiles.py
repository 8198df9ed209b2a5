"""Tiles: they cover a picture, every face is whole in the one that owns it, and none is lost or doubled at a seam."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from retinaface import tiles
from retinaface.anchors import STRIDES, anchors_for, iou
from retinaface.detector import RetinaFace
from retinaface.face import Face
from retinaface.tiles import EDGE, MARGIN, OVERLAP, TILE, tiles_of

SIZES_HW = [(3024, 4032), (600, 16000), (16000, 600), (2049, 2048), (1, 9000), (40, 300_000), (6000, 8000)]


def face(left: float, top: float, width: float, height: float) -> Face:
    box = np.array([left, top, left + width, top + height], np.float32)
    return Face(box, np.zeros((5, 2), np.float32), 0.9)


@pytest.mark.parametrize("size_hw", SIZES_HW)
def test_tiles_are_bounded_and_stand_where_anchors_do(size_hw):
    covered = [0, 0]
    for tile in tiles_of(size_hw):
        left, top, right, bottom = tile.rect_xyxy
        assert 0 < right - left <= TILE
        assert 0 < bottom - top <= TILE
        assert left % STRIDES[-1] == top % STRIDES[-1] == 0
        covered = [max(covered[0], bottom), max(covered[1], right)]
    assert tuple(covered) == size_hw


def test_what_fits_is_one_tile_that_owns_everything():
    (tile,) = tiles_of((TILE, TILE))
    assert tile.rect_xyxy == (0, 0, TILE, TILE)
    faces = [face(-20, -20, 30, 30), face(2000, 1990, 300, 90)]
    assert tile.owned(faces) == faces
    assert tile.owned([]) == []
    frame = np.zeros((TILE, TILE, 3), np.uint8)
    assert tile.view(frame).shape == frame.shape


@pytest.mark.parametrize("size_hw", SIZES_HW[:4])
def test_every_face_that_a_tile_can_hold_is_whole_in_one_that_owns_it(size_hw, rng):
    largest, covering = OVERLAP - 2 * (MARGIN + EDGE), tiles_of(size_hw)
    for _ in range(300):
        width, height = rng.uniform(8, largest, 2)
        one = face(rng.uniform(0, size_hw[1] - width), rng.uniform(0, size_hw[0] - height), width, height)
        owners = [tile for tile in covering if tile.owned([one])]
        assert owners
        for tile in owners:
            left, top, right, bottom = tile.rect_xyxy
            assert left <= one.box_xyxy[0]
            assert top <= one.box_xyxy[1]
            assert one.box_xyxy[2] <= right
            assert one.box_xyxy[3] <= bottom


def test_a_face_that_a_tile_cuts_is_not_its_own():
    first, second, _ = tiles_of((600, 5000))
    seam = first.rect_xyxy[2]
    cut = face(seam - 400, 100, 400, 400)  # as far as the first tile shows it; its centre is on that tile's side
    assert not first.owned([cut])
    start = second.rect_xyxy[0]
    assert not second.owned([face(start, 100, 500, 500)])


@pytest.fixture(scope="module")
def detector() -> RetinaFace:
    return RetinaFace.from_file(imgsz=None)


def group_photo(portrait: np.ndarray, size_hw: tuple[int, int], heads: list[tuple[int, int, int]]) -> np.ndarray:
    """A wall with the portrait's head, `side` pixels high, centred on each (x, y, side)."""
    picture = np.full((*size_hw, 3), (150, 158, 160), np.uint8)
    for x, y, side in heads:
        head = cv2.resize(portrait[10:230, 114:334], (side * 2, side * 2), interpolation=cv2.INTER_AREA)
        picture[y - side : y + side, x - side : x + side] = head
    return picture


def test_faces_on_seams_are_found_once_and_where_they_are_found_without_tiles(detector, portrait, monkeypatch):
    """Seams of 224 pixels, corners where four tiles meet, and a face too large for any tile."""
    heads = [(536, 432, 60), (760, 250, 90), (312, 208, 44), (90, 90, 36), (930, 760, 40), (536, 90, 50)]
    picture = group_photo(portrait, (900, 1600), [*heads, (1300, 450, 290)])
    (whole,) = detector([picture])
    monkeypatch.setattr(tiles, "TILE", 640)
    assert len(tiles_of(picture.shape[:2])) == 3 * 6
    (tiled,) = detector([picture])
    assert len(whole) == len(tiled) == len(heads) + 1
    boxes = [np.stack([face.box_xyxy for face in faces]) for faces in (whole, tiled)]
    nearest = iou(*boxes).argmax(axis=1)
    assert sorted(nearest) == list(range(len(tiled)))
    sides = boxes[0][:, 2:] - boxes[0][:, :2]
    off = np.abs(boxes[1][nearest] - boxes[0]).max(axis=1)
    assert (off <= np.maximum(2, 0.015 * sides.max(axis=1))).all(), off
    landmarks = [np.stack([face.landmarks_xy for face in faces]) for faces in (whole, tiled)]
    off = np.abs(landmarks[1][nearest] - landmarks[0]).max(axis=(1, 2))
    assert (off <= np.maximum(2, 0.015 * sides.max(axis=1))).all(), off


def test_small_faces_of_a_large_picture_are_lost_at_640_and_found_at_its_own_size(detector, portrait):
    heads = [(150 + 300 * i, 150 + 200 * (i % 3), 24 + 3 * i) for i in range(8)]
    picture = group_photo(portrait, (700, 2600), heads)
    reduced, own = detector([picture, picture], imgsz=[640, None])
    assert len(own) == len(heads)
    assert len(reduced) < len(heads)
    assert reduced.reduced == pytest.approx(2600 / 640)
    assert own.reduced == 1
    found = np.stack([face.box_xyxy for face in own])
    centres = (found[:, :2] + found[:, 2:]) / 2
    for x, y, side in heads:
        assert np.abs(centres - (x, y)).max(axis=1).min() < 0.5 * side


@pytest.mark.parametrize("size_hw", [(3024, 4032), (600, 16000), (16000, 600)])
def test_memory_is_bounded_whatever_the_size(detector, monkeypatch, size_hw):
    """No pass of the network sees more pixels than a tile has, and it sees every pixel."""
    passes: list[tuple[int, ...]] = []

    def nothing(batch):
        passes.append(batch.shape)
        count = len(anchors_for(batch.shape[1:3]))
        return [np.zeros((1, count), np.float32), np.zeros((1, count, 4)), np.zeros((1, count, 5, 2))]

    monkeypatch.setattr(detector, "engine", nothing)
    picture = np.broadcast_to(np.uint8(128), (*size_hw, 3))
    assert detector([picture]) == [[]]
    pixels = [rows * columns for _, rows, columns, _ in passes]
    assert max(pixels) <= TILE * TILE
    assert size_hw[0] * size_hw[1] <= sum(pixels) <= 3 * size_hw[0] * size_hw[1]
    assert {frames for frames, *_ in passes} == {1}


def test_a_face_about_the_middle_of_what_two_tiles_share_is_found_in_both():
    first, second, _ = tiles_of((600, 5000))
    middle = (first.rect_xyxy[2] + second.rect_xyxy[0]) / 2
    for off, owners in ((-MARGIN - 1, [first]), (1 - MARGIN, [first, second]), (MARGIN - 1, [first, second]),
                        (MARGIN + 1, [second])):  # fmt: skip
        one = face(middle + off - 20, 100, 40, 40)
        assert [tile for tile in (first, second) if tile.owned([one])] == owners


@pytest.mark.parametrize(("side", "count"), [(100, 0), (150, 1)])
def test_a_large_face_of_a_picture_that_is_reduced_and_tiled_comes_from_the_smaller_one(monkeypatch, side, count):
    """Of 1600 x 2400 pixels half as many are searched in tiles, and a quarter for faces of 256 pixels there or more."""
    detector, seen = RetinaFace.from_file(imgsz=1200), []

    def engine(batch):
        seen.append(batch.shape[1:3])
        score = np.full((1, 1), 0.9 * (seen[-1] == (400, 600)), np.float32)
        return [score, np.array([[[10, 10, 10 + side, 10 + side]]], np.float32), np.full((1, 1, 5, 2), 50, np.float32)]

    monkeypatch.setattr(detector, "engine", engine)
    monkeypatch.setattr(tiles, "TILE", 640)
    (found,) = detector([np.zeros((1600, 2400, 3), np.uint8)])
    assert [one.size for one in found] == [4 * side] * count  # of 400 pixels are 200 in the tiles
    assert seen[-1] == (400, 600)
