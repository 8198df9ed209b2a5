"""The flags of a split, and the faces that they name."""

from __future__ import annotations

import pytest
from helpers.portrait_set import FACES

from evaluation.commands import SplitSettings
from support import UserError


def test_the_split_is_read_in_the_format_of_its_folder(folder):
    settings = SplitSettings(data_path=str(folder), split="validation")
    layout, faces = settings.load()
    assert layout.NAME == "ferplus"
    assert len(faces) == FACES["validation"]
    with pytest.raises(UserError, match="not laid out like raf_db"):
        SplitSettings(data_path=str(folder), dataset="raf_db").load()
