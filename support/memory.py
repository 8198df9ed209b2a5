"""How much memory is free, and how much this process has had at most.

In:  the operating system, and the limit of the container that the process runs in; a device of torch.
Out: bytes.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # imported where it is used
    import torch

MEMINFO = Path("/proc/meminfo")
STATUS = Path("/proc/self/status")
CGROUP = Path("/sys/fs/cgroup")  # version 2
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # of mallopt, from glibc's malloc.h
UNKNOWN = 4e9  # bytes that are taken for free where the system does not tell


def free_memory(meminfo: Path = MEMINFO, cgroup: Path = CGROUP) -> float:
    """Bytes that the process can take: what the system has available, or less where its container has a limit."""
    free = UNKNOWN
    try:
        lines = dict(line.split(":") for line in meminfo.read_text().splitlines())
        free = int(lines["MemAvailable"].split()[0]) * 1024.0
    except (OSError, KeyError, ValueError):  # no Linux: half of what is built in
        with contextlib.suppress(AttributeError, ValueError, OSError):
            free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2
    with contextlib.suppress(OSError, ValueError):  # no container, or one without a limit ("max")
        used = int((cgroup / "memory.current").read_text()) - cached_files(cgroup)
        free = min(free, int((cgroup / "memory.max").read_text()) - used)
    return max(free, 0.0)


def cached_files(cgroup: Path) -> int:
    """Bytes of files that the container has read, which the system gives up when memory is wanted."""
    with contextlib.suppress(OSError, KeyError, ValueError):
        return int(dict(line.split() for line in (cgroup / "memory.stat").read_text().splitlines())["inactive_file"])
    return 0


def peak_memory(status: Path = STATUS) -> float | None:
    """The most bytes that this process has had in memory at any moment; None where the system does not tell."""
    with contextlib.suppress(OSError, KeyError, ValueError):
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) * 1024.0
    return None


def return_freed_memory() -> None:
    """Give the system back what is free on the heap, which glibc keeps: tens of MB after large arrays came and went."""
    with contextlib.suppress(OSError, AttributeError, TypeError):  # another system, or another C library
        ctypes.CDLL(None).malloc_trim(0)


def keep_freed_memory() -> None:
    """Have glibc keep what is freed from now on, for a training: each of its steps takes as much as the one before.

    By default glibc gives large blocks back, and the system zeroes the pages of the next ones: with 16 windows of 448
    pixels a step of the detector's network spent half of its time on that.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):  # another system, or another C library
        libc = ctypes.CDLL(None)
        libc.mallopt(MMAP_THRESHOLD, 2**30)
        libc.mallopt(TRIM_THRESHOLD, 2**31 - 1)


def free_memory_on(device: torch.device) -> float:
    """Bytes that the process can take on `device`; on a CPU those of the system."""
    import torch

    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    if device.type == "mps":
        return float(torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())
    return free_memory()
