"""Training scenes: what is painted is what is noted."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from retinaface.training import scenes
from retinaface.training.annotations import Picture
from retinaface.training.augment import covered
from retinaface.training.scenes import (
    Canvas,
    SceneMaker,
    edge_mask,
    relight,
    transform_box,
    transform_points,
    turn_about_centre,
    with_cover,
)

BOX = np.array([[70, 50, 130, 130]], np.float32)
LANDMARKS = np.array([[[85, 75], [115, 75], [100, 95], [88, 112], [112, 112]]], np.float32)
COLOURS = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0], [255, 0, 255]])  # one a landmark


def picture(name: str, *, faces: bool, complete: bool, shade: int = 60, ignore=()) -> Picture:
    """200 x 200 grey; a face is a light box with a coloured square on each landmark."""
    image = np.full((200, 200, 3), shade, np.uint8)
    if faces:
        image[50:130, 70:130] = 200
        for (x, y), colour in zip(LANDMARKS[0].astype(int), COLOURS, strict=True):
            image[y - 4 : y + 5, x - 4 : x + 5] = colour
    return Picture(
        name=name,
        image=image,
        boxes=BOX.copy() if faces else np.empty((0, 4), np.float32),
        landmarks=LANDMARKS if faces else np.empty((0, 5, 2), np.float32),
        ignore=np.array(ignore, np.float32).reshape(-1, 4),
        valid=np.array([0, 0, 200, 200], np.float32),
        complete=complete,
    )


@pytest.fixture
def maker() -> SceneMaker:
    return SceneMaker(
        [
            picture("background", faces=False, complete=True),
            picture("portrait", faces=True, complete=False),
            picture("group", faces=True, complete=True),
        ]
    )


def test_a_seed_gives_one_scene(maker):
    first, second, other = (maker(np.random.default_rng(seed), 160) for seed in (5, 5, 6))
    assert np.array_equal(first.image, second.image)
    assert np.array_equal(first.boxes, second.boxes)
    assert not np.array_equal(first.image, other.image)


def test_scenes_are_well_formed_and_varied(maker):
    made = [maker(np.random.default_rng(seed), 192) for seed in range(60)]
    for scene in made:
        assert scene.image.shape == (192, 192, 3)
        assert scene.image.dtype == np.uint8
        assert len(scene.boxes) == len(scene.landmarks)
        assert (scene.boxes >= 0).all()
        assert (scene.boxes <= 192).all()
        assert (scene.boxes[:, 2:] > scene.boxes[:, :2]).all()
    sides = np.concatenate([np.sqrt((s.boxes[:, 2:] - s.boxes[:, :2]).prod(axis=1)) for s in made])
    assert np.percentile(sides, 95) / np.percentile(sides, 5) > 5  # faces of every size
    assert {0, 1} <= {len(s.boxes) for s in made}


def test_a_face_by_itself_is_near_and_often_very_near(maker):
    alone = SceneMaker([*maker.grounds, *maker.portraits])
    made = [alone(np.random.default_rng(seed), 128) for seed in range(120)]
    across = np.array([(s.boxes[0, 2:] - s.boxes[0, :2]).max() / 128 for s in made if len(s.boxes) == 1])
    assert 0.25 < (across > 0.5).mean() < 0.85
    assert (across > 0.8).sum() >= 5


def test_landmarks_lie_on_the_colours_they_were_painted_with(maker, monkeypatch):
    monkeypatch.setattr(scenes, "relight", lambda image, rng, noise=True: image)  # colours stay what they are
    monkeypatch.setattr(scenes, "covered", lambda image, landmarks, rng: (image, False))
    checked = 0
    for seed in range(120):
        scene = maker(np.random.default_rng(seed), 256)
        for box, points in zip(scene.boxes, scene.landmarks, strict=True):
            if np.sqrt((box[2:] - box[:2]).prod()) < 60 or len(scene.boxes) > 2:
                continue
            inside = ((points > 2) & (points < 253)).all(axis=1)
            x, y = points[inside].round().astype(int).T
            distance = np.abs(scene.image[y, x].astype(int)[:, None] - COLOURS).sum(axis=2)
            # a mirrored face's image-left eye is the other eye's colour: left and right swap together
            right_way, mirrored = np.arange(5)[inside], np.array([1, 0, 2, 4, 3])[inside]
            nearest = distance.argmin(axis=1)
            assert np.array_equal(nearest, right_way) or np.array_equal(nearest, mirrored)
            checked += 1
    assert checked > 10


def test_a_face_cut_by_the_edge_is_clipped_and_a_sliver_is_ignored():
    canvas = Canvas(np.zeros((100, 100, 3), np.uint8))
    face = picture("p", faces=True, complete=False)
    canvas.add(face, np.array([[1.0, 0, -95], [0, 1, -50]]), mirror=False)  # box at -25..35: seven twelfths seen
    canvas.add(face, np.array([[1.0, 0, -120], [0, 1, -50]]), mirror=False)  # box at -50..10: one sixth seen
    boxes, landmarks, ignore = canvas.targets()
    np.testing.assert_allclose(boxes, [[0, 0, 35, 80]])
    np.testing.assert_allclose(landmarks[0], LANDMARKS[0] - [95, 50])
    np.testing.assert_allclose(ignore, [[0, 0, 10, 80]])


def test_covers_a_face_sees_what_a_patch_would_hide():
    canvas = Canvas(np.zeros((100, 100, 3), np.uint8))
    canvas.boxes.append(np.array([20, 20, 60, 60], np.float32))
    here = np.array([[1.0, 0, 20], [0, 1, 20]])
    assert canvas.covers_a_face(here, (30, 30))
    assert not canvas.covers_a_face(here + np.array([[0, 0, 45], [0, 0, 0]]), (30, 30))


def test_geometry_by_hand():
    matrix = turn_about_centre((11, 21), 90, np.array([50.0, 50.0]), np.eye(2))
    np.testing.assert_allclose(transform_points(np.array([[10.0, 5.0], [20.0, 5.0]]), matrix), [[50, 50], [50, 60]])
    mirrored = turn_about_centre((11, 21), 0, np.array([50.0, 50.0]), np.diag([-1, 1]))
    np.testing.assert_allclose(transform_points(np.array([20.0, 5.0]), mirrored), [40, 50])
    quarter = np.array([[0.0, -1, 100], [1, 0, 0]])
    np.testing.assert_allclose(transform_box(np.array([10, 20, 30, 60.0]), quarter), [40, 10, 80, 30])
    turned = transform_box(np.array([-20.0, -20, 20, 20]), turn_about_centre((1, 1), 45, np.zeros(2), np.eye(2)))
    np.testing.assert_allclose(turned, [-20, -20, 20, 20])  # a circle turned is a circle


def test_the_box_of_a_stretched_slanted_face_is_that_of_its_ellipse():
    matrix = turn_about_centre((40, 50), 20, np.array([30.0, 30]), np.array([[-1.1, 0.1], [0, 1 / 1.1]]))
    turn = np.linspace(0, 2 * np.pi, 3601)
    edge = transform_points([20, 19] + [15, 11] * np.stack([np.cos(turn), np.sin(turn)], axis=1), matrix)
    found = transform_box(np.array([5.0, 8, 35, 30]), matrix)
    np.testing.assert_allclose(found, [*edge.min(axis=0), *edge.max(axis=0)], atol=1e-3)


def test_boxes_begin_at_the_brows_where_a_mask_is_painted_and_only_there():
    face = picture("face", faces=True, complete=False)
    painted = 0
    for seed in range(40):
        _, mask_on = covered(face.image, LANDMARKS[0], np.random.default_rng(seed))
        worn = with_cover(face, np.random.default_rng(seed))
        np.testing.assert_allclose(worn.boxes, [[70, 62 if mask_on else 50, 130, 130]], atol=1e-4)
        painted += mask_on
    assert 20 < painted < 36
    assert face.boxes.tolist() == [[70, 50, 130, 130]]  # the portrait is pasted again without one


def test_edges_and_light(rng):
    assert (edge_mask((20, 30), rng, soft=False) == 1).all()
    soft = edge_mask((21, 31), rng, soft=True)
    assert soft[10, 15] == 1
    assert soft[0, 0] == soft[-1, -1] == 0
    image = rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)
    before = image.copy()
    lit = relight(image, rng)
    assert lit.shape == image.shape
    assert lit.dtype == np.uint8
    assert np.array_equal(image, before)


@pytest.mark.parametrize("zoom", [0.15, 0.4, 1.0, 2.7])
def test_a_point_of_a_paste_is_where_it_is_said_to_be(monkeypatch, zoom):
    """To a fraction of a pixel, at every size: the middle of a spot found in the scene, beside the landmark noted."""
    monkeypatch.setattr(scenes, "relight", lambda image, rng, noise=True: image)
    y, x = np.mgrid[:200, :200]
    spot = (255 * np.exp(-((x - 100.0) ** 2 + (y - 95.0) ** 2) / 400)).astype(np.uint8)  # about the nose
    face = dataclasses.replace(picture("p", faces=True, complete=False), image=spot[..., None].repeat(3, 2))
    distances = []
    for seed in range(20):
        canvas, rng = Canvas(np.zeros((256, 256, 3), np.uint8)), np.random.default_rng(seed)
        SceneMaker([])._paste(canvas, rng, face, np.array([47, 42, 153, 145]), zoom, soft=False, room=0.05)
        weight = canvas.image[..., 0].astype(float) ** 2
        rows, columns = np.mgrid[:256, :256]
        middle = np.array([(weight * columns).sum(), (weight * rows).sum()]) / weight.sum()
        distances.append(canvas.landmarks[0][2] - middle)
    assert np.abs(np.mean(distances, axis=0)).max() < 0.05
