"""Corruptions that webcams show and portraits rarely do, applied to annotated pictures.

In:  an annotated picture with at least one face, and a random generator.
Out: the picture grey, dark, backlit, tilted, cut off by the frame, very near, or with a mask on the face, and its boxes
     and landmarks moved along.

`python -m evaluation.detection --corruption NAME` scores any weights on pictures corrupted in this way.
"""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Callable

import cv2
import numpy as np

from evaluation.detection.cover import covered
from retinaface.training.annotations import Picture
from retinaface.training.geometry import clip_box, transform_box, transform_points

NEAR_SIDE = 480  # pixels a side of the picture of a very near face


def corrupt(picture: Picture, corruption: str) -> Picture:
    """`picture` after a `corruption`, always the same for the same name; a picture without faces is not changed."""
    if not len(picture.boxes):
        return picture
    return CORRUPTIONS[corruption](picture, np.random.default_rng(zlib.crc32(picture.name.encode())))


def grey(picture: Picture, rng: np.random.Generator) -> Picture:
    """Without colour, as from an infrared camera."""
    image = cv2.cvtColor(cv2.cvtColor(picture.image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return dataclasses.replace(picture, pixels=image)


def dark(picture: Picture, rng: np.random.Generator) -> Picture:
    """Grey levels an eighth to a quarter as high, which leaves 2 to 7 % of a middling grey's light; noise."""
    image = picture.image
    noise = rng.normal(0, 4, image.shape)
    return _replace_image(picture, image * rng.uniform(0.12, 0.25) + noise)


def backlit(picture: Picture, rng: np.random.Generator) -> Picture:
    """A face in the shade before a bright window."""
    image = picture.image
    height, width = image.shape[:2]
    centre, half = (picture.boxes[0, :2] + picture.boxes[0, 2:]) / 2, (picture.boxes[0, 2:] - picture.boxes[0, :2]) / 2
    y, x = np.ogrid[:height, :width]
    radius = np.hypot((x - centre[0]) / half[0], (y - centre[1]) / half[1])
    foreground = (1.6 - radius).clip(0, 0.4)[..., None] / 0.4  # 1 on the face, 0 from 1.6 half boxes on
    shaded, window = image * rng.uniform(0.2, 0.35), image * 1.5 + 70
    return _replace_image(picture, foreground * shaded + (1 - foreground) * window)


def tilted(picture: Picture, rng: np.random.Generator) -> Picture:
    """A head tilted 30 to 45 degrees to one side."""
    angle = np.deg2rad(rng.uniform(30, 45)) * rng.choice([-1, 1])
    linear = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    centre = (picture.boxes[0, :2] + picture.boxes[0, 2:]) / 2
    return _warp(picture, np.column_stack([linear, centre - linear @ centre]), picture.image.shape[1::-1])


def cut_off(picture: Picture, rng: np.random.Generator) -> Picture:
    """A quarter to two fifths of the first face outside the frame, to the left, the right or below."""
    x1, y1, x2, y2 = picture.boxes[0]
    height, width = picture.image.shape[:2]
    share, side = rng.uniform(0.25, 0.4), rng.integers(3)
    left = x1 + share * (x2 - x1) if side == 0 else 0.0
    right = x2 - share * (x2 - x1) if side == 1 else float(width)
    bottom = y2 - share * (y2 - y1) if side == 2 else float(height)
    size_wh = (max(16, round(right - left)), max(16, round(bottom)))
    return _warp(picture, np.array([[1.0, 0.0, -left], [0.0, 1.0, 0.0]]), size_wh)


def near(picture: Picture, rng: np.random.Generator) -> Picture:
    """A face that fills 75 to 100 % of a picture of 480 pixels."""
    box = picture.boxes[0]
    zoom = NEAR_SIDE * rng.uniform(0.75, 1.0) / (box[2:] - box[:2]).max()
    centre = (box[:2] + box[2:]) / 2 * zoom + rng.uniform(-0.04, 0.04, 2) * NEAR_SIDE
    corner = centre - NEAR_SIDE / 2
    return _warp(picture, np.array([[zoom, 0, -corner[0]], [0, zoom, -corner[1]]]), (NEAR_SIDE, NEAR_SIDE))


def masked(picture: Picture, rng: np.random.Generator) -> Picture:
    """A painted mask or an object before the face; a picture without landmarks is not changed."""
    if np.isnan(picture.landmarks[0]).any():
        return picture
    return dataclasses.replace(picture, pixels=covered(picture.image, picture.landmarks[0], rng))


CORRUPTIONS: dict[str, Callable[[Picture, np.random.Generator], Picture]] = {
    each.__name__: each for each in (grey, dark, backlit, tilted, cut_off, near, masked)
}


def _replace_image(picture: Picture, image: np.ndarray) -> Picture:
    return dataclasses.replace(picture, pixels=image.clip(0, 255).round().astype(np.uint8))


def _warp(picture: Picture, matrix: np.ndarray, size_wh: tuple[int, int]) -> Picture:
    """`picture` warped by `matrix` (2, 3) onto a picture of `size_wh`; faces outside it are left out."""
    frame = np.array([0, 0, *size_wh], np.float32)
    image = cv2.warpAffine(picture.image, matrix, size_wh, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    boxes, ignore = (
        clip_box(transform_box(some, matrix), frame).astype(np.float32) for some in (picture.boxes, picture.ignore)
    )
    visible, ignored = ((some[:, 2:] - some[:, :2]).min(axis=1) > 1 for some in (boxes, ignore))
    landmarks = transform_points(picture.landmarks, matrix).astype(np.float32)
    return dataclasses.replace(
        picture, pixels=image, boxes=boxes[visible], landmarks=landmarks[visible], ignore=ignore[ignored]
    )
