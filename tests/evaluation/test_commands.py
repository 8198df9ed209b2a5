"""The flags of a split, and the faces that they name."""

from __future__ import annotations

import pytest
from helpers.portrait_set import FACES
from helpers.tiny_sets import write_grey, write_lines

from evaluation.commands import SplitSettings
from support import UserError


def test_the_split_is_read_in_the_format_of_its_folder(folder):
    settings = SplitSettings(data_path=str(folder), split="validation")
    layout, faces = settings.load()
    assert layout.NAME == "ferplus"
    assert len(faces) == FACES["validation"]
    with pytest.raises(UserError, match="not laid out like raf_db"):
        SplitSettings(data_path=str(folder), dataset="raf_db").load()


def test_votes_in_another_order_are_said(tmp_path, capsys):
    rows = [f"{number}.png,{('happy', 'sad')[number % 2]},{number % 2},{1 - number % 2},test" for number in range(20)]
    write_lines(tmp_path / "faces.csv", ["path,label,p_happy,p_sad,split", *rows])
    for number in range(20):
        write_grey(tmp_path / f"{number}.png", number)
    SplitSettings(data_path=str(tmp_path)).load()
    said = "in doubt (vote-order): the label is the top vote for 0 % of the faces (test); by most votes"
    assert capsys.readouterr().err.startswith(said)
