"""A checkpoint for other programs: python -m models.export --weights FILE.safetensors --out FILE.onnx

In:  a checkpoint of any network.
Out: FILE.onnx, weights inside: (N, C, h, w) float32 -> logits (N, K) and the activation (N, c, a, b) of the layer that
     heatmaps explain; FILE.json beside it with all that a program needs to use them (`description`). Then both networks
     read the same random crops, and the largest difference goes to stdout.

Nothing is written, and the exit code is 1, where the two differ by more than `HIGHEST_DIFFERENCE`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from models.checkpoint import SHIPPED, Checkpoint, load_checkpoint
from models.spec import find_spec
from support import FAILED, UserError, atomic_write, command, notify, run_and_exit, setting, write_json

if TYPE_CHECKING:
    from support.onnx.graph import Graph

FORMAT = "facial-expression-onnx/1"
HIGHEST_DIFFERENCE = 1e-4  # of an output, as a share of its largest number where that is above 1
CROPS = 8  # are compared


@dataclass
class Settings:
    """Flags of `python -m models.export`."""

    weights: str = setting(str(SHIPPED), "the checkpoint", metavar="FILE.safetensors")
    out: str = setting("", "where the model goes; its description goes beside it as .json", metavar="FILE.onnx")


def run(settings: Settings) -> int:
    """Parse, export, compare, write."""
    out = Path(settings.out)
    if out.suffix != ".onnx":
        raise UserError(f"--out takes a name that ends in .onnx, not {settings.out!r}.")
    checkpoint = load_checkpoint(settings.weights, arrays=True)
    graph, model = exported(checkpoint)
    with atomic_write(out) as temporary:
        temporary.write_bytes(model)
        difference = largest_difference(checkpoint, temporary)
        if not difference <= HIGHEST_DIFFERENCE:  # also where it is not a number
            raise UserError(
                f"the export of {checkpoint.network} differs from the network by {difference:.1e}, which is more than "
                f"{HIGHEST_DIFFERENCE:g}; nothing was written. Please report it.",
                exit_code=FAILED,
            )
    about = description(checkpoint, graph) | {
        "checkpoint_sha256": hashlib.sha256(Path(settings.weights).read_bytes()).hexdigest(),
        "sha256": hashlib.sha256(model).hexdigest(),
    }
    write_json(about, out.with_suffix(".json"))
    notify(f"{out} ({len(model) / 2**20:.1f} MB) and {out.with_suffix('.json')}")
    print(f"largest difference to torch over {CROPS} crops: {difference:.1e}")
    return 0


def exported(checkpoint: Checkpoint) -> tuple[Graph, bytes]:
    """The network's graph, and the whole ONNX model."""
    import torch

    from models.graph import example_of, pooled_head, trace
    from support.onnx.tracing import UntraceableError, filled

    spec, classes = find_spec(checkpoint.network), len(checkpoint.class_names)
    head = pooled_head(spec.build(classes).eval(), spec.explain_layer, example_of(spec))
    try:
        graph = trace(spec, classes, head=head)
    except (UntraceableError, torch.onnx.OnnxExporterError) as error:
        raise UserError(f"{checkpoint.network} cannot be exported: {error}.", exit_code=FAILED) from error
    return graph, filled(graph, {name: np.asarray(weight) for name, weight in checkpoint.weights.items()})


def largest_difference(checkpoint: Checkpoint, path: Path) -> float:
    """Between what the model at `path` and the network in torch make of random crops."""
    import onnxruntime
    import torch

    network, seen = checkpoint.build(), []
    layer = network.get_submodule(find_spec(checkpoint.network).explain_layer)
    layer.register_forward_hook(lambda *call: seen.append(call[-1].clone()))
    rng = np.random.default_rng(0)
    crops = rng.integers(0, 256, (CROPS, *checkpoint.preprocess.size_hw, 3), dtype=np.uint8)
    with torch.inference_mode():
        wanted = [network(checkpoint.preprocess(crops)), *seen]
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    found = session.run(None, {"input": checkpoint.preprocess.array(crops)})
    return max(
        float(np.abs(here - there.numpy()).max() / max(1.0, np.abs(here).max()))
        for here, there in zip(found, wanted, strict=True)
    )


def description(checkpoint: Checkpoint, graph: Graph) -> dict:
    """What a program has to know, as plain JSON values.

    class_names: of the K logits. softmax(logits) are the shares of a crowd; softmax((logits + class_bias) /
        temperature) is how likely each label is.
    preprocess: how uint8 RGB crops become the input (models/preprocess.py).
    head: (K, c), or null. Where it is given, Grad-CAM of class k is ReLU(sum_c head[k][c] activation[c]).
    cells: [first, step]: cell i of the activation looks at pixel first + i step of the input; null: the cells tile it.
    """
    head = graph.about["head"]
    return {
        "format": FORMAT,
        "network": checkpoint.network,
        "class_names": checkpoint.class_names,
        "temperature": checkpoint.temperature,
        "class_bias": checkpoint.class_bias,
        "preprocess": checkpoint.preprocess.to_dict(),
        "input": {"name": "input", "shape": ["N", checkpoint.preprocess.channels, *checkpoint.preprocess.size_hw]},
        "outputs": ["logits", "activation"],
        "explain_layer": find_spec(checkpoint.network).explain_layer,
        "head": None if head is None else np.asarray(checkpoint.weights[head]).tolist(),
        "cells": graph.about["cells"],
    }


main = command(Settings, run, prog="python -m models.export", doc=__doc__)

if __name__ == "__main__":
    run_and_exit(main)
