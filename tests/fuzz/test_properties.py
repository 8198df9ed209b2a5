"""What must hold whatever the numbers are: boxes, suppression, crops, tracking, tiles, label tables, metadata."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
from helpers.paths import ROOT

os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(ROOT / ".cache" / "hypothesis"))  # not in the checkout

from fuzz.weights import base_checkpoint
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from data.tables import read_rows, to_number, vote_counts, whole_number
from models.checkpoint import Checkpoint
from pipeline.crops import crop_matrix, points_in_frame, similarity
from pipeline.tracking import Tracker
from retinaface.anchors import anchors_for, iou
from retinaface.anchors import non_maximum_suppression as suppress
from retinaface.face import Face
from retinaface.tiles import OVERLAP, TILE, tiles_of
from retinaface.training.matching import match_anchors
from support import UserError
from support.weights import load_tensors, save_tensors

FEW = settings(
    max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
PIXELS = st.floats(-3000, 3000, width=32)
SIDES = st.floats(1, 1500, width=32)
BOXES = st.lists(st.tuples(PIXELS, PIXELS, SIDES, SIDES), max_size=12).map(
    lambda rows: np.array([(x, y, x + w, y + h) for x, y, w, h in rows], np.float32).reshape(-1, 4)
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@FEW
@given(BOXES, BOXES)
def test_iou_is_symmetric_at_most_one_and_one_with_itself(first, second):
    both = iou(first, second)
    assert both.shape == (len(first), len(second))
    assert ((both >= 0) & (both <= 1 + 1e-5)).all()
    np.testing.assert_allclose(both, iou(second, first).T)
    np.testing.assert_allclose(np.diag(iou(first, first)), 1, atol=1e-3)


@FEW
@given(BOXES, st.floats(0.05, 0.95), st.randoms(use_true_random=False))
def test_what_stays_does_not_overlap_and_what_goes_overlaps_a_better_one(boxes, threshold, random):
    scores = np.array([random.random() for _ in boxes], np.float32)
    kept = suppress(boxes, scores, iou_threshold=threshold)
    assert (np.diff(scores[kept]) <= 0).all()
    among = iou(boxes[kept], boxes[kept]) - np.eye(len(kept))
    assert (among <= threshold + 1e-4).all()
    for gone in set(range(len(boxes))) - set(kept.tolist()):
        better = kept[scores[kept] >= scores[gone]]
        assert (iou(boxes[[gone]], boxes[better]) > threshold - 1e-4).any()


@FEW
@given(BOXES, st.tuples(st.integers(16, 300), st.integers(16, 300)))
def test_an_anchor_is_matched_to_a_face_that_it_stands_in(boxes, size_hw):
    matched = match_anchors(size_hw, boxes, np.empty((0, 4), np.float32))
    anchors = anchors_for(size_hw)
    assert matched.shape == (len(anchors),)
    own = matched >= 0
    centre, box = (anchors[own, :2] + anchors[own, 2:]) / 2, boxes[matched[own]]
    assert ((centre > box[:, :2]) & (centre < box[:, 2:])).all()
    assert (np.einsum("ii->i", iou(anchors[own], box)) > 0).all()


@FEW
@given(st.floats(0.2, 5), st.floats(-3.1, 3.1), PIXELS, PIXELS, st.integers(8, 256))
def test_a_crop_undoes_any_turn_scale_and_shift(scale, angle, x, y, size):
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = np.array([[20, 30], [60, 30], [40, 50], [25, 65], [55, 65]], np.float64)
    moved = points @ turn.T + [x, y]
    np.testing.assert_allclose(similarity(points, moved)[:, :2], turn, atol=1e-6)
    box = np.array([*moved.min(axis=0), *moved.max(axis=0)], np.float32)
    matrix = crop_matrix(Face(box, moved.astype(np.float32), 0.9), size)
    np.testing.assert_allclose(matrix, crop_matrix(Face(box, moved.astype(np.float32), 0.1), size))
    there = moved @ matrix[:, :2].T + matrix[:, 2]
    back = points_in_frame(there, matrix)
    assert back is not None
    np.testing.assert_allclose(back, moved, atol=1e-3 * max(1, np.abs(moved).max()))


@FEW
@given(arrays(np.float32, (5, 2), elements=st.floats(-1e5, 1e5, width=32)))
def test_any_landmarks_give_a_finite_matrix(landmarks):
    assert np.isfinite(crop_matrix(Face(np.array([0, 0, 9, 9], np.float32), landmarks, 0.5), 64)).all()


@FEW
@given(st.integers(1, 20_000), st.integers(1, 20_000))
def test_tiles_cover_a_picture_and_every_face_is_whole_in_a_tile_that_owns_it(height, width):
    tiles = tiles_of((height, width))
    assert max(tile.rect_xyxy[2] for tile in tiles) == width
    assert max(tile.rect_xyxy[3] for tile in tiles) == height
    assert all(0 <= t.rect_xyxy[0] < t.rect_xyxy[2] <= width and t.rect_xyxy[2] - t.rect_xyxy[0] <= TILE for t in tiles)
    rng = np.random.default_rng(height * 20_000 + width)
    for _ in range(20):
        side = rng.uniform(1, OVERLAP - 80)
        x, y = rng.uniform(0, max(width - side, 1)), rng.uniform(0, max(height - side, 1))
        face = Face(np.array([x, y, x + side, y + side], np.float32), np.zeros((5, 2), np.float32), 0.9)
        owners = [tile for tile in tiles if tile.owned([face])]
        assert owners
        for tile in owners:
            left, top, right, bottom = tile.rect_xyxy
            assert left <= x + 1e-3 or left == 0
            assert top <= y + 1e-3 or top == 0
            assert right >= x + side - 1e-3 or right == width
            assert bottom >= y + side - 1e-3 or bottom == height


@FEW
@given(st.lists(st.tuples(st.floats(0, 3), BOXES), max_size=8), st.sampled_from([0.0, 0.4]))
def test_every_face_has_one_track_of_its_own_and_nothing_grows(frames, smooth_s):
    tracker, time_s, started = Tracker(), 0.0, 0
    for passed_s, boxes in frames:
        time_s += passed_s
        faces = [Face(box, np.tile(box[:2], (5, 1)), 0.9) for box in boxes]
        smoothed, observations = tracker.update(faces, time_s, smooth=smooth_s > 0)
        numbers = [observation.track.number for observation in observations]
        assert len(set(numbers)) == len(numbers) == len(smoothed) == len(faces)
        started = max([started, *numbers])
        assert len(tracker.tracks) <= started
        assert all(np.isfinite(face.box_xyxy).all() for face in smoothed)
        rows = np.random.default_rng(len(boxes)).dirichlet(np.ones(4), len(boxes)).astype(np.float32)
        after = tracker.smooth(observations, rows, smooth_s=smooth_s)
        np.testing.assert_allclose(after.sum(axis=1), 1, atol=1e-4)
        assert (after >= -1e-6).all()
    for step in range(100):  # the source's rate is learned anew, and the memory goes by it
        tracker.update([], time_s + step / 10)
    assert not tracker.tracks


@FEW
@given(st.lists(st.text(max_size=12), min_size=1, max_size=6))
def test_votes_are_counted_or_refused(fields):
    try:
        counts = vote_counts(fields)
    except UserError:
        return
    assert counts.dtype == np.float32
    assert np.isfinite(counts).all()
    assert counts.sum() > 0
    np.testing.assert_allclose(counts, [to_number(text) for text in fields], rtol=1e-6)


@FEW
@given(st.text(max_size=6), st.integers(0, 9), st.integers(0, 9))
def test_a_whole_number_lies_where_it_must(text, first, last):
    assume(first <= last)
    try:
        number = whole_number(text, last, first=first)
    except UserError:
        return
    assert first <= number <= last
    assert number == int(text)


@FEW
@given(st.binary(max_size=200), st.sampled_from([".csv", ".txt"]))
def test_any_bytes_are_rows_or_refused(tmp_path, content, suffix):
    path = Path(tmp_path / f"x{suffix}")
    path.write_bytes(content)
    try:
        rows = list(read_rows(path))
    except UserError:
        return
    assert all(line >= 1 and any(fields) and all(text == text.strip() for text in fields) for line, fields in rows)


@FEW
@given(
    st.sampled_from(["class_names", "preprocess", "temperature", "class_bias", "class_prior", "prior_tau", "network"]),
    JSON,
)
def test_a_header_with_another_entry_is_refused_or_describes_a_network(name, entry):
    header = base_checkpoint().header() | {name: entry}
    try:
        found = Checkpoint.from_header(json.loads(json.dumps(header)), {}, path="x")
    except UserError:
        return
    assert found.temperature > 0
    assert len(found.class_bias) == len(found.class_names)
    assert np.isfinite(found.prior_bias).all()
    json.dumps(found.header(), allow_nan=False)


@FEW
@given(st.dictionaries(st.text(st.characters(codec="utf-8"), min_size=1, max_size=9), JSON, max_size=4))
def test_any_metadata_come_back_from_a_file(tmp_path, header):
    assume(not header.keys() & {"sha256", "format"})
    weights = {"a": base_checkpoint().weights["fc1.bias"]}
    save_tensors(tmp_path / "x.safetensors", weights, header=header | {"format": "f/1"})
    tensors, found = load_tensors(tmp_path / "x.safetensors", wanted_format="f/1")
    assert json.dumps({name: found[name] for name in header}) == json.dumps(header)
    assert tensors["a"].equal(weights["a"])
