"""The moving picture of the README: small, endless, and what live.py draws."""

from __future__ import annotations

import numpy as np
from helpers.paths import ROOT
from PIL import Image, ImageSequence

from data.sources.sample import sample_frame
from docs.make import animation


def test_the_file_in_docs_is_small_and_endless():
    path = ROOT / "docs" / "pictures" / "live.webp"
    assert path.stat().st_size < 1.5e6
    with Image.open(path) as picture:
        assert len(list(ImageSequence.Iterator(picture))) == len(range(0, animation.PERIOD, animation.Settings().step))
        assert picture.info["loop"] == 0
        assert picture.size == animation.SIZE_HW[::-1]


def test_the_command_annotates_one_period_of_the_sample(tmp_path, capsys):
    path = tmp_path / "a.webp"
    assert animation.main(["--out", str(path), "--step", "300", "--frame-ms", "200", "--quality", "80"]) == 0
    assert "2 frames" in capsys.readouterr().out
    with Image.open(path) as picture:
        assert len(list(ImageSequence.Iterator(picture))) == 2
        for index in (0, 300):
            picture.seek(index // 300)
            shown, plain = np.array(picture.convert("RGB")).astype(int), sample_frame(index, animation.SIZE_HW)
            changed = np.abs(shown - plain).max(axis=2) > 60
            assert 0.02 < changed.mean() < 0.5  # boxes, labels, bars and heat on the picture
