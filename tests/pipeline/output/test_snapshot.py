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
