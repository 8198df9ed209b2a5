"""Small grey pictures of the page beside Python's: the same cuts, the same patches of faces, and how alike they are."""

from __future__ import annotations

import itertools

import numpy as np
from helpers.twins.node import FRAME_OF, as_frame, twin
from helpers.twins.story import WIDTH, Person, room

from pipeline.appearance import face_patch, likeness
from pipeline.scene import PATIENCE, SceneCut, small_grey

GREY = """
import { SceneCut, facePatch, likeness, smallGrey } from "./page/analysis/grey.js";
const frames = values.frames.map(frameOf);
const cut = new SceneCut(about.tracking);
const cuts = values.film.map(([i, first]) => cut.isCut(frames[i], first));
const patches = values.boxes.map(([i, box]) => facePatch(frames[i], box, about.tracking));
const known = patches.filter((patch) => patch);
const alike = known.map((patch) => known.map((other) => likeness(patch, other, about.tracking)));
const small = frames.map((frame) => smallGrey(frame, about.tracking));
const plain = (grey) => grey && { shape: [grey.height, grey.width], values: [...grey.values] };
const result = [cuts, patches.map(plain), alike, small.map(plain)];"""


def twice(grey: np.ndarray) -> np.ndarray:
    """The frame (2h, 2w, 3) whose small grey copy is the picture (h, w) uint8 itself."""
    return np.kron(grey, np.ones((2, 2), np.uint8))[..., None].repeat(3, axis=2)


def grey_film() -> tuple[list[np.ndarray], list[tuple[int, bool]]]:
    """Frames, and a film: which of them, and whether it is told that a scene begins."""
    rng = np.random.default_rng(6)
    sizes = [room(4, (150, 400)), room(5, (300, 15)), room(5, (300, 200))]
    frames = [twice(np.zeros((72, 96), np.uint8)), Person(3, 150, 110, 80).painted(room(3)), *sizes]
    film = [(i, i == 2) for i in (0, 0, 1, 1, 2, 2, 1, 1, 3, 3, 4, 4, 0)]
    patterns = rng.integers(20, 220, (2, 72, 96), np.uint8)
    for _ in range(60):
        grey = patterns[int(rng.random() < 0.3)].copy()
        for top, left in itertools.product(range(0, 64, 16), range(0, 96, 16)):  # few blocks tell anything
            block = grey[top : top + 16, left : left + 16]
            match rng.choice(["level", "bleached", "moved", "as it is"], p=[0.6, 0.15, 0.1, 0.15]):
                case "level":
                    block[:] = 120
                case "bleached":
                    block[: rng.integers(1, 5)] = 250
                case "moved":
                    block[:] = np.roll(block, rng.integers(-6, 6), axis=1)
        film.append((len(frames), False))
        frames.append(twice(grey))
    coarse = np.kron(rng.integers(60, 180, (5, 6)), np.ones((16, 16)))[:72]
    film += [(len(frames) + i, False) for i in range(2)]  # the frames are alike, and no block of one is of the other
    frames += [twice((coarse + rng.integers(-20, 20, (72, 96))).astype(np.uint8)) for _ in range(2)]
    for count in (PATIENCE, PATIENCE + 1):  # for so long black is passed over
        film += [(5, False), (0, False), (5, True), *[(0, False)] * count, (len(frames) - 1, False)]
    return frames, film


def boxes_in(frames: list[np.ndarray]) -> list[tuple[int, tuple[float, ...]]]:
    """Frames' numbers and boxes, of all sizes, inside and outside, in all light; the frames for it are appended."""
    lights = [(0.3, 0), (0.13, 90), (0.1, 90), (1, 90), (2, 60), (0, 250)]  # some of them nearly level, or bleached
    first, picture = len(frames), frames[1]
    frames += [(picture * gain + more).clip(0, 255).astype(np.uint8) for gain, more in lights]
    for edge in (95, 112):  # of the middle of a patch around the first box a seventh is white, or a quarter
        frames.append(np.where(np.arange(WIDTH)[:, None] < edge, 255, picture).astype(np.uint8))
    boxes: list[tuple[float, ...]]
    boxes = [(100, 60, 190, 170), (103, 57, 196, 166), (40, 40, 64, 64), (40, 40, 63.9, 63.9), (150, 60, 100, 170)]
    boxes += [(-40, -30, 60, 90), (-500, -500, -400, -400), (280, 200, 400, 260), (10, 10, 310, 230)]
    lit = [(i, box) for i in range(first, len(frames)) for box in (boxes[0], boxes[-1])]
    return [*((1, box) for box in boxes), (2, (10, 20, 80, 90)), (3, (-20, 100, 30, 150)), *lit]


def test_cuts_patches_and_likenesses():
    frames, film = grey_film()
    boxes = boxes_in(frames)
    cut = SceneCut()
    cuts = [cut.is_cut(frames[i], first=first) for i, first in film]
    patches = [face_patch(frames[i], np.array(box, np.float32)) for i, box in boxes]
    known = [patch for patch in patches if patch is not None]
    values = {"frames": [as_frame(frame) for frame in frames], "film": film, "boxes": boxes}
    found_cuts, found, alike, small = twin(FRAME_OF + GREY, values)
    assert found_cuts == cuts
    assert [patch is None for patch in found] == [patch is None for patch in patches]
    greys = [*known, *map(small_grey, frames)]
    for ours, theirs in zip([*filter(None, found), *small], greys, strict=True):
        np.testing.assert_allclose(np.reshape(ours["values"], ours["shape"]), theirs.astype(int), atol=2)
    np.testing.assert_allclose(alike, [[likeness(one, other) for other in known] for one in known], atol=5e-3)
