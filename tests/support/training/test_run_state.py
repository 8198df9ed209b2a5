"""Two generations of a run's state, and what a run was started with."""

import dataclasses
import json

import pytest
import torch

from support import UserError
from support.training.run_state import begin_run, newest_state, refuse_changes, refuse_to_overwrite, save_state


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


@dataclasses.dataclass
class Settings:
    lr: float = 0.1
    files: list[str] = dataclasses.field(default_factory=list)


def test_a_run_begins_with_its_settings_in_an_empty_folder(tmp_path):
    begin_run(tmp_path / "run", Settings(files=["a"]))
    assert json.loads((tmp_path / "run" / "settings.json").read_text()) == {"lr": 0.1, "files": ["a"]}
    save_state(tmp_path / "run", {})
    with pytest.raises(UserError, match="holds a run already"):
        begin_run(tmp_path / "run", Settings())


def test_changes_are_named_with_both_values():
    then = {"lr": 0.1, "files": ["a"], "gone": 1}
    refuse_changes(then, {"lr": 0.1, "files": ["a"], "younger": 2})
    with pytest.raises(
        UserError, match=r"started with lr 0\.1 and not 0\.2, files \['a'\] and not \[\]; give the same"
    ):
        refuse_changes(then, {"lr": 0.2, "files": []})
