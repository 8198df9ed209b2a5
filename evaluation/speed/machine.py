"""On what a figure was measured: processor, cores, load, versions.

In:  nothing.
Out: plain values for benchmark.json, and a sentence where the machine is not idle.
"""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Mapping
from pathlib import Path

import psutil

from support.process import usable_cores

PACKAGES = ("numpy", "opencv-python", "onnxruntime", "torch", "torchvision", "batch-face")
BUSY = 0.1  # share of the processor from which other work is worth a warning


def machine(*, seconds: float = 0.5) -> dict:
    """Processor, cores and load; `busy`: the share of all cores at work, 0 to 1, while this process sleeps `seconds`.

    Unlike the load average `busy` does not include the last minute.
    """
    return {
        "processor": processor_name(),
        "cores": psutil.cpu_count(),
        "usable_cores": usable_cores(),
        "system": platform.platform(),
        "load_1_min": psutil.getloadavg()[0],
        "busy": psutil.cpu_percent(seconds) / 100,
    }


def versions() -> dict[str, str | None]:
    """The version of Python and of packages that matter for speed; None where one is missing. Imports none."""
    installed = {found.name: found.version for found in importlib.metadata.distributions()}
    return {"python": platform.python_version()} | {name: installed.get(name) for name in PACKAGES}


def processor_name() -> str:
    """The processor's model, or its family where the system does not tell."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return next(iter(models), "") or platform.processor() or platform.machine()


def not_idle(about: Mapping) -> str | None:
    """A warning where other programs ran on the machine, `about` as `machine` gives it; else None."""
    if about["busy"] < BUSY:
        return None
    busy = f"{100 * about['busy']:.0f} % of the processor"
    return f"other programs kept {busy} busy at the start; an idle machine is faster."
