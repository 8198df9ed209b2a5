"""Initial weights of a training: random, pretrained, or those of a checkpoint, whose class rows go by class name.

In:  a network's name, the class names, perhaps a checkpoint of the same network.
Out: the network, on the CPU.
"""

from __future__ import annotations

import logging

import torch
from torch import nn

from models.checkpoint import Checkpoint, load_checkpoint
from models.spec import ModelSpec, all_specs, find_spec
from support import UserError
from support.weights import load_strictly

log = logging.getLogger(__name__)


def initial_network(name: str, class_names: tuple[str, ...], *, init: str = "", pretrained: bool = False) -> nn.Module:
    """The network `name`: with the weights in the file `init`, pretrained, or random."""
    if init:
        return transfer(load_checkpoint(init), class_names, name=name, path=init)
    spec = find_spec(name)
    if not pretrained:
        return spec.build(len(class_names))
    if spec.pretrained is None:
        known = ", ".join(known for known, other in all_specs().items() if other.pretrained)
        raise UserError(f"there are no pretrained weights of {name}; leave --pretrained out, or take one of {known}.")
    return spec.pretrained(len(class_names))


def transfer(checkpoint: Checkpoint, class_names: tuple[str, ...], *, name: str, path: str) -> nn.Module:
    """The network `name` for `class_names`, with the weights of `checkpoint`, which is from `path`.

    Rows of the head are matched by class name; a class that the checkpoint does not know keeps its untrained row.
    Raises `UserError` where the checkpoint is of another network or does not fit.
    """
    if checkpoint.network != name:
        raise UserError(
            f"{path} holds a {checkpoint.network}, but --model is {name}; give weights of the same network."
        )
    spec = find_spec(name)
    network = spec.build(len(class_names))
    untrained = network.state_dict()
    weights = {key: torch.as_tensor(value) for key, value in checkpoint.weights.items()}
    new = [class_name for class_name in class_names if class_name not in checkpoint.class_names]
    if new:
        log.warning("%s does not know %s, which start untrained", path, ", ".join(new))
    known = [class_name for class_name in class_names if class_name not in new]
    target, source = [class_names.index(c) for c in known], [checkpoint.class_names.index(c) for c in known]
    for key in head_tensors(spec) & weights.keys():
        weights[key] = untrained[key].index_copy(0, torch.tensor(target), weights[key][source])
    load_strictly(network, weights, what=path)
    return network


def head_tensors(spec: ModelSpec) -> set[str]:
    """Names of the tensors with one row a class: those whose shape depends on the number of classes."""
    with torch.device("meta"):  # shapes only
        two, three = (spec.build(classes).state_dict() for classes in (2, 3))
    return {key for key in two if two[key].shape != three[key].shape}
