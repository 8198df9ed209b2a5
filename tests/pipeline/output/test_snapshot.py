"""Pictures on disk, read back with Pillow."""

from __future__ import annotations

import os

import numpy as np
import pytest
from PIL import Image

from pipeline.output.snapshot import save_picture
from support import UserError


def test_save_picture(tmp_path):
    image_rgb = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    save_picture(tmp_path / "new" / "ä.png", image_rgb)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "new" / "ä.png")), image_rgb)
    with pytest.raises(UserError, match=r"take \.png"):
        save_picture(tmp_path / "a.xyz", image_rgb)
    assert os.listdir(tmp_path) == ["new"]


@pytest.mark.parametrize(("suffix", "longest"), [(".webp", 16_383), (".jpg", 65_500), (".png", 1_000_000)])
def test_a_picture_larger_than_its_kind_of_file_takes_is_one_sentence(tmp_path, suffix, longest):
    with pytest.raises(UserError, match=rf"{longest + 1}x1 pixels; save it as \.tif") as error:
        save_picture(tmp_path / f"a{suffix}", np.zeros((1, longest + 1, 3), np.uint8))
    assert error.value.exit_code == 1
    assert os.listdir(tmp_path) == []
