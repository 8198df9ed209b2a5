"""Training scenes: faces of every size pasted onto pictures that hold none, and crops of real groups.

In:  annotated pictures in memory, a random generator, a size.
Out: `Scene`: a square picture with boxes, landmarks and regions to ignore.

The portraits at hand show one face in the middle at one scale; a detector trained on them as they are learns just
that. So a scene is a background (a face-free picture, or a crop of a real group) onto which portraits are pasted at
log-uniform sizes, turned, mirrored, a little stretched and slanted, relit, partly covered, with soft and with hard
edges. Pieces of face-free pictures are pasted the same way, so that the seam of a paste tells nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from retinaface.face import resized
from retinaface.training.annotations import Picture
from retinaface.training.augment import covered, relight

SMALLEST, LARGEST = 10.0, 1.15  # side of a pasted face: pixels; share of the scene
NEAR, VERY_NEAR = 0.15, 0.5  # smallest share of the scene for a face by itself: before a webcam it is near, or nearer
FRAMED = 0.6  # share of those faces that lie within the frame, as far as they fit into it
ANYWHERE = 0.96  # room for the centre of a paste, as a share of the scene's side
MIRRORED_LANDMARKS = (1, 0, 2, 4, 3)
COVERED = 0.22  # share of pasted portraits that wear a mask or are partly hidden
BROW = 0.15  # share of its height by which the box of a masked face begins lower; see `with_cover`
STRETCH, SHEAR = 0.08, 0.08  # standard deviations: log of the stretch across (down shrinks by as much); slant
VISIBLE = 0.4  # share of a face that must be seen for it to count
TRIES = 8  # places tried for a paste before it is left out


@dataclass(frozen=True, eq=False)
class Scene:
    """image (S, S, 3) uint8 RGB; boxes (M, 4), landmarks (M, 5, 2) (NaN: unknown), ignore (K, 4), float32 pixels."""

    image: np.ndarray
    boxes: np.ndarray
    landmarks: np.ndarray
    ignore: np.ndarray


class SceneMaker:
    """Makes scenes from pictures that stay decoded in memory."""

    def __init__(self, pictures: Sequence[Picture]) -> None:
        self.grounds = [p for p in pictures if p.complete and not len(p.boxes)]
        self.portraits = [p for p in pictures if len(p.boxes) and not np.isnan(p.landmarks[0]).any() and not p.complete]
        self.groups = [p for p in pictures if len(p.boxes) and p.complete]

    def __call__(self, rng: np.random.Generator, size: int) -> Scene:
        """One scene of `size` pixels a side."""
        canvas = Canvas(self._background(rng, size))
        if self.groups and rng.random() < 0.4:
            canvas = self._group(rng, size)
        for _ in range(rng.poisson(1.2)):
            self._paste_distractor(canvas, rng)
        crowds = [0, 1, rng.integers(2, 5), rng.integers(5, 13), rng.integers(13, 25)]
        count = int(rng.choice(crowds, p=[0.2, 0.32, 0.2, 0.18, 0.1]))
        smallest = rng.choice([NEAR, VERY_NEAR]) * size if count == 1 else SMALLEST
        sides = np.exp(rng.uniform(np.log(smallest), np.log(LARGEST * size / max(1, count) ** 0.5), count))
        for side in sorted(sides, reverse=True):  # large first: a small face is not buried under a large one
            self._paste_face(canvas, rng, side, alone=count == 1)
        return Scene(relight(canvas.image, rng), *canvas.targets())

    def _background(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """A square part of a face-free picture, anything from a tenth of it to all of it; sometimes plain colour."""
        if rng.random() < 0.06:
            return np.full((size, size, 3), rng.integers(0, 256, 3), np.uint8)
        image = self.grounds[rng.integers(len(self.grounds))].image
        side = int(min(image.shape[:2]) * rng.uniform(0.3, 1.0))
        top, left = rng.integers(0, image.shape[0] - side + 1), rng.integers(0, image.shape[1] - side + 1)
        part = image[top : top + side, left : left + side]
        turned = np.rot90(part[:, :: rng.choice([-1, 1])], rng.integers(4))  # what is no face is none upside down
        return cv2.resize(np.ascontiguousarray(turned), (size, size), interpolation=cv2.INTER_AREA)

    def _group(self, rng: np.random.Generator, size: int) -> Canvas:
        """A window of a real group picture around one of its faces, at a drawn scale; what sticks out is filled."""
        picture = self.groups[rng.integers(len(self.groups))]
        box = picture.boxes[rng.integers(len(picture.boxes))]
        side = np.exp(rng.uniform(np.log(12), np.log(size * 0.7)))
        zoom = np.clip(side / max(1.0, (box[2:] - box[:2]).max()), 0.15, 4.0)
        image = cv2.resize(
            picture.image, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR
        )
        corner = (box[:2] + box[2:]) / 2 * zoom - rng.uniform(0.15, 0.85, 2) * size
        mirror = rng.random() < 0.5
        matrix = np.array([[1, 0, -corner[0]], [0, 1, -corner[1]]])
        if mirror:
            matrix[0] = [-1, 0, size - 1 + corner[0]]
        canvas = Canvas(self._background(rng, size))
        cv2.warpAffine(image, matrix, (size, size), dst=canvas.image, borderMode=cv2.BORDER_TRANSPARENT)
        canvas.add(picture, matrix @ resize_matrix(np.full(2, zoom), np.zeros(2)), mirror=mirror)
        return canvas

    def _paste_face(self, canvas: Canvas, rng: np.random.Generator, side: float, *, alone: bool) -> None:
        """One portrait with its main face `side` pixels large, where it covers no earlier face; one that is `alone`
        mostly lies within the frame, as large as it may be."""
        picture = self.portraits[rng.integers(len(self.portraits))]
        if rng.random() < COVERED:
            picture = with_cover(picture, rng)
        box = picture.boxes[0]
        whole = rng.random() < 0.35
        reach = 4.0 if whole else rng.uniform(1.15, 2.2)  # of the box's sides
        half = (box[2:] - box[:2]) / 2 * reach
        centre = (box[:2] + box[2:]) / 2
        rect = clip_box(np.concatenate([centre - half, centre + half]), picture.valid).round().astype(int)
        zoom = side / np.sqrt((box[2:] - box[:2]).prod())
        room = max(0.1, 1 - side / len(canvas.image)) if alone and rng.random() < FRAMED else ANYWHERE
        self._paste(canvas, rng, picture, rect, zoom, soft=not whole and rng.random() < 0.7, room=room)

    def _paste_distractor(self, canvas: Canvas, rng: np.random.Generator) -> None:
        """A piece of a face-free picture, cut and blended as faces are."""
        picture = self.grounds[rng.integers(len(self.grounds))]
        height, width = picture.image.shape[:2]
        w, h = rng.integers(16, max(17, width // 2)), rng.integers(16, max(17, height // 2))
        left, top = rng.integers(0, width - w + 1), rng.integers(0, height - h + 1)
        side = np.exp(rng.uniform(np.log(SMALLEST), np.log(0.6 * len(canvas.image))))
        rect = np.array([left, top, left + w, top + h])
        self._paste(canvas, rng, picture, rect, side / np.sqrt(w * h), soft=rng.random() < 0.5)

    def _paste(
        self,
        canvas: Canvas,
        rng: np.random.Generator,
        picture: Picture,
        rect: np.ndarray,
        zoom: float,
        *,
        soft: bool,
        room: float = ANYWHERE,
    ) -> None:
        """Blend the part `rect` (xyxy) of `picture`, `zoom` times as large and turned, into `canvas`, its centre
        somewhere in the middle `room` of it (a share of the side)."""
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
            matrix = turn_about_centre(patch_hw, angle, centre, shape)
            if canvas.covers_a_face(matrix, patch_hw):
                continue
            canvas.blend(patch, mask, matrix)
            canvas.add(picture, matrix @ to_patch, mirror=mirror, within=rect if not soft else None, only_first=soft)
            return


class Canvas:
    """A picture under construction and what is known of its faces."""

    def __init__(self, image: np.ndarray) -> None:
        self.image = image
        self.boxes: list[np.ndarray] = []
        self.landmarks: list[np.ndarray] = []
        self.ignore: list[np.ndarray] = []

    def covers_a_face(self, matrix: np.ndarray, patch_hw: tuple[int, int]) -> bool:
        """Whether a patch placed by `matrix` would hide more than a fifth of a face that is there."""
        patch = transform_box(np.array([0, 0, patch_hw[1], patch_hw[0]], np.float32), matrix)
        return any(box_area(clip_box(box, patch)) > 0.2 * box_area(box) for box in (*self.boxes, *self.ignore))

    def blend(self, patch: np.ndarray, mask: np.ndarray, matrix: np.ndarray) -> None:
        """Lay `patch` (h, w, 3) over the picture, as far as `mask` (h, w) float32 says, moved by `matrix` (2, 3)."""
        size = len(self.image)
        reach = transform_corners(patch.shape[:2], matrix)
        x1, y1 = np.floor(reach.min(axis=0)).clip(0, size).astype(int)
        x2, y2 = np.ceil(reach.max(axis=0) + 1).clip(0, size).astype(int)
        if x2 <= x1 or y2 <= y1:
            return
        local = matrix - np.array([[0, 0, x1], [0, 0, y1]])
        moved = cv2.warpAffine(patch, local, (int(x2 - x1), int(y2 - y1)), borderMode=cv2.BORDER_REPLICATE)
        weight = cv2.warpAffine(mask, local, (int(x2 - x1), int(y2 - y1)))[..., None]
        part = self.image[y1:y2, x1:x2]
        part[:] = (part + weight * (moved.astype(np.float32) - part)).round()

    def add(
        self,
        picture: Picture,
        matrix: np.ndarray,
        *,
        mirror: bool,
        within: np.ndarray | None = None,
        only_first: bool = False,
    ) -> None:
        """Note the faces of `picture`, moved by `matrix`; of a part of it only those that lie `within` (xyxy)."""
        frame = np.array([0, 0, len(self.image), len(self.image)], np.float32)
        for row, (box, points) in enumerate(zip(picture.boxes, picture.landmarks, strict=True)):
            if only_first and row:
                continue
            inside = within is None or box_area(clip_box(box, within)) > 0.7 * box_area(box)
            moved = transform_box(box, matrix)
            seen = clip_box(moved, frame)
            if not box_area(seen):
                continue
            if inside and box_area(seen) > VISIBLE * box_area(moved) and min(seen[2:] - seen[:2]) >= 7:
                self.boxes.append(seen)
                self.landmarks.append(transform_points(points[list(MIRRORED_LANDMARKS)] if mirror else points, matrix))
            else:
                self.ignore.append(seen)
        self.ignore += [transform_box(box, matrix) for box in picture.ignore] if not only_first else []

    def targets(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """boxes (M, 4), landmarks (M, 5, 2), ignore (K, 4), float32."""
        return (
            np.array(self.boxes, np.float32).reshape(-1, 4),
            np.array(self.landmarks, np.float32).reshape(-1, 5, 2),
            np.array(self.ignore, np.float32).reshape(-1, 4),
        )


# ---------------------------------------------------------------------------------------------------------------------
# Light, edges and geometry
# ---------------------------------------------------------------------------------------------------------------------


def edge_mask(size_hw: tuple[int, int], rng: np.random.Generator, *, soft: bool) -> np.ndarray:
    """(h, w) float32 in [0, 1]: a feathered ellipse where `soft`, else the whole rectangle."""
    if not soft:
        return np.ones(size_hw, np.float32)
    y, x = np.ogrid[-1 : 1 : size_hw[0] * 1j, -1 : 1 : size_hw[1] * 1j]
    power, feather = rng.choice([2, 4]), rng.uniform(0.05, 0.4)
    radius = np.abs(x) ** power + np.abs(y) ** power
    return ((1 - radius) / feather).clip(0, 1).astype(np.float32)


def with_cover(picture: Picture, rng: np.random.Generator) -> Picture:
    """A portrait with a painted mask, or with a thing before its main face.

    Boxes of masked faces begin at the brows, as those drawn by hand on the masked street pictures of faces.tar do; the
    public weights' boxes of the same faces begin 0.14 to 0.20 of a side higher, on the forehead, as WIDER FACE's do.
    """
    image, mask_on = covered(picture.image, picture.landmarks[0], rng)
    boxes = picture.boxes.copy()
    boxes[0, 1] += BROW * (boxes[0, 3] - boxes[0, 1]) * mask_on
    return dataclasses.replace(picture, image=image, boxes=boxes)


def turn_about_centre(
    size_hw: tuple[int, int], angle_deg: float, centre_xy: np.ndarray, shape: np.ndarray
) -> np.ndarray:
    """(2, 3) float64 that mirrors or stretches a patch by `shape` (2, 2), turns it about its middle, and puts the
    middle on `centre_xy`."""
    angle = np.deg2rad(angle_deg)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = turn @ shape
    middle = np.array([size_hw[1] - 1, size_hw[0] - 1]) / 2
    return np.column_stack([linear, centre_xy - linear @ middle])


def resize_matrix(zoom_xy: np.ndarray, corner_xy: np.ndarray) -> np.ndarray:
    """(3, 3) float64: where pixel centres go when the part from `corner_xy` on is resized by `zoom_xy`, each (2,)."""
    return np.block([[np.diag(zoom_xy), resized(-corner_xy, zoom_xy)[:, None]], [np.zeros(2), 1]])


def transform_points(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """(..., 2) points moved by a (2, 3) matrix."""
    return points @ matrix[:, :2].T + matrix[:, 2]


def transform_corners(size_hw: tuple[int, int], matrix: np.ndarray) -> np.ndarray:
    """(4, 2): where the corners of a patch go."""
    height, width = size_hw
    return transform_points(np.array([[0, 0], [width, 0], [0, height], [width, height]], np.float64), matrix)


def transform_box(box: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """(4,) the upright box around a face after it has been turned: that of the ellipse inscribed in `box`.

    The bounding box of the turned corners would be up to 1.4 times too large; a face is rounder than its box.
    """
    centre = transform_points((box[:2] + box[2:]) / 2, matrix)
    half = np.sqrt((matrix[:, :2] ** 2) @ ((box[2:] - box[:2]) / 2) ** 2)
    return np.concatenate([centre - half, centre + half])


def clip_box(box: np.ndarray, frame: np.ndarray) -> np.ndarray:
    """(4,) the part of `box` inside `frame`, both xyxy."""
    return np.concatenate([np.clip(box[:2], frame[:2], frame[2:]), np.clip(box[2:], frame[:2], frame[2:])])


def box_area(box: np.ndarray) -> float:
    """Square pixels of an xyxy box."""
    return float(max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1]))
