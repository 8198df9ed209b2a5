"""The command: scores of the shipped weights on one picture, corrupted or not."""

from __future__ import annotations

import json

import cv2
import pytest

from evaluation.detection.__main__ import main


@pytest.fixture
def flags(tmp_path, portrait) -> list[str]:
    """An annotated picture with one face."""
    (tmp_path / "p.png").write_bytes(cv2.imencode(".png", portrait[..., ::-1])[1].tobytes())
    row = {"image": "p.png", "boxes": [[178, 57, 270, 175]], "landmarks": [None]}
    (tmp_path / "a.jsonl").write_text(json.dumps(row) + "\n")
    return ["--annotations", str(tmp_path / "a.jsonl"), "--images", str(tmp_path), "--device", "cpu"]


def test_the_command_scores_the_shipped_weights(flags, tmp_path):
    assert main([*flags, "--out", str(tmp_path / "s.json")]) == 0
    scores = json.loads((tmp_path / "s.json").read_text())
    assert {"ap", "recall", "false_positives", "landmark_error", "faces", "images"} <= scores.keys()
    assert (scores["ap"], scores["recall"], scores["faces"], scores["images"]) == (1.0, 1.0, 1, 1)
    assert scores["landmark_error"] is None
    assert scores["by_size"]["96-192"]["faces"] == scores["by_luminance"]["140-256"]["faces"] == 1


def test_corrupted_pictures_are_scored_at_their_own_size(flags, capsys):
    assert main([*flags, "--corruption", "near"]) == 0
    scores = json.loads(capsys.readouterr().out)
    assert scores["faces"] == scores["by_size"]["192-inf"]["faces"] == 1


def test_unknown_corruptions_are_refused(flags):
    with pytest.raises(SystemExit):
        main([*flags, "--corruption", "fog"])
