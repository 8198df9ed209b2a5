"""Training scenes: targets are where the faces are; batches are the same for a seed, split evenly over processes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from retinaface.anchors import anchors_for
from retinaface.training import scenes
from retinaface.training.annotations import Picture
from retinaface.training.augment import covered
from retinaface.training.canvas import Canvas
from retinaface.training.scenes import SceneBatches, SceneMaker, edge_mask, with_cover

BOX = np.array([[70, 50, 130, 130]], np.float32)
LANDMARKS = np.array([[[85, 75], [115, 75], [100, 95], [88, 112], [112, 112]]], np.float32)
COLOURS = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0], [255, 0, 255]])  # one a landmark


def picture(*, faces: bool, complete: bool) -> Picture:
    """200 x 200 grey; a face is a light box with a coloured square on each landmark."""
    image = np.full((200, 200, 3), 60, np.uint8)
    if faces:
        image[50:130, 70:130] = 200
        for (x, y), colour in zip(LANDMARKS[0].astype(int), COLOURS, strict=True):
            image[y - 4 : y + 5, x - 4 : x + 5] = colour
    none, valid = np.empty((0, 4), np.float32), np.array([0, 0, 200, 200], np.float32)
    return Picture("p", image, BOX[:faces].copy(), LANDMARKS[:faces], none, valid, complete)


@pytest.fixture
def maker() -> SceneMaker:
    """Of a picture without a face, a portrait and a group."""
    kinds = ((False, True), (True, False), (True, True))
    return SceneMaker([picture(faces=faces, complete=complete) for faces, complete in kinds])


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
    face = picture(faces=True, complete=False)
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
    face = dataclasses.replace(picture(faces=True, complete=False), image=spot[..., None].repeat(3, 2))
    distances = []
    for seed in range(20):
        canvas, rng = Canvas(np.zeros((256, 256, 3), np.uint8)), np.random.default_rng(seed)
        SceneMaker([])._paste(canvas, rng, face, np.array([47, 42, 153, 145]), zoom, soft=False, room=0.05)
        weight = canvas.image[..., 0].astype(float) ** 2
        rows, columns = np.mgrid[:256, :256]
        middle = np.array([(weight * columns).sum(), (weight * rows).sum()]) / weight.sum()
        distances.append(canvas.landmarks[0][2] - middle)
    assert np.abs(np.mean(distances, axis=0)).max() < 0.05


def batches(maker: SceneMaker, size: int, **options: int) -> SceneBatches:
    return SceneBatches(maker, steps=5, pixels=4 * 128 * 128, sizes=[size], seed=3, **options)


def test_a_batch_has_targets_for_every_anchor_of_every_scene(maker):
    images, labels, boxes, landmarks = batches(maker, 128)[0]
    count = len(anchors_for((128, 128)))
    assert (images.shape, images.dtype) == ((4, 128, 128, 3), torch.uint8)
    assert (labels.shape, labels.dtype) == ((4, count), torch.int64)
    assert (boxes.shape, landmarks.shape) == ((4, count, 4), (4, count, 10))
    assert (labels == 1).any()


def test_a_resumed_run_gets_the_same_batches(maker):
    whole, rest = batches(maker, 96), batches(maker, 96, first=2)
    assert (len(whole), len(rest)) == (5, 3)
    for a, b in zip(whole[3], rest[1], strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0, equal_nan=True)


def test_processes_share_the_scenes_of_a_step(maker):
    for step in range(3):
        parts = [batches(maker, 128, first=1, rank=rank, world_size=2)[step] for rank in (0, 1)]
        for whole, a, b in zip(batches(maker, 128, first=1)[step], *parts, strict=True):
            torch.testing.assert_close(torch.stack([a, b], dim=1).flatten(0, 1), whole, equal_nan=True)
    sizes = [len(batches(maker, 96, rank=rank, world_size=3)[0][0]) for rank in range(3)]
    assert sizes == [2, 2, 2]  # of the 7.1 scenes that would fit
