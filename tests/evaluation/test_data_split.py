"""The flags of a split, and the faces that they name."""

from __future__ import annotations

import pytest

from data.sample_set import FACES, write_sample_set
from evaluation.data_split import SplitSettings
from support import UserError


def test_the_split_is_read_in_the_format_of_its_folder(tmp_path):
    settings = SplitSettings(data_path=str(write_sample_set(tmp_path)), split="validation")
    layout, faces = settings.load()
    assert layout.NAME == "ferplus"
    assert len(faces) == FACES["validation"]
    with pytest.raises(UserError, match="not laid out like raf_db"):
        SplitSettings(data_path=str(tmp_path), dataset="raf_db").load()
