"""The flags of annotated pictures: what they choose, and what is refused."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from evaluation.detection.annotated_pictures import PictureSettings
from support import UserError


@pytest.fixture
def settings(tmp_path) -> PictureSettings:
    rows = [{"image": f"{name}.png", "boxes": [], "split": split} for name, split in (("a1", "val"), ("b1", "train"))]
    for row in rows:
        (tmp_path / str(row["image"])).write_bytes(cv2.imencode(".png", np.zeros((8, 9, 3), np.uint8))[1].tobytes())
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return PictureSettings(annotations=str(tmp_path / "a.jsonl"), images=str(tmp_path), device="cpu")


def test_split_and_source_choose_pictures(settings):
    assert [picture.name for picture in settings.pictures()] == ["a1.png", "b1.png"]
    settings.split = "val"
    assert [picture.name for picture in settings.pictures()] == ["a1.png"]
    settings.source = "b"
    with pytest.raises(UserError, match="is in split 'val' of source 'b'"):
        settings.rows()


def test_annotations_and_images_are_both_needed():
    for given in ({}, {"annotations": "a.jsonl"}, {"images": "."}):
        with pytest.raises(UserError, match="both needed"):
            PictureSettings(**given).rows()


def test_the_detector_does_not_reduce_pictures(settings):
    detector = settings.detector(conf=0.3)
    assert (detector.conf, detector.imgsz) == (0.3, None)
