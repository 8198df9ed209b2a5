"""What is asked of CUDA, by a stand-in for it; a full memory."""

from __future__ import annotations

import itertools
import threading
from typing import ClassVar

import pytest
import torch

from support import UserError
from support.device.card import CudaCard, enough_memory, lock_of


def card_of(graph: type, monkeypatch) -> CudaCard:
    """A card whose captures are those of `graph`, and whose stream has waited for the one that was current."""
    waited = []

    class Stream:
        def __init__(self, device):
            self.device = device

        def wait_stream(self, other):
            waited.append((self.device, other))

    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: f"current of {device}")
    handles = zip(itertools.repeat(0), itertools.count(1))
    monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: next(handles))
    monkeypatch.setattr(torch.cuda, "CUDAGraph", graph)
    card = CudaCard(torch.device("cuda:1"))
    assert waited == [(torch.device("cuda:1"), "current of cuda:1")]
    return card


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

        def pool(self):
            return calls[0][1]["pool"]

    card = card_of(Graph, monkeypatch)
    packed, replay = card.capture(lambda: torch.ones(1))
    replay()
    with pytest.raises(ZeroDivisionError):
        card.capture(lambda: torch.ones(1 // 0))
    begin = ("begin", {"pool": (0, 1), "capture_error_mode": "thread_local"})
    assert packed == 1
    assert calls == [begin, ("end", {}), ("replay", {}), begin, ("end", {})]


class Pooled:
    """A graph that counts who holds its pool, as torch's allocator does: a pool that nobody holds is refused."""

    users: ClassVar[dict[tuple[int, int], int]] = {}
    failing: ClassVar[list[str]] = []

    def capture_begin(self, *, pool, **how):
        self._pool, users = pool, Pooled.users.setdefault(pool, -1)
        if not users:
            raise RuntimeError("it->second->use_count > 0 INTERNAL ASSERT FAILED")
        Pooled.users[pool] = max(users, 0) + 1

    def capture_end(self):
        if Pooled.failing:
            raise RuntimeError(Pooled.failing.pop())

    def pool(self):
        return self._pool

    def replay(self):
        pass

    def __del__(self):
        Pooled.users[self._pool] -= 1


def test_graphs_share_a_pool_also_where_all_earlier_ones_are_gone(monkeypatch):
    monkeypatch.setattr(Pooled, "users", {})
    card = card_of(Pooled, monkeypatch)
    for _ in range(3):  # ways that were tried and are not the fastest: nobody keeps them
        card.capture(lambda: torch.ones(1))
    assert Pooled.users == {(0, 1): 1}


@pytest.mark.parametrize("before", [0, 1])
def test_after_a_capture_that_failed_the_next_one_takes_another_pool(monkeypatch, before):
    monkeypatch.setattr(Pooled, "users", {})
    card = card_of(Pooled, monkeypatch)
    kept = [card.capture(lambda: torch.ones(1)) for _ in range(before)]
    monkeypatch.setattr(Pooled, "failing", ["spoilt by another thread"])
    with pytest.raises(RuntimeError, match="spoilt"):
        card.capture(lambda: torch.ones(1))
    kept.append(card.capture(lambda: torch.ones(1)))
    assert Pooled.users[0, 2] == 1


def test_what_spoilt_a_capture_is_told_and_not_that_it_is_spoilt(monkeypatch):
    class Graph:
        def capture_begin(self, **how):
            pass

        def capture_end(self):
            raise RuntimeError("operation failed due to a previous error during capture")

    def launch():
        raise RuntimeError("no kernel image is available")

    with pytest.raises(RuntimeError, match="no kernel image"):
        card_of(Graph, monkeypatch).capture(launch)


def test_two_threads_do_not_capture_at_the_same_time(monkeypatch):
    under_way, most = [], []
    both = threading.Barrier(2, timeout=0.2)

    class Graph:
        def capture_begin(self, **how):
            under_way.append(self)

        def capture_end(self):
            under_way.remove(self)

        def replay(self):
            pass

    def launch():
        most.append(len(under_way))
        try:
            both.wait()  # for the other one, which must not come
        except threading.BrokenBarrierError:
            most.append(len(under_way))
        return torch.ones(1)

    cards = [card_of(Graph, monkeypatch) for _ in range(2)]
    threads = [threading.Thread(target=card.capture, args=[launch]) for card in cards]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 4


def test_on_mps_all_networks_share_one_lock_and_elsewhere_none_does():
    first, second = (lock_of(torch.device("mps")) for _ in range(2))
    assert first is second
    with first, second:  # a thread may take it twice
        pass
    assert lock_of(torch.device("cuda")) is not lock_of(torch.device("cuda"))


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory."),
        RuntimeError("MPS backend out of memory (MPS allocated: 5.50 GB, other allocations: 14.76 GB)"),
        RuntimeError("CUDA error: out of memory"),  # pinned memory
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ],
)
def test_a_full_memory_is_told_with_what_to_do_and_other_errors_stay(error):
    sentence = r"^the memory of cuda:1 is full: .*--imgsz 640.*--device cpu\.$"
    with pytest.raises(UserError, match=sentence) as raised, enough_memory(torch.device("cuda:1")):
        raise error
    assert raised.value.exit_code == 1
    with pytest.raises(RuntimeError, match="shapes"), enough_memory("cuda"):
        raise RuntimeError("shapes")
