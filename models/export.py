"""The deployable form of a checkpoint: python -m models.export --weights X.safetensors

In:  a checkpoint of any network.
Out: X.onnx beside it: (N, C, h, w) float32 -> logits (N, K) and the activation (N, c, a, b) of the layer that heatmaps
     explain; weights inside, and in the file's metadata all that a program needs to use them (`metadata_of`).

live.py on the CPU and the browser page read that one file. Nothing is written, and the exit code is 1, where ONNX's
checker refuses it, or where its outputs differ from the network's.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from models.checkpoint import ONNX_FORMAT, SHIPPED, UNEXPLAINED, Checkpoint, load_checkpoint
from models.preprocess import CROP_TEMPLATE
from models.spec import find_spec
from support import command, notify, run_and_exit, setting

OUTPUTS = ("logits", "activation")


@dataclass
class Settings:
    """Flags of `python -m models.export`."""

    weights: str = setting(str(SHIPPED), "the checkpoint", metavar="FILE.safetensors")
    out: str = setting("", "where the model goes; left out: beside the checkpoint", metavar="FILE.onnx")


def run(settings: Settings) -> None:
    """Export, check, write; the file's name goes to stdout."""
    print(export_checkpoint(settings.weights, settings.out or None))


def export_checkpoint(path: str | Path, out: str | Path | None = None) -> Path:
    """Write the .onnx file of the checkpoint at `path` to `out`, or beside it; where it went.

    Raises `UserError` where the checkpoint cannot be read, the network cannot be exported, or `out` is no such name.
    """
    from models.pooled_head import example_of, pooled_head
    from support.onnx.export import export_file

    checkpoint = load_checkpoint(path)
    spec, network = find_spec(checkpoint.network), checkpoint.build()
    head = pooled_head(
        spec.build(len(checkpoint.class_names)).eval(), spec.explain_layer, example_of(checkpoint.preprocess)
    )
    kept = []
    # a copy, because a layer above may work in place
    network.get_submodule(spec.explain_layer).register_forward_hook(lambda *call: kept.append(call[-1].clone()))
    network.register_forward_hook(lambda *call: (call[-1], kept.pop()))
    written = export_file(
        path,
        out,
        network,
        example_of(checkpoint.preprocess),
        dynamic_axes={name: {0: "faces"} for name in ("input", *OUTPUTS)},
        outputs=OUTPUTS,
        metadata=metadata_of(checkpoint, head=head),
    )
    if head is None:
        notify(f"{written.name} gives no heatmaps, since {UNEXPLAINED}: live.py and evaluations take {path}.")
    return written


def metadata_of(checkpoint: Checkpoint, *, head: str | None) -> dict:
    """What a program has to know, as plain JSON values.

    class_names: of the K logits. softmax(logits / crowd_temperature) are the shares of a crowd; softmax((logits +
        class_bias) / temperature) is how likely each label is. With the prior of the training taken out, both have the
        bias -prior_tau log(class_prior / max class_prior) instead; a class_prior of [] is not known.
    preprocess: how uint8 RGB crops become the input (models/preprocess.py).
    crop_template: (5, 2), where the five landmarks of a face stand in a crop, as shares of its side.
    head: (K, c), or null. Where it is given, Grad-CAM of class k is ReLU(sum_c head[k][c] activation[c]).
    cells: [first, step]: cell i of the activation looks at pixel first + i step of the input.
    settings, scores: of the run that trained it.
    """
    spec = find_spec(checkpoint.network)
    return checkpoint.header() | {
        "format": ONNX_FORMAT,
        "crop_template": CROP_TEMPLATE.tolist(),
        "head": None if head is None else checkpoint.weights[head].tolist(),
        "cells": list(spec.cells),
        "explain_layer": spec.explain_layer,
    }


main = command(Settings, run, prog="python -m models.export", doc=__doc__)

if __name__ == "__main__":
    run_and_exit(main)
