"""ONNX Runtime: the engine that runs networks on a CPU, about twice as fast as torch does.

In:  a graph without weights, the weights.
Out: a session: arrays in, arrays out. It fuses batch norms and activations into the convolutions when it begins.

onnxruntime is imported by the functions that need it, so that it may be missing.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

import numpy as np

from support.cli import UserError
from support.onnx.graph import Graph
from support.weights import refuse_misfits

ENGINES = ("auto", "torch", "onnx")
MOST_THREADS = 8
ERRORS_ONLY = 3  # of ONNX Runtime's levels of severity


def threads_here() -> int:
    """Threads for one network: all cores, up to 8; the networks are small, and more were never measured."""
    return min(os.cpu_count() or 1, MOST_THREADS)


def takes_onnx(engine: str, device: object) -> bool:
    """Whether a network is to run in ONNX Runtime: `engine` is a key of `ENGINES`, `device` what torch calls it.

    "auto" takes it on the CPU where it is installed; "onnx" raises `UserError` where that cannot be.
    """
    if engine not in ENGINES:
        raise UserError(f"--engine takes {', '.join(ENGINES)}, not {engine!r}.")
    if engine == "torch":
        return False
    if str(device) != "cpu":
        if engine == "onnx":
            raise UserError(f"--engine onnx runs on the CPU only, not on {device}; leave it out, or add --device cpu.")
        return False
    try:
        import onnxruntime  # noqa: F401
    except ImportError as error:  # not there, or its library does not load here
        if engine == "onnx":
            raise UserError(
                f"--engine onnx needs the package onnxruntime ({error}); pip install onnxruntime."
            ) from error
        return False
    return True


class OnnxSession:
    """A graph with its weights, ready to run; calls may come from several threads.

    weights: float32 arrays by name. threads: on how many an operator may run.
    Raises `UserError`, naming `what`, where the weights are not exactly those of the graph's network.
    """

    def __init__(self, graph: Graph, weights: Mapping[str, np.ndarray], *, threads: int, what: str) -> None:
        import onnxruntime

        refuse_misfits(graph.about["weights"], weights, what=what)
        onnxruntime.disable_telemetry_events()  # builds for Windows count events; nothing is to leave the machine
        options = onnxruntime.SessionOptions()
        options.log_severity_level = ERRORS_ONLY
        options.intra_op_num_threads = threads
        # Threads that spin while they wait take the cores from the other stages of the live loop.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        names = graph.about["inside"]
        self._weights = [onnxruntime.OrtValue.ortvalue_from_numpy(weights[name]) for name in names]  # not copied: kept
        options.add_external_initializers(names, self._weights)
        self._session = onnxruntime.InferenceSession(graph.model, options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name

    def __call__(self, values: np.ndarray) -> list[np.ndarray]:
        """The graph's outputs for its one input."""
        return self._session.run(None, {self._input: values})
