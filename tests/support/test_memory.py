"""Free memory: the system's word, and less where a container has a limit."""

from __future__ import annotations

import platform
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch
from helpers.tiny_sets import write_lines

from support.memory import free_memory, free_memory_on, keep_freed_memory, peak_memory, return_freed_memory


def test_the_smaller_of_system_and_container(tmp_path):
    meminfo = write_lines(tmp_path / "meminfo", ["MemTotal:  9000 kB", "MemAvailable:  4000 kB"])
    assert free_memory(meminfo, tmp_path) == 4_096_000
    write_lines(tmp_path / "memory.current", ["1000"])
    write_lines(tmp_path / "memory.max", ["max"])
    assert free_memory(meminfo, tmp_path) == 4_096_000
    write_lines(tmp_path / "memory.max", ["3000"])
    assert free_memory(meminfo, tmp_path) == 2000
    write_lines(tmp_path / "memory.stat", ["anon 300", "file 700", "inactive_file 600", "active_file 100"])
    assert free_memory(meminfo, tmp_path) == 2600  # files that were read are given up
    (tmp_path / "memory.stat").unlink()
    write_lines(tmp_path / "memory.max", ["500"])
    assert free_memory(meminfo, tmp_path) == 0


def test_a_system_that_does_not_tell_has_some(tmp_path):
    assert free_memory(tmp_path / "nowhere", tmp_path) > 0


def test_the_peak_is_the_high_water_mark(tmp_path):
    status = write_lines(tmp_path / "status", ["Name:\tpython", "VmHWM:\t  2000 kB", "VmRSS:\t 1000 kB"])
    assert peak_memory(status) == 2_048_000
    assert peak_memory(tmp_path / "nowhere") is None


def test_freed_memory_is_returned_where_the_system_can(monkeypatch):
    asked = []
    monkeypatch.setattr("ctypes.CDLL", lambda name: SimpleNamespace(malloc_trim=asked.append))
    return_freed_memory()
    monkeypatch.setattr("ctypes.CDLL", lambda name: SimpleNamespace())
    return_freed_memory()
    assert asked == [0]


PAGES_OF_A_SECOND_BLOCK = """
import ctypes, resource, sys
from support.memory import keep_freed_memory
if sys.argv[1] == "keep":
    keep_freed_memory()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
for _ in range(2):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    block = ctypes.c_void_p(libc.malloc(ctypes.c_size_t(2**27)))
    ctypes.memset(block, 1, 2**27)
    libc.free(block)
    pages = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
print(pages)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's malloc alone is told")
def test_freed_memory_is_kept_for_a_training():
    fresh, kept = (
        int(subprocess.check_output([sys.executable, "-c", PAGES_OF_A_SECOND_BLOCK, word])) for word in ("", "keep")
    )
    assert kept < fresh / 10


def test_another_c_library_is_left_alone(monkeypatch):
    monkeypatch.setattr("ctypes.CDLL", lambda name: SimpleNamespace())
    keep_freed_memory()


def test_a_device_tells_its_own(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (3 * 10**9, 8 * 10**9))
    assert free_memory_on(torch.device("cuda:1")) == 3e9
    monkeypatch.setattr("support.memory.free_memory", lambda: 7.0)
    assert free_memory_on(torch.device("cpu")) == 7
