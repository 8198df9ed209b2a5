"""Scenes of pasted faces: where they are, what is found there, and what is said of those that are not found."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from helpers.tiny_sets import write_lines, write_picture

from data.sources.open_source import read_picture
from retinaface.face import Face
from retinaface.training import compose
from retinaface.training.annotations import chosen_rows, read_pictures
from retinaface.training.compose import SCENE_HW, SIDES, faces_of, main
from support import UserError


class BrightFinder:
    """Finds the bright squares of a scene as faces that have three quarters of their side; dark ones it overlooks."""

    def __call__(self, frames):
        (frame,) = frames
        faces = []
        for contour in cv2.findContours((frame.min(axis=2) > 200).astype(np.uint8), 0, 2)[0]:
            left, top, width, height = cv2.boundingRect(contour)
            box = np.array([left, top, left + 0.75 * width, top + 0.75 * height], np.float32)
            faces.append(Face(box, np.tile(box[:2], (5, 1)), 0.9))
            faces.append(Face(np.tile(box[:2], 2) + np.array([0, 0, 9, 9], np.float32), np.tile(box[:2], (5, 1)), 0.8))
        return [faces]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Three bright faces, one dark, and a black picture without a face."""
    for number, grey in enumerate((255, 255, 60, 255)):
        write_picture(tmp_path / "faces" / f"{number}.png", np.full((48, 48, 3), grey, np.uint8))
    write_picture(tmp_path / "none.png", np.zeros((300, 400, 3), np.uint8))
    write_lines(tmp_path / "a.jsonl", [json.dumps({"image": "none.png", "boxes": []})])
    monkeypatch.setattr(compose.RetinaFace, "from_file", lambda *args, **options: BrightFinder())
    monkeypatch.setattr(compose, "COLOURED", 0)
    monkeypatch.setattr(compose, "BLURRED", 0)
    return tmp_path


def run(folder, *flags):
    argv = ["--faces", folder / "faces", "--annotations", folder / "a.jsonl", "--images", folder, *flags]
    return main([str(value) for value in (*argv, "--out", folder / "scenes", "--device", "cpu")])


def test_every_face_has_a_box_and_those_that_were_found_have_landmarks(folder):
    assert run(folder, "--scenes", 4) == 0
    rows = chosen_rows(folder / "scenes" / "annotations.jsonl", split="train")
    pictures = list(read_pictures(rows, folder / "scenes"))
    assert [picture.name for picture in pictures] == [f"0000{number}.jpg" for number in range(4)]
    missed = 0
    for picture in pictures:
        assert picture.image.shape == (*SCENE_HW, 3)
        assert picture.complete
        assert not picture.landmarks_by_hand
        for box, points in zip(picture.boxes, picture.landmarks, strict=True):
            side = (box[2] - box[0]) / 0.75  # of the pasted picture: also where the mean place was taken
            assert SIDES[0] - 1.5 <= side <= SIDES[1] + 1.5
            left, top = box[:2].round().astype(int)
            inside = picture.image[top + 4 : top + 40, left + 4 : left + 40].mean()
            is_missed = bool(np.isnan(points).any())
            missed += is_missed
            assert inside == pytest.approx(60 if is_missed else 255, abs=4)
            if not is_missed:
                np.testing.assert_allclose(points, np.tile(box[:2], (5, 1)))
    assert missed == 6  # a quarter of the 24 faces


def test_scenes_are_the_same_for_a_seed(folder):
    assert run(folder, "--scenes", 1) == 0
    first = (folder / "scenes" / "00000.jpg").read_bytes()
    assert run(folder, "--scenes", 1) == 0
    assert (folder / "scenes" / "00000.jpg").read_bytes() == first
    assert run(folder, "--scenes", 1, "--seed", 1) == 0
    assert (folder / "scenes" / "00000.jpg").read_bytes() != first


def test_what_is_missing_is_said(folder):
    write_lines(folder / "a.jsonl", [json.dumps({"image": "none.png", "boxes": [[1, 2, 30, 40]]})])
    with pytest.raises(UserError, match="no training picture without a face"):
        run(folder)
    (folder / "faces").rename(folder / "others")
    with pytest.raises(UserError, match="holds none"):
        run(folder)
    with pytest.raises(UserError, match="are all needed"):
        main([])


@pytest.mark.parametrize("place", [".", "faces"])
def test_scenes_do_not_go_among_what_they_are_made_of(folder, place):
    before = sorted(folder.rglob("*"))
    with pytest.raises(UserError, match="is where what is read lies, which would be overwritten"):
        main(["--faces", str(folder / "faces"), "--annotations", str(folder / "a.jsonl"), "--images", str(folder),
              "--out", str(folder / place)])  # fmt: skip
    assert sorted(folder.rglob("*")) == before


def test_scenes_have_the_colours_of_their_pictures(folder):
    write_picture(folder / "none.png", np.full((300, 400, 3), (20, 20, 180), np.uint8))  # BGR
    assert run(folder, "--scenes", 1) == 0
    scene = read_picture(folder / "scenes" / "00000.jpg")
    np.testing.assert_allclose(np.median(scene, axis=(0, 1)), (180, 20, 20), atol=6)


def test_what_is_much_smaller_than_the_pasted_picture_is_not_its_face():
    square = np.array([[0.0, 0, 100, 100]])
    faces = [Face(np.array([20, 20, 20 + side, 20 + side], np.float32), np.zeros((5, 2)), 0.9) for side in (30, 50)]
    assert faces_of(np.zeros((9, 9, 3), np.uint8), square, lambda frames: [faces]) == [faces[1]]
