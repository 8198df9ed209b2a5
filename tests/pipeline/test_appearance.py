"""Patches: the same face a moment later is alike in any light, another face is not, and what tells nothing is None."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from data.sources import sample
from pipeline.appearance import PATCH, SMALLEST, face_patch, likeness
from pipeline.tracking import ALIKE

BOX = np.array([110.0, 70, 210, 170])


def head(who: str, *, turn_deg: float = 0, zoom: float = 1, shift_xy: tuple[float, float] = (0, 0)) -> np.ndarray:
    """(240, 320, 3): a face of 100 pixels in the middle, turned, enlarged and moved."""
    centre_xy, size = {"collins": ((224, 116), 106), "hopper": ((257, 190), 190)}[who]
    matrix = cv2.getRotationMatrix2D(centre_xy, turn_deg, 100 / size * zoom)
    matrix[:, 2] += np.array([160, 120]) + shift_xy - centre_xy
    return cv2.warpAffine(sample.portrait(who), matrix, (320, 240), borderMode=cv2.BORDER_REPLICATE)


def patch_of(frame: np.ndarray, box: np.ndarray = BOX) -> np.ndarray:
    patch = face_patch(frame.clip(0, 255).astype(np.uint8), box)
    assert patch is not None
    return patch


@pytest.mark.parametrize("who", ["collins", "hopper"])
def test_a_face_a_moment_later_is_alike(who, rng):
    before, frame = patch_of(head(who)), head(who)
    assert patch_of(head(who)).shape == (PATCH, PATCH)
    later = {
        "moved": patch_of(head(who, turn_deg=5, zoom=1.04, shift_xy=(9, -6))),
        "box moved": patch_of(frame, BOX + [8, -6, 12, -2]),
        "followed": patch_of(head(who, shift_xy=(60, 10)), BOX + [60, 10, 60, 10]),
        "brighter": patch_of(frame * 1.2 + 10.0),
        "darker": patch_of(frame * 0.4),
        "lit from the right": patch_of(frame * np.linspace(0.4, 1.6, 320)[None, :, None]),
        "noisy": patch_of(frame + rng.normal(0, 20, frame.shape)),
        "blurred by motion": patch_of(cv2.blur(frame, (13, 3))),
    }
    assert {name for name, patch in later.items() if likeness(before, patch) < ALIKE} == set()
    assert likeness(before, before) == pytest.approx(1)


def test_another_face_is_not():
    a, b = patch_of(head("collins")), patch_of(head("hopper"))
    assert max(likeness(a, b), likeness(b, a)) < ALIKE


def test_what_tells_nothing_is_none():
    frame = head("collins")
    flat, flash = np.full_like(frame, 90), (frame * 3.0 + 90).clip(0, 255).astype(np.uint8)
    assert face_patch(flat, BOX) is None
    assert face_patch(flash, BOX) is None
    assert face_patch(frame, np.array([100.0, 100, 99 + SMALLEST, 99 + SMALLEST])) is None
    assert face_patch(frame, np.array([100.0, 100, 90, 90])) is None
    assert face_patch(frame, np.array([-500.0, -500, -400, -400])) is None  # the edge goes on: no structure
