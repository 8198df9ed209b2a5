"""Sheets of hits, misses and false positives: each cutout in the right sheet, in the right order."""

from __future__ import annotations

import json

import cv2
import numpy as np

from evaluation.detection.sheet import TILE, cut_out, cutouts_of, main
from retinaface.face import Face
from retinaface.training.annotations import Picture


def face(box: list[float], score: float) -> Face:
    return Face(box_xyxy=np.array(box, np.float32), landmarks_xy=np.zeros((5, 2), np.float32), score=score)


def test_hits_misses_and_false_positives_go_to_their_sheets():
    picture = Picture(
        name="a",
        pixels=np.zeros((200, 200, 3), np.uint8),
        boxes=np.array([[10, 10, 50, 50], [100, 100, 160, 170]], np.float32),
        landmarks=np.full((2, 5, 2), np.nan, np.float32),
        ignore=np.empty((0, 4), np.float32),
        complete=True,
    )
    sheets = cutouts_of(picture, [face([11, 11, 51, 51], 0.9), face([150, 10, 190, 60], 0.6)], np.random.default_rng(0))
    assert [c.caption for c in sheets["hits"]] == ["0.90"]
    assert [(c.caption, c.sort_key) for c in sheets["misses"]] == [("70 px", 70.0)]
    assert [(c.caption, round(c.sort_key, 3)) for c in sheets["false_positives"]] == [("0.60", 0.6)]
    assert not picture.image.any()  # drawn on a copy


def test_a_cutout_is_centred_on_its_box_and_grey_outside():
    image = np.zeros((100, 100, 3), np.uint8)
    image[:20, :20] = (200, 0, 0)
    tile = cut_out(image, np.array([0, 0, 20, 20], np.float32))
    assert tile.shape == (TILE, TILE, 3)
    assert tuple(tile[TILE // 2, TILE // 2]) == (200, 0, 0)
    assert tuple(tile[2, 2]) == (128, 128, 128)


def test_the_command_writes_three_sheets(tmp_path, portrait):
    (tmp_path / "a.png").write_bytes(cv2.imencode(".png", portrait[..., ::-1])[1].tobytes())
    rows = [{"image": "a.png", "boxes": [[178, 57, 270, 175], [20, 300, 90, 400]], "split": "val"}]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = tmp_path / "sheets"
    flags = ["--annotations", str(tmp_path / "a.jsonl"), "--images", str(tmp_path), "--device", "cpu"]
    assert main([*flags, "--out", str(out)]) == 0
    assert sorted(path.name for path in out.iterdir()) == ["false_positives.png", "hits.png", "misses.png"]
