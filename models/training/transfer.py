"""Initial weights of a training: random, pretrained, or from a file, a checkpoint's or another program's.

In:  a network's name, the class names, perhaps a file of weights of the same network.
Out: the network, on the CPU. Class rows of a checkpoint go by class name; those of a plain state_dict, which knows no
     class names, start untrained.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from models.checkpoint import FORMAT, Checkpoint, load_checkpoint
from models.preprocess import Preprocess
from models.spec import ModelSpec, all_specs, find_spec
from models.state_dict import match, read_state_dict
from support import UserError
from support.weights import format_of, load_strictly

log = logging.getLogger(__name__)
LEAST_SHARE = 0.8  # of the numbers of a network, and of the file, that must fit


def initial_network(
    name: str,
    class_names: tuple[str, ...],
    preprocess: Preprocess | None = None,
    *,
    init: str = "",
    pretrained: bool = False,
) -> nn.Module:
    """The network `name`: with the weights in the file `init`, pretrained, or random.

    preprocess: how pictures will become its input; a warning says where a checkpoint's did otherwise.
    """
    if init and is_checkpoint(init):
        checkpoint = load_checkpoint(init)
        network = transfer(checkpoint, class_names, name=name, path=init)
        if preprocess not in (None, checkpoint.preprocess):
            log.warning("%s saw other inputs, %s, than it will see here, %s", init, checkpoint.preprocess, preprocess)
        return network
    spec = find_spec(name)
    if init:
        return from_state_dict(read_state_dict(init), class_names, spec=spec, what=f"{init} for {name}")
    if not pretrained:
        return spec.build(len(class_names))
    if spec.pretrained is None:
        known = ", ".join(known for known, other in all_specs().items() if other.pretrained)
        raise UserError(f"there are no pretrained weights of {name}; leave --pretrained out, or take one of {known}.")
    return spec.pretrained(len(class_names))


def is_checkpoint(path: str) -> bool:
    """Is that a checkpoint of this project, or one that is missing or damaged, and not another program's state_dict?"""
    return Path(path).suffix == ".safetensors" and format_of(path) in (FORMAT, None)


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
    weights = dict(checkpoint.weights)
    new = [class_name for class_name in class_names if class_name not in checkpoint.class_names]
    if new:
        log.warning("%s does not know %s, which start untrained", path, ", ".join(new))
    known = [class_name for class_name in class_names if class_name not in new]
    target, source = [class_names.index(c) for c in known], [checkpoint.class_names.index(c) for c in known]
    for key in head_tensors(spec) & weights.keys():
        weights[key] = untrained[key].index_copy(0, torch.tensor(target, dtype=torch.long), weights[key][source])
    load_strictly(network, weights, what=path)
    return network


def from_state_dict(found: dict[str, Tensor], class_names: tuple[str, ...], *, spec: ModelSpec, what: str) -> nn.Module:
    """The network of `spec` with the tensors of `found` that fit; a warning says which.

    Raises `UserError` where less than `LEAST_SHARE` of the network's or the file's numbers fit. Heads start untrained.
    """
    network, heads = spec.build(len(class_names)), head_tensors(spec)
    fitting = match(network.state_dict(), found, heads=heads)
    if fitting.share < LEAST_SHARE:
        raise UserError(
            f"{what} does not fit: {fitting}, of {100 * LEAST_SHARE:.0f} % wanted. Name weights of this network."
        )
    log.warning("%s: %s; the %s, which has a row a class, starts untrained", what, fitting, " and ".join(sorted(heads)))
    body = {name: tensor for name, tensor in fitting.weights.items() if name not in heads}
    network.load_state_dict(network.state_dict() | body)
    return network


def freeze_layers(network: nn.Module, beginnings: Sequence[str], *, heads: Collection[str]) -> None:
    """Freeze the parameters whose names begin with one of `beginnings`, up to a dot; `backbone`: all but the heads'.

    Raises `UserError` where a beginning is that of no parameter, or nothing is left to train.
    """
    names = [name for name, _ in network.named_parameters()]
    for beginning in beginnings:
        found = [name for name in names if f"{name}.".startswith(f"{beginning}.")]
        if beginning == "backbone":
            found = [name for name in names if name not in heads]
        if not found:
            layers = ", ".join(dict.fromkeys(name.split(".")[0] for name in names))
            raise UserError(f"--freeze {beginning} is the beginning of no layer's name; they are backbone, {layers}.")
        for name in found:
            network.get_parameter(name).requires_grad_(False)
    if not any(parameter.requires_grad for parameter in network.parameters()):
        raise UserError(f"--freeze {' '.join(beginnings)} leaves nothing to train; leave the last layer out.")


def head_tensors(spec: ModelSpec) -> set[str]:
    """Names of the tensors with one row a class: those whose shape depends on the number of classes."""
    with torch.device("meta"):  # shapes only
        two, three = (spec.build(classes).state_dict() for classes in (2, 3))
    return {key for key in two if two[key].shape != three[key].shape}
