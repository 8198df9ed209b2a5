"""Training windows: square parts of annotated pictures, at every scale, moved, turned and relit at random.

In:  annotated pictures, a random generator, a size.
Out: windows: an image with boxes, landmarks and regions to ignore; and the batches of a training.

In photographs small faces are many and large ones few. So a window is cut to a wanted size of one of its faces,
log-uniform from 0.014 to 0.6 of the window's side, or to a part of the whole scene, as Guo et al. 2021
(section 4.1) do by cutting 0.3 to 2 times the picture's short side. More than a fifth of the windows show a large
face, as a webcam does, some one that fills or overfills them; these are cut from pictures whose largest face is large:
enlarged small ones are blurs, and a network that is trained on them takes blurs for faces. Many of the others are put
together from four windows of half the side (mosaic, Bochkovskiy et al. 2020, arXiv 2004.10934), so that a step shows
four times as many scenes and faces; at the end of a training none are (Ge et al. 2021, arXiv 2107.08430), since what
is searched later has no such seams. Pictures whose boxes a person drew are shown more often, and so are pictures
without a face in which a detector saw one (hard negatives).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor
from torch.utils.data import Dataset

from retinaface.training.annotations import Picture
from retinaface.training.augment import relight
from retinaface.training.geometry import MIRRORED_LANDMARKS, box_area, clip_box, transform_box, transform_points
from retinaface.training.matching import match_anchors
from support import UserError

# Shares of "any" windows and quarters: of pictures without a face; of one face that nobody boxed by hand.
FACE_FREE, PORTRAITS = 0.15, 0.18
HARD_NEGATIVE_GAIN = 12  # a picture without a face in which a detector saw one of score s counts 1 + 12 s**2 times
BOXED_BY_HAND = 2  # a picture whose boxes a person drew is shown so many times as often as another
FILLED, LARGE = 0.08, 0.14  # share of windows that one face fills or overfills, and that show a large one
MOSAIC = 0.4  # share of "any" windows that are four of "quarter" in one
MOSAICS_UNTIL = 0.75  # of a training's steps
# Sizes of that face, in sides of the window (of the quarter).
SIZES = {"filled": (0.6, 1.5), "large": (0.25, 0.85), "any": (0.014, 0.6), "quarter": (0.03, 0.8)}
ROOM = {"filled": 0.12, "large": 0.5, "any": 0.9, "quarter": 0.9}  # where its centre may lie, about the window's
LARGE_ENOUGH = (60, 90)  # pixels of a face from which a picture serves for large ones a little, and fully
WHOLE_SCENE = 0.45  # share of other windows that show the whole scene, 0.7 to 2.2 times as large as they are
QUARTER_SCENE = 1.4  # factor by which the scene is larger in a quarter
ZOOMS = (0.12, 2.2)  # of other windows and quarters: what is enlarged more is a blur
TILTED, TILT = 0.1, 50  # share of windows that are turned far, and how far at most, in degrees
UNEVEN = 7  # degrees, standard deviation of the turn of the others
MOST_FACES = 40  # of a window, the first ones annotated
VISIBLE = 0.45  # share of its box that must lie in the window for a face to be a target; else it is ignored
SMALLEST_SIDE = 7  # pixels of such a box, the longer side


@dataclass(frozen=True, eq=False)
class Window:
    """A part of a picture (S, S, 3) uint8 RGB; boxes (F, 4), landmarks (F, 5, 2) (NaN: unknown), ignore (K, 4).

    by_hand: did a person set the landmarks?
    """

    image: np.ndarray
    boxes: np.ndarray
    landmarks: np.ndarray
    ignore: np.ndarray
    by_hand: bool


class WindowMaker:
    """Makes windows from pictures, which stay encoded in memory."""

    def __init__(self, pictures: Sequence[Picture]) -> None:
        self.pictures = pictures
        faces = np.array([min(len(picture.boxes), 16) for picture in pictures])
        largest = np.array([np.sqrt(box_area(picture.boxes)).max(initial=0) for picture in pictures])
        portrait = np.array([len(p.boxes) == 1 and not p.boxes_by_hand and not p.complete for p in pictures])
        by_hand = np.array([BOXED_BY_HAND if picture.boxes_by_hand else 1 for picture in pictures])
        false_score = np.array([picture.false_score for picture in pictures])
        kinds = ((faces == 0, FACE_FREE), (portrait, PORTRAITS), ((faces > 0) & ~portrait, 1 - FACE_FREE - PORTRAITS))
        self.weight = np.zeros(len(pictures))
        for rows, share in kinds:
            weight = rows * np.maximum(faces, 1) ** 0.5 * by_hand * (1 + HARD_NEGATIVE_GAIN * false_score**2)
            self.weight += share * weight / max(weight.sum(), 1)
        self.weight /= self.weight.sum()
        little, fully = LARGE_ENOUGH
        serves = np.where(largest >= fully, 1.0, np.where(largest >= little, 0.25, 0.0)) * np.where(portrait, 0.35, 1.0)
        self.serves_large = serves / serves.sum() if serves.any() else self.weight

    def __call__(self, rng: Generator, size: int, *, mosaics: bool = True) -> Window:
        """A random window of `size` pixels a side; mosaics: may it be one?"""
        draw = rng.random()
        kind = "filled" if draw < FILLED else "large" if draw < FILLED + LARGE else "any"
        if mosaics and kind == "any" and rng.random() < MOSAIC:
            return self.mosaic(rng, size)
        return self.single(rng, size, kind)

    def mosaic(self, rng: Generator, size: int) -> Window:
        """Four windows of half the side in one; boxes end at the seams, landmarks beyond a seam are unknown."""
        half = (size + 1) // 2
        parts = [self.single(rng, half, "quarter") for _ in range(4)]
        top, bottom = (np.concatenate([left.image, right.image], axis=1) for left, right in (parts[:2], parts[2:]))
        boxes, landmarks, ignore = [], [], []
        for part, offset in zip(parts, half * np.array([[0, 0], [1, 0], [0, 1], [1, 1]]), strict=True):
            inside = ((part.landmarks >= 0) & (part.landmarks <= half)).all(axis=(1, 2), keepdims=True)
            boxes.append(clip_box(part.boxes, np.array([0, 0, half, half])) + np.tile(offset, 2))
            landmarks.append(np.where(inside, part.landmarks + offset, np.nan))
            ignore.append(part.ignore + np.tile(offset, 2))
        order = rng.permutation(sum(map(len, boxes)))
        shown = np.concatenate(boxes)[order]
        return Window(
            np.concatenate([top, bottom])[:size, :size],
            shown[:MOST_FACES],
            np.concatenate(landmarks)[order[:MOST_FACES]],
            np.concatenate([*ignore, shown[MOST_FACES:]]),
            by_hand=all(part.by_hand for part in parts if len(part.boxes)),
        )

    def single(self, rng: Generator, size: int, kind: str) -> Window:
        """A window of `size` pixels a side of one picture; kind: a key of `SIZES`."""
        near = kind in ("filled", "large")
        picture = self.pictures[rng.choice(len(self.weight), p=self.serves_large if near else self.weight)]
        image = picture.image
        matrix, mirror = place(picture, image.shape[:2], rng, size=size, kind=kind)
        window = moved(picture, matrix, size=size, mirror=mirror)
        return Window(relight(warp(image, matrix, size, rng), rng), *window, picture.landmarks_by_hand)


def place(
    picture: Picture, size_hw: tuple[int, int], rng: Generator, *, size: int, kind: str
) -> tuple[np.ndarray, bool]:
    """From pixels of the picture (of `size_hw`) to pixels of the window: (2, 3) float64; and whether it is mirrored."""
    height, width = size_hw
    longest, near = max(size_hw), kind in ("filled", "large")
    zoom = size / longest * (0.7 + 1.5 * rng.random() ** 1.5)  # the scene as it is
    zoom *= QUARTER_SCENE if kind == "quarter" else 1
    centre = np.array([width, height]) * rng.random(2)
    if len(picture.boxes):
        sides = np.sqrt(box_area(picture.boxes))
        row = sides.argmax() if near else rng.integers(len(sides))
        if near or rng.random() > WHOLE_SCENE:
            low, high = SIZES[kind]
            zoom = size * np.exp(rng.uniform(np.log(low), np.log(high))) / max(6.0, sides[row])
        if near or rng.random() < 0.8:
            centre = (picture.boxes[row, :2] + picture.boxes[row, 2:]) / 2
    if not near:
        zoom = np.clip(zoom, *ZOOMS)
    if kind != "filled":
        zoom = max(zoom, 0.5 * size / longest)  # no picture becomes shorter than half of the window's side
    angle = np.deg2rad(
        rng.uniform(-TILT, TILT) if rng.random() < TILTED and kind != "filled" else rng.normal(0, UNEVEN)
    )
    mirror, stretch = bool(rng.random() < 0.5), np.exp(rng.normal(0, 0.08))
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = rotation @ np.diag([-zoom * stretch if mirror else zoom * stretch, zoom])
    target = size / 2 + (rng.random(2) - 0.5) * size * ROOM[kind]
    if not near and rng.random() < 0.85:  # the window lies in the picture, or the picture in the window
        span = np.array([width * zoom * stretch, height * zoom])
        before = np.array([(width - centre[0] if mirror else centre[0]) * zoom * stretch, centre[1] * zoom])
        target = np.clip(target - before, np.minimum(size - span, 0), np.maximum(size - span, 0)) + before
    return np.column_stack([linear, target - linear @ centre]), mirror


def warp(image: np.ndarray, matrix: np.ndarray, size: int, rng: Generator) -> np.ndarray:
    """(S, S, 3): `image` under `matrix`, halved first as often as it takes not to alias."""
    zoom = np.sqrt(abs(np.linalg.det(matrix[:, :2])))
    while zoom < 0.6 and min(image.shape[:2]) > 1:
        height, width = image.shape[:2]
        image = cv2.resize(image, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
        by = np.array([width / image.shape[1], height / image.shape[0]])
        matrix = np.column_stack([matrix[:, :2] * by, matrix[:, 2] + matrix[:, :2] @ ((by - 1) / 2)])
        zoom *= 2
    border = cv2.BORDER_CONSTANT if rng.random() < 0.5 else cv2.BORDER_REPLICATE
    colour = rng.integers(0, 256, 3).tolist()
    return cv2.warpAffine(image, matrix, (size, size), borderMode=border, borderValue=colour)


def moved(
    picture: Picture, matrix: np.ndarray, *, size: int, mirror: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Boxes, landmarks and regions to ignore of `picture` under `matrix`, as far as they lie in the window.

    Faces that are cut off or tiny there are ignored. The boxes of the others are whole, also where they reach out.
    """
    frame = np.array([0, 0, size, size])
    boxes = transform_box(picture.boxes, matrix)
    points = picture.landmarks[:, list(MIRRORED_LANDMARKS)] if mirror else picture.landmarks
    visible = clip_box(boxes, frame)
    share = box_area(visible) / np.maximum(box_area(boxes), 1e-6)
    target = (share >= VISIBLE) & ((boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=0) >= SMALLEST_SIDE)
    target &= target.cumsum() <= MOST_FACES
    ignore = np.concatenate([visible[~target], clip_box(transform_box(picture.ignore, matrix), frame)])
    return boxes[target], transform_points(points[target], matrix), ignore[box_area(ignore) >= 1]


@dataclass(frozen=True, eq=False)
class WindowBatches(Dataset[tuple[Tensor, ...] | UserError]):
    """Item i is the batch of step `first + i`, always the same for a seed.

    A batch: images (N, S, S, 3) uint8 RGB, and the tensors of `retinaface.training.loss.Targets`; where a picture
    cannot be read, the error: raised in a process of a loader it would come out as a traceback.

    steps: of the whole run. pixels: about so many a step, which decides N. sizes: one of them at random is S.
    Of the windows of a step this process makes number `rank`, `rank + world_size`, ...; all make the same number.
    """

    maker: WindowMaker
    steps: int
    pixels: int
    sizes: Sequence[int]
    seed: int
    first: int = 0
    rank: int = 0
    world_size: int = 1

    def __len__(self) -> int:
        return self.steps - self.first

    def __getitem__(self, item: int) -> tuple[Tensor, ...] | UserError:
        try:
            return self._batch(self.first + item)
        except UserError as error:
            return error

    def _batch(self, step: int) -> tuple[Tensor, ...]:
        size = int(np.random.default_rng((self.seed, step)).choice(self.sizes))
        count = self.world_size * max(1, round(self.pixels / size**2 / self.world_size))
        mine = range(self.rank, count, self.world_size)
        mosaics = step < MOSAICS_UNTIL * self.steps
        windows = [self.maker(np.random.default_rng((self.seed, step, i)), size, mosaics=mosaics) for i in mine]
        boxes = np.zeros((len(windows), MOST_FACES, 4), np.float32)
        landmarks = np.full((len(windows), MOST_FACES, 5, 2), np.nan, np.float32)
        for row, window in enumerate(windows):
            boxes[row, : len(window.boxes)], landmarks[row, : len(window.boxes)] = window.boxes, window.landmarks
        matched = [match_anchors((size, size), window.boxes, window.ignore) for window in windows]
        images, by_hand = [window.image for window in windows], [window.by_hand for window in windows]
        batch = (np.stack(images), np.stack(matched), boxes, landmarks, np.array(by_hand))
        return tuple(torch.from_numpy(part) for part in batch)
