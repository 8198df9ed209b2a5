"""Training scenes: targets are where the faces are."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from retinaface.training import scenes
from retinaface.training.annotations import Picture
from retinaface.training.augment import covered
from retinaface.training.canvas import Canvas
from retinaface.training.scenes import SceneMaker, edge_mask, with_cover

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


def test_a_single_face_is_near_and_often_very_near(maker):
    single = SceneMaker([*maker.backgrounds, *maker.portraits])
    made = [single(np.random.default_rng(seed), 128) for seed in range(120)]
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


def test_boxes_start_at_the_brows_where_a_mask_is_painted_and_only_there():
    face = picture("face", faces=True, complete=False)
    painted = 0
    for seed in range(40):
        _, mask_on = covered(face.image, LANDMARKS[0], np.random.default_rng(seed))
        covered_face = with_cover(face, np.random.default_rng(seed))
        np.testing.assert_allclose(covered_face.boxes, [[70, 62 if mask_on else 50, 130, 130]], atol=1e-4)
        painted += mask_on
    assert 20 < painted < 36
    assert face.boxes.tolist() == [[70, 50, 130, 130]]  # the portrait is pasted again without one


def test_a_soft_edge_fades_and_a_hard_one_does_not(rng):
    assert (edge_mask((20, 30), rng, soft=False) == 1).all()
    soft = edge_mask((21, 31), rng, soft=True)
    assert soft[10, 15] == 1
    assert soft[0, 0] == soft[-1, -1] == 0


@pytest.mark.parametrize("zoom", [0.15, 0.4, 1.0, 2.7])
def test_a_landmark_of_a_paste_is_on_the_point_it_marks(monkeypatch, zoom):
    """To a fraction of a pixel, at every size: the centre of a spot in the scene, beside the recorded landmark."""
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
