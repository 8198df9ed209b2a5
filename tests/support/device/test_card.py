"""What is asked of CUDA, by a stand-in for it; a full memory."""

from __future__ import annotations

import pytest
import torch

from support import UserError
from support.device.card import CudaCard, enough_memory


def test_cudas_graphs_are_ended_also_where_they_fail_and_let_other_threads_go_on(monkeypatch):
    """By a stand-in for `torch.cuda`: what a device makes of it only a device can show."""
    calls = []

    class Graph:
        def capture_begin(self, **how):
            calls.append(("begin", how))

        def capture_end(self):
            calls.append(("end", {}))

        def replay(self):
            calls.append(("replay", {}))

    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: None)
    monkeypatch.setattr(torch.cuda, "Stream", lambda device: None)
    monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: (7, 7))
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    card = CudaCard(torch.device("cuda"))
    packed, replay = card.capture(lambda: torch.ones(1))
    replay()
    with pytest.raises(ZeroDivisionError):
        card.capture(lambda: torch.ones(1 // 0))
    begin = ("begin", {"pool": (7, 7), "capture_error_mode": "thread_local"})
    assert packed == 1
    assert calls == [begin, ("end", {}), ("replay", {}), begin, ("end", {})]


def test_a_full_memory_is_told_with_what_to_do_and_other_errors_stay():
    sentence = r"^the memory of cuda:1 is full: .*--imgsz 640.*--device cpu\.$"
    with pytest.raises(UserError, match=sentence) as raised, enough_memory(torch.device("cuda:1")):
        raise torch.OutOfMemoryError("CUDA out of memory.")
    assert raised.value.exit_code == 1
    with pytest.raises(RuntimeError, match="shapes"), enough_memory("cuda"):
        raise RuntimeError("shapes")
