"""The detector's network in ONNX Runtime: on the CPU, without torch.

In:  frames (N, H, W, 3) uint8 RGB of one size.
Out: scores (N, A), box offsets (N, A, 4), landmark offsets (N, A, 10), float32 arrays.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from support.onnx.graph import Graph
from support.onnx.session import OnnxSession


class OnnxEngine:
    """The graph with weights, on so many threads.

    One frame is shared among the threads. Of several each thread takes its own, which is a quarter faster, and needs
    the memory of a frame a thread instead of all at once.
    """

    def __init__(self, graph: Graph, weights: Mapping[str, np.ndarray], *, threads: int, what: str) -> None:
        self._threads = threads
        self._session = functools.partial(OnnxSession, graph, weights, what=what)
        self._together = self._session(threads=threads)

    def __call__(self, frames: np.ndarray) -> list[np.ndarray]:
        """Scores, box offsets and landmark offsets of every anchor of every frame."""
        if len(frames) == 1:
            return self._together(frames)
        pool, session = self._apart
        return [np.concatenate(values) for values in zip(*pool.map(session, frames[:, None]), strict=True)]

    @functools.cached_property
    def _apart(self) -> tuple[ThreadPoolExecutor, OnnxSession]:
        """Threads, and a session that a call runs through on its own; made when there are several frames at once."""
        return ThreadPoolExecutor(self._threads), self._session(threads=1)
