"""Blurred faces: nothing of a face is left, nothing else changes, a moment's miss shows nobody."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pipeline.drawing.face_blur import FaceBlur, around, blur
from pipeline.run import EmotionPipeline

BOX = np.array([40.0, 30, 80, 90], np.float32)


class Hide(FaceBlur):
    """Sees a frame and blurs it."""

    def __call__(self, frame_rgb: np.ndarray, *seen: Any, **scene: Any) -> np.ndarray:
        self.see(frame_rgb, *seen, **scene)
        return super().__call__(frame_rgb)


@pytest.fixture
def noise(rng) -> np.ndarray:
    return rng.integers(0, 256, (120, 160, 3), dtype=np.uint8)


def test_the_whole_head_is_blurred_and_the_rest_is_as_it_was(noise):
    before = noise.copy()
    blurred = Hide()(noise, [BOX], 0.0)
    assert np.array_equal(noise, before)
    head = around(BOX)
    assert head == (28, 12, 93, 109)
    outside = np.ones(noise.shape[:2], bool)
    head.view(outside)[:] = False
    assert np.array_equal(blurred[outside], noise[outside])
    steps = np.abs(np.diff(head.view(blurred).astype(int), axis=1))
    assert steps.max() <= 12 < np.abs(np.diff(noise.astype(int), axis=1)).mean()


def test_what_is_left_are_the_means_of_few_patches(rng):
    face = rng.integers(0, 256, (60, 60, 3), dtype=np.uint8)
    other = face.reshape(6, 10, 6, 10, 3).transpose(0, 2, 1, 3, 4).reshape(36, 100, 3)
    shuffled = rng.permuted(other, axis=1)  # pixels change places within each patch
    for channel in range(3):
        assert sorted(shuffled[0, :, channel]) == sorted(other[0, :, channel])
    shuffled = shuffled.reshape(6, 6, 10, 10, 3).transpose(0, 2, 1, 3, 4).reshape(60, 60, 3)
    assert not np.array_equal(shuffled, face)
    blur(face)
    blur(shuffled)
    assert np.array_equal(shuffled, face)  # so nothing of their places within a patch can be told


@pytest.mark.parametrize("to_xy", [(50, 0), (0, 60)])
def test_a_face_that_is_missed_beside_or_above_another_one_stays_blurred(noise, to_xy):
    hide, near = Hide(), BOX + np.array(2 * to_xy, np.float32)
    both = hide(noise, [BOX, near], 0.0)
    assert around(BOX).intersects(around(near))
    missed = hide(noise, [near], 0.04)
    assert np.array_equal(around(BOX).view(missed), around(BOX).view(both))
    moved = BOX + 6
    assert np.array_equal(hide(noise, [moved, near], 0.08), Hide()(noise, [moved, near], 0.0))  # it is there again


def test_a_face_that_is_missed_for_a_moment_stays_blurred_and_not_for_ever(noise):
    hide, head = Hide(), around(BOX)
    seen = hide(noise, [BOX], 0.0)
    assert np.array_equal(hide(noise, [], 0.9), seen)
    assert np.array_equal(hide(noise, [], 1.1), noise)
    hide(noise, [BOX], 2.0)
    moved = hide(noise, [BOX + 10], 2.1)  # it is seen: where it was is not blurred any more
    assert np.array_equal(moved[head.top, head.left], noise[head.top, head.left])


def test_a_missed_face_stays_blurred_when_frames_are_mirrored(noise):
    hide = Hide()
    hide(noise, [BOX], 0.0)
    for _ in range(3):
        hide.mirror()
    mirrored = np.ascontiguousarray(noise[:, ::-1])
    for hidden, frame in ((hide(noise, [], 0.5), noise), (hide(mirrored, [], 0.6)[:, ::-1], noise)):
        assert (around(BOX).view(hidden) == around(BOX).view(frame)).mean() < 0.05
    assert len(hide._seen) == 2


@pytest.mark.parametrize("later", [{"time_s": 0.1, "new_scene": True}, {"time_s": -3.0}])
def test_another_scene_has_no_missed_faces(noise, later):
    hide = Hide()
    hide(noise, [BOX], 0.0)
    assert np.array_equal(hide(noise, [], **later), noise)


def test_boxes_that_reach_or_lie_outside(noise):
    boxes = [BOX - 60, BOX + 1000, np.array([150.0, 100, 400, 400], np.float32)]
    blurred = Hide()(noise, boxes, 0.0)
    assert blurred.shape == noise.shape
    assert not np.array_equal(blurred[:20, :10], noise[:20, :10])


def test_no_detector_finds_a_blurred_face(portrait):
    pipeline = EmotionPipeline.from_files()
    (result,) = pipeline([portrait])
    blurred = Hide()(portrait, [face.box_xyxy for face in result.faces], 0.0)
    assert len(result.faces) == 1
    assert not pipeline.detect([blurred])[0]
    pipeline.close()


@pytest.mark.parametrize("missed", [(150, 60, 200, 125), (140, 40, 190, 105), (100, 0, 140, 50)])
def test_a_smaller_face_that_is_missed_beside_a_large_one_stays_blurred(rng, missed):
    """Its middle lies in the large one's head, which is wider than its face, and not the other way round."""
    frame = rng.integers(0, 256, (240, 320, 3), dtype=np.uint8)
    large, small = np.array([50.0, 50, 150, 180], np.float32), np.array(missed, np.float32)
    hide = Hide()
    hide(frame, [large, small], 0.0)
    left, top, right, bottom = missed
    hidden = (slice(top, bottom), slice(left, right))
    assert (hide(frame, [large], 0.04)[hidden] == frame[hidden]).mean() < 0.05
