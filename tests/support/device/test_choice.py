"""The device: what is asked for, what is there, and what is said where they differ."""

from __future__ import annotations

import ctypes

import pytest
import torch

from support import FAILED, UserError, pick_device
from support.device import choice
from support.device.choice import gpu_possible


def test_pick_device():
    assert pick_device("cpu") == torch.device("cpu")
    assert pick_device("auto").type in ("cpu", "cuda", "mps")
    for wanted in ("gpu", "cuda:x", "cpu:1", ""):
        with pytest.raises(UserError, match="--device takes"):
            pick_device(wanted)
    with pytest.raises(UserError, match="has only") as error:
        pick_device("cuda:99")
    assert error.value.exit_code == FAILED


def test_torch_never_finds_a_gpu_that_was_ruled_out():
    assert gpu_possible() or not (torch.cuda.is_available() or torch.backends.mps.is_available())


@pytest.mark.parametrize(
    ("system", "machine", "driver", "rocm", "possible"),
    [
        ("linux", "x86_64", True, False, True),
        ("linux", "x86_64", False, True, True),
        ("linux", "x86_64", False, False, False),
        ("win32", "AMD64", True, False, True),
        ("win32", "AMD64", False, False, False),
        ("darwin", "arm64", False, False, True),
        ("darwin", "x86_64", False, False, False),
    ],
)
def test_signs(monkeypatch, system, machine, driver, rocm, possible):
    def load(name):
        assert name == ("nvcuda.dll" if system == "win32" else "libcuda.so.1")
        if not driver:
            raise OSError(name)

    monkeypatch.setattr(choice.sys, "platform", system)
    monkeypatch.setattr(choice.platform, "machine", lambda: machine)
    monkeypatch.setattr(ctypes, "CDLL", load)
    monkeypatch.setattr(choice.os.path, "exists", lambda path: rocm)
    assert gpu_possible() is possible


def card(monkeypatch, *, built_for: list[str], capability: tuple[int, int]) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: built_for)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)


def test_auto_leaves_a_card_alone_that_is_older_than_torch_and_says_so(monkeypatch, capsys):
    built_for = ["sm_75", "sm_90a", "compute_120"]
    card(monkeypatch, built_for=built_for, capability=(6, 1))
    assert pick_device("auto").type != "cuda"
    assert "the card (sm_61) is older than those that this torch is built for, from sm_75 on" in capsys.readouterr().err
    for names, capability in ((built_for, (7, 5)), (["gfx90a"], (9, 0))):  # the latter is ROCm's
        card(monkeypatch, built_for=names, capability=capability)
        assert pick_device("auto").type == "cuda"
        assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("cuda", "driver", "told"), [(None, True, True), ("13.0", True, False), (None, False, False)])
def test_a_torch_that_is_built_for_no_gpu_is_told_where_there_is_one(monkeypatch, capsys, cuda, driver, told):
    for module, name, value in (
        (torch.cuda, "is_available", lambda: False),
        (torch.backends.mps, "is_available", lambda: False),
        (torch.version, "cuda", cuda),
        (torch.version, "hip", None),
        (choice, "gpu_possible", lambda: driver),
    ):
        monkeypatch.setattr(module, name, value)
    assert pick_device("auto").type == "cpu"
    assert ("is built for none" in capsys.readouterr().err) is told
