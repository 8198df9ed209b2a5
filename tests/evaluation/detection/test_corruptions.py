"""Corruptions: the picture changes as named, and boxes and landmarks move along."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evaluation.detection.corruptions import CORRUPTIONS, corrupt
from retinaface.training.annotations import Picture

COLOURS = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0], [255, 0, 255]], np.uint8)  # one a landmark
LANDMARKS = np.array([[100, 90], [150, 90], [125, 120], [105, 150], [145, 150]], np.float32)


def picture(name: str = "lfw/a.jpg", *, faces: bool = True) -> Picture:
    """A light box for a face, with a coloured square on each landmark, on grey."""
    image = np.full((250, 250, 3), 100, np.uint8)
    image[60:180, 80:170] = 180
    for (x, y), colour in zip(LANDMARKS.astype(int), COLOURS, strict=True):
        image[y - 5 : y + 6, x - 5 : x + 6] = colour
    return Picture(
        name=name,
        pixels=image,
        boxes=np.array([[80, 60, 170, 180]] if faces else [], np.float32).reshape(-1, 4),
        landmarks=LANDMARKS[None] if faces else np.empty((0, 5, 2), np.float32),
        ignore=np.empty((0, 4), np.float32),
        complete=True,
    )


@pytest.mark.parametrize("corruption", CORRUPTIONS)
def test_a_picture_is_always_corrupted_alike_and_its_original_stays(corruption):
    original = picture()
    before = original.image.copy()
    first, second, other = (corrupt(p, corruption) for p in (original, original, picture("lfw/b.jpg")))
    assert np.array_equal(first.image, second.image)
    assert np.array_equal(original.image, before)
    assert not np.array_equal(first.image, before)
    assert corruption == "grey" or not np.array_equal(first.image, other.image)
    empty = picture(faces=False)
    assert corrupt(empty, corruption) is empty


@pytest.mark.parametrize("corruption", ["tilted", "cut_off", "near"])
def test_landmarks_move_with_their_colours(corruption):
    for name in "abcdef":
        moved = corrupt(picture(name), corruption)
        height, width = moved.image.shape[:2]
        seen = 0
        for (x, y), colour in zip(moved.landmarks[0].round().astype(int), COLOURS, strict=True):
            if 2 <= x < width - 2 and 2 <= y < height - 2:
                assert np.abs(moved.image[y, x].astype(int) - colour).max() < 60
                seen += 1
        assert seen >= 2


@pytest.mark.parametrize("corruption", CORRUPTIONS)
def test_regions_to_ignore_move_along(corruption):
    original = replace(picture(), ignore=picture().boxes)
    changed = corrupt(original, corruption)
    np.testing.assert_allclose(changed.ignore, changed.boxes)
    assert len(changed.ignore) == 1


def light(level: float) -> float:
    """The share of white's light that a grey level of sRGB stands for (IEC 61966-2-1)."""
    signal = level / 255
    return signal / 12.92 if signal <= 0.04045 else ((signal + 0.055) / 1.055) ** 2.4


def test_changes_of_light_leave_boxes_alone():
    original = picture()
    face, background = np.s_[100:115, 105:120], np.s_[5:30, 5:30]
    for corruption in ("grey", "dark", "backlit"):
        after = corrupt(original, corruption)
        assert np.array_equal(after.boxes, original.boxes)
    grey = corrupt(original, "grey").image
    assert (grey[..., 0] == grey[..., 1]).all()
    dark = [corrupt(picture(f"lfw/{number}.jpg"), "dark").image[background].mean() for number in range(40)]
    assert 0.12 - 0.01 < min(dark) / 100 < 0.14
    assert 0.23 < max(dark) / 100 < 0.25 + 0.01
    # sRGB is no light: 100 of 255 are 12.7 % of white's, an eighth of these levels 0.38 %, a quarter 0.97 %
    assert 0.02 < light(min(dark)) / light(100) < light(max(dark)) / light(100) < 0.08
    backlit = corrupt(original, "backlit").image.astype(float)
    assert backlit[face].mean() < 0.4 * original.image[face].mean()
    assert backlit[background].mean() > 1.5 * original.image[background].mean()


def test_geometry_is_as_described():
    for name in "abcdefgh":
        tilted = corrupt(picture(name), "tilted").landmarks[0]
        across = tilted[1] - tilted[0]
        assert 29 <= abs(np.degrees(np.arctan2(across[1], across[0]))) <= 46
        cut = corrupt(picture(name), "cut_off")
        area = (cut.boxes[0, 2:] - cut.boxes[0, :2]).prod() / (90 * 120)
        assert 0.59 < area < 0.76
        near = corrupt(picture(name), "near")
        assert near.image.shape == (480, 480, 3)
        assert 0.7 * 480 < (near.boxes[0, 2:] - near.boxes[0, :2]).max() <= 480
    wide = replace(picture(), pixels=np.full((250, 400, 3), 100, np.uint8))
    assert corrupt(wide, "tilted").image.shape == wide.image.shape


def test_a_face_that_leaves_the_picture_takes_its_landmarks_along():
    both = np.concatenate([picture().boxes, [[1, 1, 21, 21]]]).astype(np.float32)
    two = replace(picture(), boxes=both, landmarks=np.stack([LANDMARKS, LANDMARKS / 10]))
    near = corrupt(two, "near")
    assert len(near.boxes) == len(near.landmarks) == 1
