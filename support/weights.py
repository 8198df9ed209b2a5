"""Tensors in files: safetensors with a content hash, and loading that refuses half a network.

In:  tensors by name, a header of plain JSON values.
Out: one file; and from such a file, tensors and header that are known to be whole.

safetensors runs no code when it loads. It does not notice a flipped bit either, so the header carries a SHA-256 over
the tensors and one over its own entries; weights that fit a network only in part are refused with the missing and the
surplus names.

torch is imported only by the functions that give its tensors: a start without it is four times as fast.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from safetensors import SafetensorError, safe_open

from support.cli import UserError
from support.files import write_file

if TYPE_CHECKING:
    from torch import Tensor, nn

# In this order: where a training's file holds a dict of several, the averaged weights are not taken for the network's.
WRAPPERS = ("state_dict", "model_state_dict", "model", "network", "net", "params", "weights", "model_ema", "ema")


def save_tensors(path: str | Path, tensors: Mapping[str, Tensor], *, header: dict, half: bool = False) -> None:
    """Write tensors and `header` (JSON values by name) whole or not at all.

    half: floats are stored as float16, but for tensors that it cannot hold: a running variance may pass its 65504.
    """
    check_name(path)
    from safetensors.numpy import save

    stored = {
        name: as_stored(tensor.detach().float().cpu().numpy(), half=half)
        if tensor.is_floating_point()
        else tensor.contiguous().cpu().numpy()
        for name, tensor in tensors.items()
    }
    metadata = {key: json.dumps(value) for key, value in {**header, "sha256": _digest(stored)}.items()}
    metadata["header_sha256"] = json.dumps(_header_digest(metadata))
    write_file(path, save(stored, metadata=metadata))  # safetensors' own `save_file` lets only the owner read it


def check_name(path: str | Path) -> None:
    """`UserError` where weights are not to be written to a file of this name."""
    if Path(path).suffix != ".safetensors":
        raise UserError(f"weights are written to a .safetensors file, not to {path}; name one.")


def as_stored(values: np.ndarray, *, half: bool) -> np.ndarray:
    """The values in row order, as float16 where that is asked for and all of them stay finite, else as float32."""
    with np.errstate(over="ignore"):
        rounded = values.astype(np.float16 if half else np.float32, order="C")
    return rounded if np.isfinite(rounded).all() else values.astype(np.float32, order="C")


def load_tensors(path: str | Path, *, wanted_format: str) -> tuple[dict[str, Tensor], dict]:
    """Float32 tensors by name, and the header, of a file that `save_tensors` wrote with `format: wanted_format`.

    Raises `UserError`, in a sentence, where the file is missing, foreign, cut off, altered or not finite.
    """
    import torch

    path = Path(path)
    refuse_onnx(path)
    if not path.is_file():
        raise UserError(f"there is no file {path}; name an existing .safetensors file.")
    try:
        with safe_open(path, framework="np") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
            metadata = file.metadata() or {}
        header = {key: json.loads(value) for key, value in metadata.items()}
    except (SafetensorError, OSError, ValueError, TypeError, RecursionError) as error:
        raise UserError(
            f"{path} is not a safetensors file, or is cut off ({error}); fetch or train it again."
        ) from error
    if header.get("format") != wanted_format:
        raise UserError(
            f"{path} is not a {wanted_format} file but {header.get('format', 'of an unknown kind')!s:.60}; "
            "name another."
        )
    told = header.pop("header_sha256", None)  # files from before it have none
    if header.get("sha256") != _digest(arrays) or told not in (None, _header_digest(metadata)):
        raise UserError(f"{path} is damaged: its content does not match its own SHA-256; fetch or train it again.")
    return as_float32({name: torch.from_numpy(array) for name, array in arrays.items()}, path), header


def refuse_onnx(path: str | Path) -> None:
    """Raise `UserError` where `path` is called .onnx: torch reads the weights beside it."""
    if Path(path).suffix == ".onnx":
        raise UserError(f"{path} is for ONNX Runtime and not for torch; name the .safetensors file beside it.")


def format_of(path: str | Path) -> str | None:
    """What the header of a safetensors file says of its `format`, "" where nothing; None where it cannot be read."""
    try:
        with safe_open(path, framework="np") as file:
            return str(json.loads((file.metadata() or {}).get("format", '""')))
    except (SafetensorError, OSError):
        return None
    except (ValueError, RecursionError):  # another program's word, which is no JSON: `format: pt`
        return ""


def is_half(path: str | Path) -> bool:
    """Does the safetensors file at `path` store its floats as float16?"""
    with safe_open(path, framework="np") as file:
        return any(file.get_slice(name).get_dtype() == "F16" for name in file.keys())  # noqa: SIM118 (not a dict)


def tensors_in(content: object) -> dict[str, Tensor]:
    """The tensors of a dict that holds some, or of the first of `WRAPPERS` in it that does; {} where there are none."""
    from torch import Tensor

    if not isinstance(content, Mapping):
        return {}
    tensors = {str(name): value.detach() for name, value in content.items() if isinstance(value, Tensor)}
    if len(tensors) > 1:
        return tensors
    wrapped = [content[name] for name in WRAPPERS if name in content]
    return next((found for value in wrapped if (found := tensors_in(value))), tensors)


def as_float32(tensors: Mapping[str, Tensor], path: str | Path) -> dict[str, Tensor]:
    """`tensors`, those of floats as float32.

    Raises `UserError` naming `path` where one holds NaN or infinity, is sparse, quantised or complex, or stands for
    more numbers than the file holds: a repeated one can take any amount of memory.
    """
    if odd := [name for name, tensor in tensors.items() if not _is_plain(tensor)]:
        raise UserError(f"{path} holds what is no plain array of numbers ({', '.join(odd[:5])}); name other weights.")
    floats = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}
    bad = [name for name, tensor in floats.items() if not tensor.isfinite().all()]  # also what float32 cannot hold
    if bad:
        raise UserError(
            f"{path} holds weights that are not finite numbers ({', '.join(bad[:5])}): its training diverged; train it "
            "again, or name others."
        )
    return floats


def _is_plain(tensor: Tensor) -> bool:
    import torch

    kinds = (torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.bool, torch.uint8, torch.int8)
    if tensor.layout != torch.strided or tensor.device.type == "meta":
        return False
    if tensor.dtype not in (*kinds, torch.int16, torch.int32, torch.int64):
        return False
    return tensor.untyped_storage().nbytes() >= tensor.numel() * tensor.element_size()


def load_strictly(network: nn.Module, weights: Mapping[str, Tensor], *, what: str) -> None:
    """Copy `weights` into `network`; `UserError` naming `what` and the keys where they do not fit exactly."""
    own = network.state_dict()
    missing, surplus = sorted(own.keys() - weights.keys()), sorted(weights.keys() - own.keys())
    wrong = sorted(name for name in own.keys() & weights.keys() if own[name].shape != weights[name].shape)
    if missing or surplus or wrong:
        raise UserError(
            f"{what} does not fit its network: {_names('missing', missing)}; {_names('surplus', surplus)}; "
            f"{_names('of another shape', wrong)}. Use weights made for this network."
        )
    network.load_state_dict(weights)


def _names(kind: str, names: list[str]) -> str:
    return f"{len(names)} {kind}" + (f" ({', '.join(names[:5])}{', ...' if len(names) > 5 else ''})" if names else "")


def _header_digest(metadata: Mapping[str, str]) -> str:
    """SHA-256 over the entries as they are stored, in the order of their names, but for its own."""
    entries = sorted((name, value) for name, value in metadata.items() if name != "header_sha256")
    return hashlib.sha256(json.dumps(entries).encode()).hexdigest()


def _digest(arrays: dict[str, np.ndarray]) -> str:
    """SHA-256 over names, dtypes (as torch names them), shapes and bytes, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} torch.{array.dtype} {tuple(arrays[name].shape)}".encode())
        digest.update(array.data)
    return digest.hexdigest()
