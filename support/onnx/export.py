"""From a torch network to one ONNX file: weights inside, and all that a program needs in the file's metadata.

In:  a network in eval mode, an example of its input, what its metadata is to say.
Out: the file's bytes, after ONNX's own checker has passed them and ONNX Runtime has given the network's numbers.

Weights are stored as float16 with a cast where that loses nothing, as in shipped networks, else as float32: either way
they are the checkpoint's to the bit.

torch's older exporter, which traces, is used on purpose: it takes half a second for the shipped classifier, where the
one over torch.export takes over a minute for the detector. The comparison is there to find what tracing may miss: a
branch that depends on the input.
"""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from support import FAILED, UserError, notify, write_file
from support.onnx.session import SOURCE_KEY, OnnxSession, file_sha256, seal

OPSET = 17  # grid_sample needs 16
HIGHEST_DIFFERENCE = 1e-4  # between the file and the network, as a share of the largest output
SMALLEST_HALF = 16  # numbers; smaller tensors stay float32: a cast would cost more than it saves


class ExportError(Exception):
    """A network cannot be exported, or its file does not compute what the network does."""


def export_file(
    path: str | Path,
    out: str | Path | None,
    network: nn.Module,
    example: Tensor,
    *,
    dynamic_axes: Mapping[str, Mapping[int, str]],
    outputs: Sequence[str],
    metadata: Mapping[str, object],
) -> Path:
    """Write the .onnx file of the network with the weights at `path` to `out`, or beside them; where it went.

    The metadata gain the SHA-256 of the weights' file. For the rest see `to_onnx`. Raises `UserError`, and writes
    nothing, where the network cannot be exported, or `out` does not end in .onnx.
    """
    out = Path(out or Path(path).with_suffix(".onnx"))
    if out.suffix != ".onnx":
        raise UserError(f"--out takes a name that ends in .onnx, not {str(out)!r}.")
    metadata = {**metadata, SOURCE_KEY: file_sha256(path)}
    try:
        file = to_onnx(network, example, dynamic_axes=dynamic_axes, outputs=outputs, metadata=metadata)
    except ExportError as error:
        raise UserError(f"{path} cannot be exported: {error}. Nothing was written.", exit_code=FAILED) from error
    write_file(out, file)
    notify(f"{out}: {len(file) / 1e6:.1f} MB")
    return out


@torch.no_grad()
def to_onnx(
    network: nn.Module,
    example: Tensor,
    *,
    dynamic_axes: Mapping[str, Mapping[int, str]],
    outputs: Sequence[str],
    metadata: Mapping[str, object],
) -> bytes:
    """The file of `network`, which must be in eval mode.

    example: an input of two rows. outputs: names of the tensors that the network gives.
    dynamic_axes: for "input" and each output, the dimensions that may differ, with their names.
    metadata: JSON values by name. Raises `ExportError`.
    """
    buffer = io.BytesIO()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that there is a newer exporter, and what a trace may miss
            torch.onnx.export(
                network, (example,), cast(str, buffer), dynamo=False, opset_version=OPSET,
                training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False,  # weights stay as they are
                input_names=["input"], output_names=list(outputs),
                dynamic_axes={name: dict(axes) for name, axes in dynamic_axes.items()},
            )  # fmt: skip
    except (torch.onnx.OnnxExporterError, torch.onnx.errors.UnsupportedOperatorError) as error:
        raise ExportError(f"torch cannot export it: {error}") from error
    model = onnx.load_from_string(buffer.getvalue())
    halve(model)
    for name, value in metadata.items():
        model.metadata_props.add(key=name, value=json.dumps(value))
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ExportError(f"ONNX's checker refuses it: {error}") from error
    file = seal(model.SerializeToString())
    difference = largest_difference(file, network, example)
    if not difference <= HIGHEST_DIFFERENCE:  # also where it is not a number
        raise ExportError(f"its file differs from it by {difference:.1e}")
    return file


def halve(model: onnx.ModelProto) -> None:
    """Store each float32 weight that float16 holds exactly as float16, with a cast back to float32, in place."""
    casts = []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < SMALLEST_HALF:
            continue
        with np.errstate(over="ignore"):
            half = values.astype(np.float16)
        if np.array_equal(half.astype(np.float32), values):
            name = tensor.name
            tensor.CopyFrom(numpy_helper.from_array(half, f"{name}.half"))
            casts.append(onnx.helper.make_node("Cast", [f"{name}.half"], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def largest_difference(file: bytes, network: nn.Module, example: Tensor) -> float:
    """Between the outputs of the file and of the network for three rows, as a share of the largest where above 1."""
    three = torch.cat([example, example])[:3].flip(2)  # other values, and another number of rows
    wanted = network(three)
    try:
        found = OnnxSession(file, threads=1)(three.numpy())
    except Exception as error:  # ONNX Runtime's own kinds have no ancestor in common
        raise ExportError(f"ONNX Runtime cannot run its file: {error}") from error
    largest = 0.0
    for here, tensor in zip(found, [wanted] if isinstance(wanted, Tensor) else wanted, strict=True):
        there = tensor.numpy()
        if here.shape != there.shape:
            return float("inf")
        largest = np.maximum(largest, np.abs(here - there).max() / max(1.0, np.abs(there).max()))
    return float(largest)
