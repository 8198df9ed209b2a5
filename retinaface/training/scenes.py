"""Training scenes: faces of every size pasted onto pictures without faces, and crops of pictures of groups.

In:  annotated pictures in memory, a random generator, a size.
Out: scenes, each a `Canvas`: a square image with boxes, landmarks and regions to ignore; and the batches of a training,
     a torch data set of such scenes and of what every anchor is to predict on them.

Portraits show one face in the middle at one scale, and a detector trained on them learns just that. So a scene is a
background (a picture without a face, or a crop of a group) onto which portraits are pasted at log-uniform sizes,
rotated, mirrored, slightly stretched and sheared, relit, partly covered, with soft and with hard edges. Pieces of
pictures without a face are pasted the same way, so that the edge of a paste is no sign of a face.
"""

from __future__ import annotations

import dataclasses
import signal
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor
from torch.utils.data import Dataset

from retinaface.anchors import anchors_for
from retinaface.training.annotations import Picture
from retinaface.training.augment import covered, relight
from retinaface.training.canvas import Canvas, clip_box, placement_matrix, resize_matrix
from retinaface.training.loss import match_anchors

SMALLEST, LARGEST = 10.0, 1.15  # side of a pasted face: pixels; share of the scene
NEAR, VERY_NEAR = 0.15, 0.5  # smallest share of the scene of a single face, which before a webcam is near
FRAMED = 0.6  # share of single faces that lie inside the frame as far as they fit
ANYWHERE = 0.96  # range of the centre of a paste, as a share of the scene's side
COVERED = 0.22  # share of pasted portraits with a mask or an object before the face
BROW = 0.15  # share of its height by which the box of a masked face starts lower; see `with_cover`
STRETCH = 0.08  # standard deviation of the log of the horizontal stretch; the vertical one is its inverse
SHEAR = 0.08  # standard deviation
TRIES = 8  # places tried for a paste before it is left out


class SceneMaker:
    """Makes scenes from pictures that stay decoded in memory.

    backgrounds: pictures without a face; portraits: with landmarks, not complete; groups: complete, with faces.
    """

    def __init__(self, pictures: Sequence[Picture]) -> None:
        self.backgrounds = [p for p in pictures if p.complete and not len(p.boxes)]
        self.portraits = [p for p in pictures if len(p.boxes) and not np.isnan(p.landmarks[0]).any() and not p.complete]
        self.groups = [p for p in pictures if len(p.boxes) and p.complete]

    def __call__(self, rng: Generator, size: int) -> Canvas:
        """A random scene of `size` pixels a side."""
        canvas = Canvas(self._background(rng, size))
        if self.groups and rng.random() < 0.4:
            canvas = self._group(rng, size)
        for _ in range(rng.poisson(1.2)):
            self._paste_distractor(canvas, rng)
        counts = [0, 1, int(rng.integers(2, 5)), int(rng.integers(5, 13)), int(rng.integers(13, 25))]
        count = int(rng.choice(counts, p=[0.2, 0.32, 0.2, 0.18, 0.1]))
        smallest = rng.choice([NEAR, VERY_NEAR]) * size if count == 1 else SMALLEST
        sides = np.exp(rng.uniform(np.log(smallest), np.log(LARGEST * size / max(1, count) ** 0.5), count))
        for side in sorted(sides, reverse=True):  # large first, so that no small face is covered by a large one
            self._paste_face(canvas, rng, side, single=count == 1)
        canvas.image = relight(canvas.image, rng)
        return canvas

    def _background(self, rng: Generator, size: int) -> np.ndarray:
        """(S, S, 3): a square part of a picture without a face, 0.3 to 1 of its shorter side; sometimes one colour."""
        if rng.random() < 0.06:
            return np.full((size, size, 3), rng.integers(0, 256, 3), np.uint8)
        image = self.backgrounds[rng.integers(len(self.backgrounds))].image
        side = int(min(image.shape[:2]) * rng.uniform(0.3, 1.0))
        top, left = rng.integers(0, image.shape[0] - side + 1), rng.integers(0, image.shape[1] - side + 1)
        part = image[top : top + side, left : left + side]
        turned = np.rot90(part[:, :: rng.choice([-1, 1])], int(rng.integers(4)))
        return cv2.resize(np.ascontiguousarray(turned), (size, size), interpolation=cv2.INTER_AREA)

    def _group(self, rng: Generator, size: int) -> Canvas:
        """A part of a picture of a group, around one of its faces, at a random scale; outside it is a background."""
        picture = self.groups[rng.integers(len(self.groups))]
        box = picture.boxes[rng.integers(len(picture.boxes))]
        side = np.exp(rng.uniform(np.log(12), np.log(size * 0.7)))
        zoom = np.clip(side / max(1.0, (box[2:] - box[:2]).max()), 0.15, 4.0)
        interpolation = cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR
        image = cv2.resize(picture.image, None, fx=zoom, fy=zoom, interpolation=interpolation)
        corner = (box[:2] + box[2:]) / 2 * zoom - rng.uniform(0.15, 0.85, 2) * size
        mirror = rng.random() < 0.5
        matrix = np.array([[1, 0, -corner[0]], [0, 1, -corner[1]]])
        if mirror:
            matrix[0] = [-1, 0, size - 1 + corner[0]]
        canvas = Canvas(self._background(rng, size))
        cv2.warpAffine(image, matrix, (size, size), dst=canvas.image, borderMode=cv2.BORDER_TRANSPARENT)
        canvas.add(picture, matrix @ resize_matrix(np.full(2, zoom), np.zeros(2)), mirror=mirror)
        return canvas

    def _paste_face(self, canvas: Canvas, rng: Generator, side: float, *, single: bool) -> None:
        """A portrait whose first face has a size of `side` pixels; a `single` face is mostly inside the frame."""
        picture = self.portraits[rng.integers(len(self.portraits))]
        if rng.random() < COVERED:
            picture = with_cover(picture, rng)
        box = picture.boxes[0]
        whole = rng.random() < 0.35
        extent = 4.0 if whole else rng.uniform(1.15, 2.2)  # of the part that is pasted, in sides of the box
        half = (box[2:] - box[:2]) / 2 * extent
        centre = (box[:2] + box[2:]) / 2
        rect = clip_box(np.concatenate([centre - half, centre + half]), picture.valid).round().astype(int)
        zoom = side / np.sqrt((box[2:] - box[:2]).prod())
        room = max(0.1, 1 - side / len(canvas.image)) if single and rng.random() < FRAMED else ANYWHERE
        self._paste(canvas, rng, picture, rect, zoom, soft=not whole and rng.random() < 0.7, room=room)

    def _paste_distractor(self, canvas: Canvas, rng: Generator) -> None:
        """A piece of a picture without a face, cut and blended as faces are."""
        picture = self.backgrounds[rng.integers(len(self.backgrounds))]
        height, width = picture.image.shape[:2]
        w, h = rng.integers(16, max(17, width // 2)), rng.integers(16, max(17, height // 2))
        left, top = rng.integers(0, width - w + 1), rng.integers(0, height - h + 1)
        side = np.exp(rng.uniform(np.log(SMALLEST), np.log(0.6 * len(canvas.image))))
        rect = np.array([left, top, left + w, top + h])
        self._paste(canvas, rng, picture, rect, side / np.sqrt(w * h), soft=rng.random() < 0.5, room=ANYWHERE)

    def _paste(
        self,
        canvas: Canvas,
        rng: Generator,
        picture: Picture,
        rect: np.ndarray,
        zoom: float,
        *,
        soft: bool,
        room: float,
    ) -> None:
        """Blend the part `rect` (xyxy) of `picture`, resized by `zoom` and rotated, into `canvas`.

        Its centre is in the central share `room` of the canvas, where it covers no earlier face. soft: with a soft
        edge, within which only the first face is visible.
        """
        left, top, right, bottom = rect
        if right - left < 4 or bottom - top < 4:
            return
        patch_hw = (max(3, round((bottom - top) * zoom)), max(3, round((right - left) * zoom)))
        interpolation = cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR
        patch = cv2.resize(picture.image[top:bottom, left:right], patch_hw[::-1], interpolation=interpolation)
        to_patch = resize_matrix(np.divide(patch_hw[::-1], rect[2:] - rect[:2]), rect[:2])
        patch = relight(patch, rng, noise=False)
        mask = edge_mask(patch_hw, rng, soft=soft)
        angle = rng.normal(0, 10) if rng.random() < 0.5 else rng.uniform(-50, 50)
        mirror = rng.random() < 0.5
        stretch = np.exp(rng.normal(0, STRETCH))
        shape = np.array([[-stretch if mirror else stretch, rng.normal(0, SHEAR)], [0, 1 / stretch]])
        size = len(canvas.image)
        for _ in range(TRIES):
            centre = (0.5 + room * rng.uniform(-0.5, 0.5, 2)) * size
            matrix = placement_matrix(patch_hw, angle, centre, shape)
            if canvas.covers_a_face(matrix, patch_hw):
                continue
            canvas.blend(patch, mask, matrix)
            if soft:
                boxes, landmarks, ignore = picture.boxes[:1], picture.landmarks[:1], picture.ignore[:0]
                picture = dataclasses.replace(picture, boxes=boxes, landmarks=landmarks, ignore=ignore)
            canvas.add(picture, matrix @ to_patch, mirror=mirror, within=None if soft else rect)
            return


def edge_mask(size_hw: tuple[int, int], rng: Generator, *, soft: bool) -> np.ndarray:
    """(h, w) float32 in [0, 1]: a feathered ellipse where `soft`, else the whole rectangle."""
    if not soft:
        return np.ones(size_hw, np.float32)
    y, x = np.ogrid[-1 : 1 : size_hw[0] * 1j, -1 : 1 : size_hw[1] * 1j]
    power, feather = rng.choice([2, 4]), rng.uniform(0.05, 0.4)
    radius = np.abs(x) ** power + np.abs(y) ** power
    return ((1 - radius) / feather).clip(0, 1).astype(np.float32)


def with_cover(picture: Picture, rng: Generator) -> Picture:
    """A portrait with a painted mask, or with an object before its first face.

    Boxes of masked faces start at the brows, as those drawn by hand on the masked street pictures of faces.tar do. The
    public weights' boxes of the same faces start 0.14 to 0.20 of a side higher, on the forehead, as WIDER FACE's do.
    """
    image, mask_on = covered(picture.image, picture.landmarks[0], rng)
    boxes = picture.boxes.copy()
    boxes[0, 1] += BROW * (boxes[0, 3] - boxes[0, 1]) * mask_on
    return dataclasses.replace(picture, image=image, boxes=boxes)


@dataclass(frozen=True, eq=False)
class SceneBatches(Dataset[tuple[Tensor, ...]]):
    """Item i is the batch of step `first + i`, always the same for a seed.

    A batch: images (N, S, S, 3) uint8 RGB, labels (N, A) int64, boxes (N, A, 4) float32, landmarks (N, A, 10) float32.

    steps: of the whole run. pixels: about so many a step, which decides N. sizes: one of them at random is S.
    Of the scenes of a step this process makes number `rank`, `rank + world_size`, ...; all make the same number.
    """

    maker: SceneMaker
    steps: int
    pixels: int
    sizes: Sequence[int]
    seed: int
    first: int = 0
    rank: int = 0
    world_size: int = 1

    def __len__(self) -> int:
        return self.steps - self.first

    def __getitem__(self, item: int) -> tuple[Tensor, ...]:
        step = self.first + item
        size = int(np.random.default_rng((self.seed, step)).choice(self.sizes))
        count = self.world_size * max(1, round(self.pixels / size**2 / self.world_size))
        mine = range(self.rank, count, self.world_size)
        scenes = [self.maker(np.random.default_rng((self.seed, step, i)), size) for i in mine]
        anchors = anchors_for((size, size))
        targets = [match_anchors(anchors, scene.boxes, scene.landmarks, scene.ignore) for scene in scenes]
        columns = ([scene.image for scene in scenes], *zip(*targets, strict=True))
        return tuple(torch.from_numpy(np.stack(column)) for column in columns)


def ignore_ctrl_c(worker: int) -> None:
    """Let a worker process ignore Ctrl-C, which a terminal also sends to it: the trainer decides when to stop."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
