"""Where torch finds a GPU, the system's own signs must have said that it might."""

from __future__ import annotations

import ctypes

import pytest
import torch

from support import accelerators
from support.accelerators import gpu_possible


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

    monkeypatch.setattr(accelerators.sys, "platform", system)
    monkeypatch.setattr(accelerators.platform, "machine", lambda: machine)
    monkeypatch.setattr(ctypes, "CDLL", load)
    monkeypatch.setattr(accelerators.os.path, "exists", lambda path: rocm)
    assert gpu_possible() is possible
