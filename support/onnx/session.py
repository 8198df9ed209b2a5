"""ONNX Runtime: the engine that runs networks on a CPU, about twice as fast as torch does.

In:  an .onnx file with weights and metadata inside, as `support/onnx/export.py` makes it.
Out: a session: arrays in, arrays out, and the metadata. Batch norms and activations are fused into the convolutions
     when it begins.

The file ends in a SHA-256 of all that stands before it, as one more entry of ONNX's own metadata: a flipped bit is
noticed, and other programs read the file as any ONNX model. onnxruntime is imported by the functions that need it, so
that it may be missing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from support.cli import UserError
from support.process import notify_once, usable_cores

ENGINES = ("auto", "torch", "onnx")
MOST_THREADS = 8
ERRORS_ONLY = 3  # of ONNX Runtime's levels of severity
VISUAL_C = "https://aka.ms/vs/17/release/vc_redist.x64.exe"
SEAL_KEY = b"file_sha256"
SOURCE_KEY = "source_sha256"  # of the weights' file that a model was made from


def available_threads() -> int:
    """Threads for one network: all cores, up to 8; the networks are small, and more were never measured."""
    return min(usable_cores(), MOST_THREADS)


def wants_onnx(engine: str, device: object) -> bool:
    """Whether a network is to run in ONNX Runtime: `engine` is one of `ENGINES`, `device` what torch calls it.

    "auto" wants it on the CPU where it is installed; "onnx" raises `UserError` where that cannot be.
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
    except ImportError as error:
        missing = isinstance(error, ModuleNotFoundError)
        advice = "pip install onnxruntime" if missing else f"on Windows install the Visual C++ runtime, {VISUAL_C}"
        if engine == "onnx":
            raise UserError(f"--engine onnx needs the package onnxruntime ({error}); {advice}.") from error
        if error.name != "onnxruntime":  # it is there, and something that it needs is not
            notify_once(f"onnxruntime is installed and does not load ({error}), so torch is used; {advice}.")
        return False
    return True


class OnnxSession:
    """A model ready to run; calls may come from several threads.

    model: the file's bytes. threads: on how many an operator may run. metadata: JSON values by name.
    """

    def __init__(self, model: bytes, *, threads: int) -> None:
        import onnxruntime

        self.model, self.threads = model, threads
        onnxruntime.disable_telemetry_events()  # builds for Windows count events
        options = onnxruntime.SessionOptions()
        options.log_severity_level = ERRORS_ONLY
        options.intra_op_num_threads = threads
        # Threads that spin while they wait take the cores from the other stages of the live loop.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name
        found = self._session.get_modelmeta().custom_metadata_map
        self.metadata = {name: json.loads(text) for name, text in found.items() if name.encode() != SEAL_KEY}

    def __call__(self, values: np.ndarray) -> list[np.ndarray]:
        """The model's outputs for its one input; `UserError` where it cannot be run on it."""
        try:
            return self._session.run(None, {self._input: values})
        except Exception as error:  # ONNX Runtime's own kinds have no ancestor in common
            raise UserError(f"the .onnx file does not run on its input ({error!s:.200}); export it again.") from error

    def check_outputs(self, values: np.ndarray, shapes: Sequence[tuple[int, ...]], *, path: str | Path) -> None:
        """Raise `UserError` unless the outputs for `values` are finite float32 of these shapes; -1 is any size."""
        outputs = self(values)
        found = [np.shape(output) for output in outputs]
        fits = len(found) == len(shapes) and all(
            len(have) == len(want) and all(w in (-1, h) for h, w in zip(have, want, strict=True))
            for have, want in zip(found, shapes, strict=True)
        )
        if not fits or any(output.dtype != np.float32 or not np.isfinite(output).all() for output in outputs):
            raise UserError(
                f"{path} does not give finite numbers of the shapes {[*shapes]} but {found}; export it again."
            )


def load_session(path: str | Path, *, wanted_format: str, threads: int) -> OnnxSession:
    """The session of an .onnx file whose metadata say `format: wanted_format`.

    Raises `UserError`, in a sentence, where the file is missing, foreign, cut off or altered.
    """
    path = Path(path)
    try:
        file = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; name an existing .onnx file.") from error
    length = len(_seal_of(b""))
    if file[-length:] != _seal_of(file[:-length]):
        raise UserError(
            f"{path} is damaged, or was not written by this project: its content does not match its own SHA-256; "
            "export it again."
        )
    try:
        session = OnnxSession(file, threads=threads)
    except Exception as error:  # ONNX Runtime's own kinds have no ancestor in common
        raise UserError(f"{path} cannot be run by ONNX Runtime ({error}); export it again.") from error
    if session.metadata.get("format") != wanted_format:
        raise UserError(f"{path} is not a {wanted_format} file but {session.metadata.get('format')!r}; name another.")
    return session


class Opened(NamedTuple):
    """A session, or None where torch is to run the network; then perhaps advice, for when the weights are read."""

    session: OnnxSession | None
    advice: str = ""


def open_session(path: Path, *, wanted_format: str, engine: str, device: object, threads: int, command: str) -> Opened:
    """The session that `path` stands for on this engine and device.

    `path` is an .onnx file, or weights X.safetensors with X.onnx beside, made from that very file. On a CPU without
    such a file the advice is that `command` makes it; `UserError` where `engine` is "onnx".
    engine: "onnx" is ONNX Runtime on the CPU, with so many `threads`; "torch" runs on any device, with the threads
        that torch has; "auto" is the first where it can be. `UserError` where "onnx" is asked and cannot be.
    """
    wanted = wants_onnx(engine, device)
    if path.suffix == ".onnx":
        if not wanted:
            remedy = "leave out --engine torch" if engine == "torch" else "add --device cpu"
            raise UserError(f"{path} runs in ONNX Runtime on the CPU only; name the weights, or {remedy}.")
        return Opened(load_session(path, wanted_format=wanted_format, threads=threads))
    if not wanted or not path.is_file():
        return Opened(None)
    beside = path.with_suffix(".onnx")
    why = f"there is no {beside}"
    if beside.is_file():
        session = load_session(beside, wanted_format=wanted_format, threads=threads)
        if session.metadata.get(SOURCE_KEY) == file_sha256(path):
            return Opened(session)
        why = f"{beside} was made from other weights"
    remedy = f"{command} {path} makes one, which is about twice as fast on a CPU"
    if engine == "onnx":
        raise UserError(f"--engine onnx cannot run {path.name}: {why}; {remedy}.")
    return Opened(None, f"{path.name} runs in torch, because {why}; {remedy}.")


def seal(model: bytes) -> bytes:
    """`model` with the SHA-256 of its bytes behind it, as an entry of `metadata_props` (field 14 of ModelProto)."""
    return model + _seal_of(model)


def file_sha256(path: str | Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal digits."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def _seal_of(model: bytes) -> bytes:
    """The serialised entry: tag and length of the field, then key and value, each with tag and length."""
    value = hashlib.sha256(model).hexdigest().encode()
    entry = b"\x0a" + bytes([len(SEAL_KEY)]) + SEAL_KEY + b"\x12" + bytes([len(value)]) + value
    return b"\x72" + bytes([len(entry)]) + entry
