"""Could this machine have a GPU that torch works on? Asks the system, not torch, which takes seconds to import.

In:  nothing.
Out: False where there is surely none, so that a program which needs torch for nothing else can do without it.
"""

from __future__ import annotations

import ctypes
import os
import platform
import sys

CUDA_DRIVERS = {"win32": "nvcuda.dll"}  # elsewhere libcuda.so.1
ROCM_DEVICE = "/dev/kfd"  # AMD's, which torch calls cuda too


def gpu_possible() -> bool:
    """Is there a driver for cuda, or a Mac's own chip for mps?"""
    if sys.platform == "darwin":
        return platform.machine() == "arm64"
    try:
        ctypes.CDLL(CUDA_DRIVERS.get(sys.platform, "libcuda.so.1"))
    except OSError:
        return os.path.exists(ROCM_DEVICE)
    return True
