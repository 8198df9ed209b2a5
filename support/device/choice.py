"""The device that networks run on: what a person asks for, and what the machine has.

In:  `auto`, `cpu`, `mps`, `cuda` or `cuda:N`. Out: a torch device.

torch is imported only when a device is picked, so that `--help` answers at once.
"""

from __future__ import annotations

import ctypes
import os
import platform
import re
import sys
import types
import typing

from support.process import notify
from support.words import FAILED, UserError

if typing.TYPE_CHECKING:
    import torch

GUIDE = "https://pytorch.org/get-started/locally"


def pick_device(wanted: str) -> torch.device:
    """The device for `auto`, `cpu`, `mps`, `cuda` or `cuda:N`; `UserError` where it is not there."""
    import torch

    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if wanted == "auto":
        trouble = _why_no_cuda(torch) if cuda or (gpu_possible() and not mps) else ""
        if trouble:
            notify(f"{trouble}, so the CPU is used.")
        return torch.device("cuda" if cuda and not trouble else "mps" if mps else "cpu")
    kind, _, index = wanted.partition(":")
    here = ["cpu"] + ["mps"] * mps + [f"cuda:{i}" for i in range(torch.cuda.device_count() if cuda else 0)]
    known = kind in ("cpu", "mps", "cuda") and (not index or (kind == "cuda" and index.isdigit()))
    if not known:
        raise UserError(
            f"--device takes auto, cpu, mps, cuda or cuda:N, not {wanted!r}; this machine has {', '.join(here)}."
        )
    name = f"cuda:{index or 0}" if kind == "cuda" else kind
    if name not in here:
        raise UserError(
            f"--device {wanted} was asked for, but this machine has only {', '.join(here)}; leave --device out.",
            exit_code=FAILED,
        )
    return torch.device(name)


def _why_no_cuda(torch: types.ModuleType) -> str:
    """Why torch cannot work on the first card of a machine that has a driver for one; empty where nothing is known."""
    if not torch.cuda.is_available():
        built = torch.version.cuda or torch.version.hip
        return "" if built else f"there is a driver for a GPU, and this torch is built for none (see {GUIDE})"
    built_for = [int(found[1]) for name in torch.cuda.get_arch_list() if (found := re.match(r"sm_(\d+)", name))]
    major, minor = torch.cuda.get_device_capability()
    if 10 * major + minor >= min(built_for, default=0):
        return ""
    return (
        f"the card (sm_{major}{minor}) is older than those that this torch is built for, from sm_{min(built_for)} on "
        f"({GUIDE} has one for an older CUDA)"
    )


def gpu_possible() -> bool:
    """Could torch work on a GPU here: is there a driver for cuda or ROCm, or a Mac's own chip for mps?

    Asks the system and not torch, which takes seconds to import. False: surely not.
    """
    if sys.platform == "darwin":
        return platform.machine() == "arm64"
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return os.path.exists("/dev/kfd")  # AMD's, which torch calls cuda too
    return True
