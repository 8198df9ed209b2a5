"""Training windows: boxes and landmarks stay on the face, at every scale; batches are the same for a seed."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest

from retinaface.training.annotations import Picture
from retinaface.training.geometry import box_area
from retinaface.training.matching import match_anchors
from retinaface.training.windows import (
    BOXED_BY_HAND,
    FACE_FREE,
    HARD_NEGATIVE_GAIN,
    MOSAICS_UNTIL,
    MOST_FACES,
    PORTRAITS,
    SMALLEST_SIDE,
    WindowBatches,
    WindowMaker,
    moved,
    place,
    warp,
)

NO_BOXES, NO_POINTS = np.empty((0, 4), np.float32), np.empty((0, 5, 2), np.float32)
CORNERS = np.array([[60, 80], [100, 80], [80, 100], [65, 120], [95, 120]], np.float32)  # of the drawn face


def drawn() -> Picture:
    """A white disc on black, with a red dot on each landmark, as the one face of a picture."""
    image = np.zeros((240, 320, 3), np.uint8)
    cv2.ellipse(image, (80, 100), (40, 50), 0, 0, 360, (255, 255, 255), -1)
    for x, y in CORNERS.astype(int):
        cv2.circle(image, (int(x), int(y)), 4, (255, 0, 0), -1)
    return Picture("a/drawn", image, np.array([[40, 50, 120, 150]], np.float32), CORNERS[None], NO_BOXES, complete=True)


def empty(number: int = 0) -> Picture:
    return Picture(f"a/{number}", np.full((90, 120, 3), 90, np.uint8), NO_BOXES, NO_POINTS, NO_BOXES, complete=True)


@pytest.mark.parametrize("kind", ["any", "quarter", "large", "filled"])
def test_boxes_and_landmarks_lie_where_the_face_is_drawn(kind):
    picture, checked = drawn(), 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        matrix, mirror = place(picture, (240, 320), rng, size=320, kind=kind)
        image = warp(picture.image, matrix, 320, rng)
        boxes, landmarks, _ = moved(picture, matrix, size=320, mirror=mirror)
        if not len(boxes) or (boxes < 0).any() or (boxes > 320).any() or box_area(boxes)[0] < 40**2:
            continue
        checked += 1
        white = np.zeros((320, 320), np.uint8)
        left, top, right, bottom = boxes[0].round().astype(int)
        white[top : bottom + 1, left : right + 1] = 1
        centre = (boxes[0, :2] + boxes[0, 2:]) / 2
        assert image[int(centre[1]), int(centre[0])].max() > 120
        for x, y in landmarks[0]:
            red, green, _ = image[round(float(y)), round(float(x))].astype(int)
            assert red > 120
            assert green < 120  # a dot, not the disc around it
        assert (landmarks[0, 0, 0] < landmarks[0, 1, 0]) or abs(
            np.arctan2(matrix[1, 0], matrix[0, 0])
        ) > 0  # left is left
        assert landmarks[0, 0, 0] < landmarks[0, 1, 0] + 40
    assert checked >= (4 if kind == "filled" else 15)


def test_left_stays_left_when_mirrored():
    picture = drawn()
    mirrored = np.array([[-1.0, 0, 319], [0, 1, 0]])
    _, landmarks, _ = moved(picture, mirrored, size=320, mirror=True)
    np.testing.assert_allclose(landmarks[0], [[219, 80], [259, 80], [239, 100], [224, 120], [254, 120]])


def test_left_stays_left_in_every_window_mirrored_or_not():
    """Turned by at most 50 degrees, the left eye and mouth corner lie left of the right ones."""
    maker, seen = WindowMaker([drawn()]), 0
    for seed in range(20):
        for landmarks in maker.single(np.random.default_rng(seed), 128, "large").landmarks:
            left_eye, right_eye, _, left_corner, right_corner = landmarks[:, 0]
            assert left_eye < right_eye
            assert left_corner < right_corner
            seen += 1
    assert seen > 10


def test_a_reduced_window_is_where_its_matrix_says():
    y, x = np.ogrid[:240, :320]
    spot = 255 * np.exp(-((x - 160) ** 2 + (y - 120) ** 2) / 800)
    image = np.repeat(spot[..., None], 3, axis=2).round().astype(np.uint8)
    matrix = np.array([[0.1, 0.0, 10], [0.0, 0.1, 20]])  # halved three times before the warp
    y, x = np.mgrid[22:43, 12:41]  # within what the picture covers
    for seed in range(6):
        window = warp(image, matrix, 100, np.random.default_rng(seed))[22:43, 12:41, 0].astype(float)
        assert (window * x).sum() / window.sum() == pytest.approx(0.1 * 160 + 10, abs=0.1)
        assert (window * y).sum() / window.sum() == pytest.approx(0.1 * 120 + 20, abs=0.1)


def test_what_is_cut_off_or_tiny_is_ignored_and_the_rest_reaches_out():
    boxes = np.array([[-30, 10, 50, 90], [-70, 10, 30, 90], [50, 50, 54, 54], [300, 300, 340, 340]], np.float32)
    points = np.tile(CORNERS, (4, 1, 1))
    picture = Picture(
        "p", np.zeros((9, 9, 3), np.uint8), boxes, points, np.array([[0, 0, 5, 5]], np.float32), complete=True
    )
    assert SMALLEST_SIDE > 4
    kept, landmarks, ignore = moved(picture, np.array([[1.0, 0, 0], [0, 1, 0]]), size=100, mirror=False)
    np.testing.assert_allclose(kept, boxes[:1])  # five eighths of it are visible
    assert landmarks.shape == (1, 5, 2)
    np.testing.assert_allclose(ignore, [[0, 10, 30, 90], [50, 50, 54, 54], [0, 0, 5, 5]])


def test_a_mosaic_holds_four_windows_each_with_its_faces():
    maker, whole, cut = WindowMaker([drawn()]), 0, 0
    for seed in range(30):
        rng = np.random.default_rng(seed)
        parts = [maker.single(rng, 64, "quarter") for _ in range(4)]
        mosaic = maker.mosaic(np.random.default_rng(seed), 128)
        assert len(mosaic.boxes) == sum(len(part.boxes) for part in parts)
        assert len(mosaic.ignore) == sum(len(part.ignore) for part in parts)
        for number, part in enumerate(parts):
            x, y = 64 * (number % 2), 64 * (number // 2)
            np.testing.assert_array_equal(mosaic.image[y : y + 64, x : x + 64], part.image)
            for box, landmarks in zip(part.boxes, part.landmarks, strict=True):
                row = np.abs(mosaic.boxes - (box.clip(0, 64) + [x, y, x, y])).max(axis=1).argmin()
                np.testing.assert_allclose(mosaic.boxes[row], box.clip(0, 64) + [x, y, x, y], atol=1e-4)
                if landmarks.min() >= 0 and landmarks.max() <= 64:
                    np.testing.assert_allclose(mosaic.landmarks[row], landmarks + [x, y], atol=1e-4)
                    whole += 1
                else:
                    assert np.isnan(mosaic.landmarks[row]).all()
                    cut += 1
    assert maker.mosaic(rng, 127).image.shape == (127, 127, 3)
    assert whole > 20
    assert cut > 5


def test_kinds_of_pictures_have_their_share():
    maker = WindowMaker([drawn(), *(empty(number) for number in range(8))])
    assert maker.weight[1:].sum() == pytest.approx(FACE_FREE / (FACE_FREE + 1 - FACE_FREE - PORTRAITS), abs=1e-6)
    assert maker.weight[1] == pytest.approx(maker.weight[8])
    assert maker.serves_large.tolist() == [0.25 / 0.25] + [0] * 8  # 89 pixels: a little, but nothing else is larger


def test_pictures_boxed_by_hand_are_shown_more_often():
    taught = dataclasses.replace(drawn(), boxes_by_hand=False)
    weight = WindowMaker([drawn(), taught, empty()]).weight
    assert weight[0] / weight[1] == pytest.approx(BOXED_BY_HAND)
    assert weight[2] == pytest.approx(WindowMaker([drawn(), empty()]).weight[1])  # the others keep their share


def test_the_end_of_a_training_has_no_mosaics(monkeypatch):
    maker, made = WindowMaker([drawn(), empty()]), []
    monkeypatch.setattr(maker, "mosaic", lambda rng, size: made.append(1) or maker.single(rng, size, "any"))
    batches = WindowBatches(maker, steps=8, pixels=16 * 32 * 32, sizes=[32], seed=3)
    counts = []
    for step in range(8):
        made.clear()
        batches[step]
        counts.append(len(made))
    last = round(8 * MOSAICS_UNTIL)
    assert min(counts[:last]) > 0
    assert counts[last:] == [0] * (8 - last)


def test_pictures_in_which_a_detector_saw_a_face_are_shown_more_often():
    pictures = [drawn(), *(dataclasses.replace(empty(n), false_score=n / 2) for n in range(3))]
    weight = WindowMaker(pictures).weight
    np.testing.assert_allclose(weight[2:] / weight[1], [1 + HARD_NEGATIVE_GAIN / 4, 1 + HARD_NEGATIVE_GAIN])
    others = WindowMaker([drawn(), empty()]).weight[0]
    assert weight[0] == pytest.approx(others)  # those without a face keep their share


def test_batches_hold_what_the_loss_wants_and_are_the_same_for_a_seed():
    maker = WindowMaker([drawn(), empty()])
    batches = WindowBatches(maker, steps=5, pixels=4 * 96 * 96, sizes=[96], seed=3, first=2)
    assert len(batches) == 3
    first = batches[1]
    images, matched, boxes, landmarks, by_hand = first
    assert images.shape == (4, 96, 96, 3)
    assert boxes.shape == (4, MOST_FACES, 4)
    assert landmarks.shape == (4, MOST_FACES, 5, 2)
    assert by_hand.tolist() == [True] * 4
    for row in range(4):
        count = int((boxes[row].abs().sum(dim=1) > 0).sum())
        own = match_anchors((96, 96), boxes[row, :count].numpy(), NO_BOXES)
        assert ((matched[row].numpy() >= 0) == (own >= 0)).all()
    again = WindowBatches(maker, steps=5, pixels=4 * 96 * 96, sizes=[96], seed=3)[3]  # the same step
    assert all(bool(((a == b) | (a != a)).all()) for a, b in zip(first, again, strict=True))
    half = WindowBatches(maker, steps=5, pixels=4 * 96 * 96, sizes=[96], seed=3, first=2, rank=1, world_size=2)[1]
    assert (half[0] == images[1::2]).all()


def test_each_seed_and_step_shows_other_windows():
    maker = WindowMaker([drawn(), empty()])
    one, other = (WindowBatches(maker, steps=2, pixels=4 * 96 * 96, sizes=[96], seed=seed) for seed in (3, 4))
    assert (one[0][0] != other[0][0]).any()
    assert (one[0][0] != one[1][0]).any()


def test_faces_of_a_window_that_are_too_many_are_ignored():
    count = MOST_FACES + 3
    boxes = np.array([[20 * i, 10, 20 * i + 15, 25] for i in range(count)], np.float32)
    picture = Picture("c", np.zeros((9, 9, 3), np.uint8), boxes, np.tile(CORNERS, (count, 1, 1)), NO_BOXES, True)
    kept, landmarks, ignore = moved(picture, np.array([[1.0, 0, 0], [0, 1, 0]]), size=1000, mirror=False)
    np.testing.assert_allclose(kept, boxes[:MOST_FACES])
    assert len(landmarks) == MOST_FACES
    np.testing.assert_allclose(ignore, boxes[MOST_FACES:])


def test_a_reduced_window_is_a_mean_of_its_pixels():
    stripes = np.zeros((240, 320, 3), np.uint8)
    stripes[:, ::2] = 200
    window = warp(stripes, np.array([[0.25, 0.0, 0], [0.0, 0.25, 0]]), 60, np.random.default_rng(0))
    assert np.abs(window[5:55, 5:55].astype(int) - 100).max() <= 2


def test_a_mosaic_s_ignored_regions_lie_in_their_quarters_and_its_surplus_faces_are_among_them():
    boxes = np.array([[x, y, x + 20, y + 20] for y in range(0, 120, 30) for x in range(0, 150, 30)], np.float32)
    image, points = np.full((120, 150, 3), 9, np.uint8), np.tile(CORNERS, (19, 1, 1))
    maker, surplus = WindowMaker([Picture("c", image, boxes[1:], points, boxes[:1], complete=True)]), 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        parts = [maker.single(rng, 224, "quarter") for _ in range(4)]
        mosaic = maker.mosaic(np.random.default_rng(seed), 448)
        corners = [(0, 0), (224, 0), (0, 224), (224, 224)]
        ignored, faces = (
            [box.clip(0, 224) + [x, y, x, y] for some, (x, y) in zip(kind, corners, strict=True) for box in some]
            for kind in ([part.ignore for part in parts], [part.boxes for part in parts])
        )
        left_out = max(0, len(faces) - MOST_FACES)
        assert len(mosaic.ignore) == len(ignored) + left_out
        np.testing.assert_allclose(mosaic.ignore[: len(ignored)], np.reshape(ignored, (-1, 4)), atol=1e-3)
        found = [*mosaic.boxes, *mosaic.ignore[len(ignored) :]]
        np.testing.assert_allclose(sorted(map(tuple, found)), sorted(map(tuple, faces)), atol=1e-3)
        surplus += left_out
    assert surplus > 0


def test_a_mosaic_s_landmarks_are_set_by_hand_where_those_of_all_its_faces_are():
    taught = dataclasses.replace(drawn(), landmarks_by_hand=False)
    maker, outcomes = WindowMaker([drawn(), taught]), set()
    for seed in range(20):
        rng = np.random.default_rng(seed)
        parts = [maker.single(rng, 64, "quarter") for _ in range(4)]
        kinds = {part.by_hand for part in parts if len(part.boxes)}
        assert maker.mosaic(np.random.default_rng(seed), 128).by_hand == (False not in kinds)
        outcomes.add(len(kinds))
    assert 2 in outcomes  # of both kinds in one mosaic
