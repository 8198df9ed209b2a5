"""A story for the page and Python: people before a camera, shot by shot, and what networks would give for it.

Out: shots, each with its frame and with outputs of both networks, prepared, so that no rounding of networks tells two
programs apart that get them.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

import cv2
import numpy as np

from models.preprocess import CROP_TEMPLATE
from pipeline.options import PredictOptions

HEIGHT, WIDTH = 240, 320
NAMES = ("neutral", "happiness", "sadness", "anger")
CHANNELS, GRID_HW, CELLS = 6, (9, 8), (1.5, 5.0)  # of the explained layer: its first cell looks at pixel 1.5
MAX_FACES = 3


def room(seed: int, size_hw: tuple[int, int] = (HEIGHT, WIDTH)) -> np.ndarray:
    """(H, W, 3) uint8 RGB: a wall with a pattern."""
    rng = np.random.default_rng(seed)
    return cv2.resize(rng.integers(20, 200, (12, 16, 3), np.uint8), size_hw[::-1], interpolation=cv2.INTER_NEAREST)


@dataclass(frozen=True)
class Person:
    """A face of `size` pixels around (x, y) of the frame searched, and what it looks like."""

    looks: int
    x: float
    y: float
    size: float = 60
    score: float = 0.9

    @property
    def box(self) -> np.ndarray:
        return np.array([self.x, self.y, self.x, self.y]) + self.size / 2 * np.array([-1, -1.1, 1, 1.1])

    @property
    def landmarks(self) -> np.ndarray:
        wobble = np.random.default_rng(round(self.x + self.looks)).normal(0, 0.02, (5, 2))
        return self.box[:2] + (CROP_TEMPLATE + wobble) * self.size * [1, 1.1]

    def painted(self, frame: np.ndarray) -> np.ndarray:
        """The frame with a pattern of its own where the person stands."""
        texture = np.random.default_rng(100 + self.looks).integers(0, 230, (13, 13, 3), np.uint8)
        zoom = 1.6 * self.size / 13
        matrix = np.array([[zoom, 0, self.x - 6 * zoom], [0, zoom, self.y - 6 * zoom]])
        return cv2.warpAffine(texture, matrix, frame.shape[1::-1], dst=frame.copy(), borderMode=cv2.BORDER_TRANSPARENT)

    def moved(self, right: float, down: float, **changes: float) -> Person:
        return dataclasses.replace(self, x=self.x + right, y=self.y + down, **changes)


Anchors = tuple[np.ndarray, np.ndarray, np.ndarray]


def anchors_of(people: list[Person]) -> Anchors:
    """Scores, boxes and landmarks in an order of no meaning: of each person also those that vote on its landmarks (the
    second), that are not as sure or not quite there (and may not), and a part of the face."""
    found = []
    for one in people:
        low, side = max(0.2, 0.45 * one.score), one.size
        others = [(0.05, 0.05, 1, 0.8), (-0.05, 0.1, 1, 0.7), (0.1, 0.05, 1, low / one.score), (0.3, 0, 1, 0.9),
                  (0, 0.2, 0.4, 0.95)]  # fmt: skip
        found += [one, *(one.moved(right * side, down * side, size=size * side, score=share * one.score)
                         for right, down, size, share in others)]  # fmt: skip
    order = np.random.default_rng(len(found)).permutation(len(found))
    columns = ([found[i].score for i in order], [found[i].box for i in order], [found[i].landmarks for i in order])
    scores, boxes, landmarks = (np.array(column, np.float32) for column in columns)
    return scores, boxes.reshape(-1, 4), landmarks.reshape(-1, 5, 2)


@dataclass(frozen=True)
class Shot:
    """A frame, when it was taken, who is found in it where it is searched at which size; and how it is explained."""

    frame: np.ndarray
    time_s: float | None
    people: dict[tuple[int, int], list[Person]]  # by the size of the searched frame
    likely: tuple[int, ...] = (1, 2, 3)  # the class that each face's logits name
    options: PredictOptions = field(default_factory=PredictOptions)
    again: tuple[PredictOptions, ...] = (PredictOptions("gradcam++"), PredictOptions(None))
    new_scene: bool = False
    turned: bool = False  # the frames from here on are mirror images of what would follow
    imgsz: int = 640

    @property
    def logits(self) -> np.ndarray:
        """(MAX_FACES, K) float32."""
        return np.array([np.roll([2.5, 0.3, -0.4, 1.1], kind) for kind in self.likely], np.float32)

    @property
    def activation(self) -> np.ndarray:
        """(MAX_FACES, C, h, w) float32, 0 and more."""
        rng = np.random.default_rng(round(1000 * (self.time_s or 0)))
        return rng.normal(0.2, 1, (MAX_FACES, CHANNELS, *GRID_HW)).clip(0).astype(np.float32)


def shot(time_s: float | None, people: list[Person], *, wall: int = 1, **more: object) -> Shot:
    """Of people who are found where they stand."""
    frame = room(wall)
    for one in people:
        frame = one.painted(frame)
    return Shot(frame, time_s, {(HEIGHT, WIDTH): people}, **more)


def near_shot(time_s: float | None, found: list[Person], smaller: list[Person], *, halvings: int = 1, **more) -> Shot:
    """Of a face that fills the frame, in which `found` is found, and `smaller` once it is halved so many times."""
    made = shot(time_s, found, wall=2, **more)
    small_hw = (HEIGHT >> halvings, WIDTH >> halvings)
    return dataclasses.replace(made, people=made.people | {small_hw: smaller})


A, B = Person(0, 90, 120), Person(1, 220, 120, score=0.8)
BESIDE = A.moved(24, 0, score=0.7)  # overlaps A, but not so much that only one of them stays


def mirrored(made: Shot, *, turned: bool) -> Shot:
    """The shot as a mirror shows it."""
    people = {hw: [one.moved(WIDTH - 1 - 2 * one.x, 0) for one in found] for hw, found in made.people.items()}
    return dataclasses.replace(made, frame=np.ascontiguousarray(made.frame[:, ::-1]), people=people, turned=turned)


CROWD = [A, B, Person(3, 40, 50, 30, 0.7), Person(4, 160, 40, 28, 0.6), Person(5, 160, 205, 26, 0.55)]
NEAR = Person(8, 160, 120, 290)
HALF = Person(8, 81, 61, 146, 0.85)
EDGE = Person(8, 420, 120, 260, 0.4)
MOUTH, CHILD = Person(9, 165, 190, 70, 0.95), Person(9, 90, 60, 34, 0.7)


def story() -> list[Shot]:
    """What may happen before a camera and at the page, in an order in which one thing follows from the other."""
    flash = shot(0.2, [A, B])
    flash = dataclasses.replace(flash, frame=(flash.frame * 2.0 + 60).clip(0, 255).astype(np.uint8))
    large = cv2.resize(near_shot(None, [NEAR], []).frame, (482, 361), interpolation=cv2.INTER_LINEAR)
    passers = [Person(13, 150, 120, score=0.1), Person(15, 40, 120, score=0.1), Person(22, 120, 120, score=0.1)]
    crowded = shot(13.8, [A], options=PredictOptions(None), again=(PredictOptions("gradcam", "neutral"),))
    anchors = {(HEIGHT, WIDTH): [A] * 210 + [B.moved(0, 0, score=0.6)]}  # B's are behind the first thousand
    crowded = dataclasses.replace(crowded, people=anchors)
    sad, attention = PredictOptions("hirescam", "sadness"), PredictOptions("attention")
    return [
        shot(0.0, [A, B, Person(3, 40, 50, 30, 0.4)]),  # one of them is hardly a face
        shot(0.04, [A.moved(3, 1, score=0.75), B.moved(-2, 1, score=0.85)], likely=(0, 3, 1)),  # labels stay
        shot(0.08, CROWD, options=sad, again=(PredictOptions("gradcam++", "anger"), PredictOptions())),
        shot(0.12, []),
        shot(0.16, [A.moved(2, 0, looks=6), B]),  # somebody else stands where A was
        flash,  # in which nobody can be told from anybody
        shot(0.24, [A.moved(1, 0, looks=7), B.moved(0, 1)], options=attention),
        shot(0.28, [A.moved(1, 0, looks=7), B.moved(0, 1)], wall=2),  # a cut
        near_shot(0.32, [NEAR.moved(120, 0, score=0.4), MOUTH, CHILD], [HALF]),  # it is somewhat elsewhere
        near_shot(0.36, [NEAR.moved(0, 0, size=280), Person(2, 336, 100, score=0.6)], [HALF.moved(3, 0)]),  # blended
        near_shot(0.40, [NEAR.moved(9, 0, score=0.45), MOUTH], [HALF.moved(0, 0, score=0.6)]),  # not sure of the whole
        near_shot(0.44, [NEAR.moved(0, 0, size=530)], [Person(8, 40, 30, 131, 0.9)], halvings=2),
        near_shot(0.46, [NEAR.moved(0, 0, size=240), EDGE], [HALF.moved(0, 0, size=136, score=0.95)]),  # not near yet
        near_shot(0.48, [NEAR.moved(0, 0, score=0.31)], []),
        near_shot(0.52, [NEAR.moved(0, 0, score=0.29)], []),  # hardly a face: nobody looks again
        shot(1.6, [A, BESIDE]),
        shot(1.64, [A.moved(4, 0), BESIDE.moved(4, 0)], likely=(2, 0, 1)),
        shot(2.3, [A.moved(20, 0, looks=7)], likely=(3, 0, 1)),  # the same, though turned, but smoothed afresh
        shot(2.54, [*passers[:1], Person(22, 90, 120)]),
        shot(2.58, [Person(22, 90, 120), *passers[1:]]),  # a head of before is seen, but elsewhere: another one
        shot(5.2, [A.moved(20, 0)]),  # forgotten by then
        shot(5.1, [A.moved(20, 0)]),  # another film
        shot(5.2, [A.moved(20, 0)], new_scene=True, likely=(3, 0, 1)),
        shot(6.2, [A]),
        shot(7.4, []),
        shot(9.6, [A.moved(60, 0)]),  # in a film of hardly a frame a second nobody is forgotten so soon
        shot(13.0, [A.moved(-65, 0)]),  # too far off
        shot(13.2, [A, Person(10, 110, 120, size=40)]),  # one as sure as the other
        shot(13.4, [A.moved(14, 0)]),  # nearer to the other, but of the size of this one
        shot(13.6, [A.moved(14, 0, size=110)]),  # too large for either
        Shot(large, None, {(361, 482): [NEAR, MOUTH], (180, 241): [HALF]}, likely=(3, 1, 0)),  # a picture
        crowded,
        Shot(large, 13.9, {(240, 320): [NEAR], (120, 160): [HALF]}, imgsz=320),
        Shot(large, 13.94, {(240, 320): [NEAR.moved(0, 0, size=200)]}, imgsz=320),  # not so near in the frame searched
        shot(14.1, [A]),
        shot(14.3, [BESIDE, A]),  # one of them is new
        shot(14.34, [A, B]),
        shot(14.38, [A.moved(6, 0), B.moved(-4, 2)]),
        mirrored(shot(14.42, [A.moved(12, 0), B.moved(-8, 4)], likely=(3, 1, 2)), turned=True),  # and nobody is new
        mirrored(shot(14.46, [A.moved(18, 0), B.moved(-12, 6)]), turned=False),
    ]
