"""The folder of a run: two generations of its state, what may not change when it is resumed; requests to stop."""

from __future__ import annotations

import dataclasses
import json

import pytest
import torch

from support import UserError
from support.training.distributed import Distributed
from support.training.run_state import RunFolder

MAIN = Distributed(torch.device("cpu"))


@dataclasses.dataclass
class Settings:
    lr: float = 0.1
    files: list[str] = dataclasses.field(default_factory=list)
    device: str = "cpu"
    data_path: str = ""
    soft: str = ""
    resume: bool = False


def folder_of(path, distributed=MAIN, *, faces: int = 7, **settings) -> RunFolder:
    return RunFolder(path, Settings(**settings), distributed, data={"faces": faces})


def test_a_run_begins_with_its_settings_in_an_empty_folder(tmp_path):
    folder = folder_of(tmp_path / "run", files=["a"])
    assert folder.begin() == {}
    written = json.loads((tmp_path / "run" / "settings.json").read_text())
    assert written == {"lr": 0.1, "files": ["a"], "device": "cpu", "data_path": "", "soft": "", "resume": False}
    folder.save({})
    with pytest.raises(UserError, match="holds a run already"):
        folder.begin()


@pytest.mark.parametrize("name", ["best.safetensors", "weights.safetensors"])
def test_a_new_run_does_not_overwrite_the_weights_of_one_whose_state_is_gone(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(UserError, match=f"{name} is of an earlier run; delete it, or name another --out"):
        folder_of(tmp_path).begin()
    (tmp_path / name).unlink()
    assert folder_of(tmp_path).begin() == {}


def test_the_newest_state_that_loads_is_taken(tmp_path):
    folder = folder_of(tmp_path)
    for step in (1, 2, 3):
        folder.save({"step": step, "w": torch.full((2,), step)})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["last.pt", "previous.pt"]
    assert folder.load()["step"] == folder_of(tmp_path, resume=True).begin()["step"] == 3
    content = (tmp_path / "last.pt").read_bytes()
    for broken in (content[:100], b"", b"text"):  # cut off by a kill or a full disk
        (tmp_path / "last.pt").write_bytes(broken)
        assert folder.load()["step"] == 2
    (tmp_path / "last.pt").unlink()
    assert folder.load()["w"].tolist() == [2, 2]
    with pytest.raises(UserError, match="holds a run already"):
        folder.begin()
    (tmp_path / "previous.pt").unlink()
    with pytest.raises(UserError, match="found no last"):
        folder.load()


def test_a_failed_write_keeps_what_was_there(tmp_path):
    folder = folder_of(tmp_path)
    folder.save({"step": 1})
    with pytest.raises(Exception, match="pickle"):
        folder.save({"step": lambda: None})
    assert folder.load()["step"] == 1
    assert [path.name for path in tmp_path.iterdir()] == ["last.pt"]


def test_changed_settings_are_refused_with_both_values(tmp_path):
    folder_of(tmp_path, files=["a"]).save({"step": 5})
    moved = folder_of(tmp_path, files=["a"], device="cuda", data_path="elsewhere", soft="elsewhere.csv")
    assert moved.load()["step"] == 5  # the content of what they name is part of the data
    words = r"started with lr 0\.1 and not 0\.2, files \['a'\] and not \[\]; give the same"
    with pytest.raises(UserError, match=words):
        folder_of(tmp_path, lr=0.2).load()
    with pytest.raises(UserError, match="started with faces 7 and not 8"):
        folder_of(tmp_path, files=["a"], faces=8).load()


def test_a_run_that_is_older_than_a_setting_had_its_default(tmp_path):
    torch.save({"step": 5, "settings": {"files": [], "gone": 1}}, tmp_path / "last.pt")
    assert folder_of(tmp_path).load()["step"] == 5
    with pytest.raises(UserError, match=r"started with lr 0\.1 and not 0\.2; "):
        folder_of(tmp_path, lr=0.2).load()


def test_only_the_main_process_writes(tmp_path):
    other = folder_of(tmp_path / "run", Distributed(torch.device("cpu"), rank=1, world_size=2))
    other.begin()
    other.save({"step": 1})
    other.export(lambda path: pytest.fail("exported twice"), "best.safetensors")
    assert not list(tmp_path.iterdir())


def test_more_epochs_go_on_and_fewer_are_refused(tmp_path, capsys):
    @dataclasses.dataclass
    class Epochs(Settings):
        epochs: int = 50

    RunFolder(tmp_path, Epochs(), MAIN, data={}).save({"step": 1})
    longer = RunFolder(tmp_path, Epochs(epochs=60, resume=True), MAIN, data={})
    assert longer.begin()["step"] == 1
    assert "to go on to 60 epochs instead of 50" in capsys.readouterr().err
    written = json.loads((tmp_path / "settings.json").read_text())
    assert (written["epochs"], written["resume"]) == (60, False)
    with pytest.raises(UserError, match="epochs 50 and not 40"):
        RunFolder(tmp_path, Epochs(epochs=40), MAIN, data={}).load()


def test_a_full_disk_is_said_and_the_last_state_kept(tmp_path, monkeypatch):
    folder = folder_of(tmp_path)
    folder.save({"step": 1})
    resource = pytest.importorskip("resource", reason="limits of file sizes are set as on Unix")
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limit[1]))
    try:
        with pytest.raises(UserError, match=r"last.pt cannot be written: is the disk full\?") as caught:
            folder.save({"step": 2, "w": torch.zeros(10_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert caught.value.exit_code == 1
    assert folder.load()["step"] == 1
