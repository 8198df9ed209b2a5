"""Which anchor is to find which face, against the paper's algorithm written out in loops."""

from __future__ import annotations

import numpy as np

from retinaface.anchors import ANCHORS, STRIDES, anchors_for, iou
from retinaface.training.matching import BACKGROUND, IGNORE_SHARE, IGNORED, NEAREST, match_anchors, share_inside

SIZE_HW = (128, 160)
ALL = anchors_for(SIZE_HW)
NOTHING = np.empty((0, 4), np.float32)


def by_the_book(boxes: np.ndarray) -> np.ndarray:
    """Algorithm 1 of Zhang et al. 2020, one box and one level after the other."""
    counts = [ANCHORS * -(-SIZE_HW[0] // stride) * -(-SIZE_HW[1] // stride) for stride in STRIDES]
    matched, best = np.full(len(ALL), BACKGROUND), np.zeros(len(ALL))
    for number, box in enumerate(boxes):
        middle, candidates, start = (box[:2] + box[2:]) / 2, [], 0
        for count in counts:
            rows = range(start, start + count)
            far = {row: np.hypot(*((ALL[row, :2] + ALL[row, 2:]) / 2 - middle)) for row in rows}
            candidates += sorted(rows, key=far.__getitem__)[: ANCHORS * NEAREST]
            start += count
        overlap = {row: iou(box[None], ALL[row][None])[0, 0] for row in candidates}
        threshold = np.mean(list(overlap.values())) + np.std(list(overlap.values()))
        for row, value in overlap.items():
            x, y = (ALL[row, :2] + ALL[row, 2:]) / 2
            inside = box[0] < x < box[2] and box[1] < y < box[3]
            if value >= threshold and inside and value > best[row]:
                matched[row], best[row] = number, value
    return matched


def test_it_is_the_papers_algorithm(rng):
    corner = rng.uniform(0, 90, (6, 2))  # at random, so that no two anchors are equally far
    boxes = np.concatenate([corner, corner + rng.uniform(9, 70, (6, 2))], axis=1).astype(np.float32)
    matched = match_anchors(SIZE_HW, boxes, NOTHING)
    np.testing.assert_array_equal(matched, by_the_book(boxes))
    assert set(matched) >= {0, 1, 2, 3}


def test_a_face_gets_anchors_of_its_own_size():
    for side in (20, 40, 100):
        low = 64 - side / 2 + 0.3
        matched = match_anchors(SIZE_HW, np.array([[low, low, low + side, low + side]], np.float32), NOTHING)
        sizes = (ALL[:, 2] - ALL[:, 0])[matched == 0]
        assert len(sizes) >= 1
        assert (sizes >= side / 2).all()
        assert (sizes <= 2 * side).all()


def test_anchors_in_a_region_to_ignore_are_ignored_but_a_face_there_stays_one():
    region = np.array([[0, 0, 64, 64]], np.float32)
    empty = match_anchors(SIZE_HW, NOTHING, region)
    small = ALL[:, 2] - ALL[:, 0] == 16
    assert (empty[small & (ALL[:, :2] >= 0).all(axis=1) & (ALL[:, 2:] <= 64).all(axis=1)] == IGNORED).all()
    assert (empty[(ALL[:, :2] > 70).all(axis=1)] == BACKGROUND).all()
    with_face = match_anchors(SIZE_HW, np.array([[21, 22, 37, 38]], np.float32), region)
    assert (with_face == 0).any()
    assert (match_anchors(SIZE_HW, NOTHING, NOTHING) == BACKGROUND).all()


def test_share_inside_by_hand():
    assert share_inside(np.array([[0, 0, 10, 10]]), np.array([[5, 0, 20, 10], [20, 20, 30, 30]])).tolist() == [[0.5, 0]]


def test_each_of_several_regions_is_ignored_from_its_share_on():
    regions = np.array([[0, 0, 64, 64], [96, 64, 160, 128]], np.float32)
    share = share_inside(ALL, regions).max(axis=1)
    matched = match_anchors(SIZE_HW, NOTHING, regions)
    assert ((matched == IGNORED) == (share > IGNORE_SHARE)).all()
    alone = [match_anchors(SIZE_HW, NOTHING, region[None]) == IGNORED for region in regions]
    assert alone[0].any()
    assert alone[1].any()
    np.testing.assert_array_equal(matched == IGNORED, alone[0] | alone[1])
