"""Two generations of a run's state."""

import pytest
import torch

from support import UserError
from support.run_state import newest_state, refuse_to_overwrite, save_state


def test_the_newest_that_loads_is_taken(tmp_path):
    refuse_to_overwrite(tmp_path)
    for step in (1, 2, 3):
        save_state(tmp_path, {"step": step, "w": torch.full((2,), step)})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["last.pt", "previous.pt"]
    assert newest_state(tmp_path)["step"] == 3
    content = (tmp_path / "last.pt").read_bytes()
    for broken in (content[:100], b"", b"text"):  # cut off by a kill or a full disk
        (tmp_path / "last.pt").write_bytes(broken)
        assert newest_state(tmp_path)["step"] == 2
    (tmp_path / "last.pt").unlink()
    assert newest_state(tmp_path)["w"].tolist() == [2, 2]
    with pytest.raises(UserError, match="holds a run already"):
        refuse_to_overwrite(tmp_path)
    (tmp_path / "previous.pt").unlink()
    with pytest.raises(UserError, match="found no last"):
        newest_state(tmp_path)


def test_a_failed_write_keeps_what_was_there(tmp_path):
    save_state(tmp_path, {"step": 1})
    with pytest.raises(Exception, match="pickle"):
        save_state(tmp_path, {"step": lambda: None})
    assert newest_state(tmp_path)["step"] == 1
    assert [path.name for path in tmp_path.iterdir()] == ["last.pt"]
