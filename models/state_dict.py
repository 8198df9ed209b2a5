"""Weights that other programs wrote: a state_dict from a file, matched with a network by name and shape.

In:  a .pth, .pt, .bin or .safetensors file of tensors by name, perhaps inside wrappers (`state_dict`, `model`) and with
     prefixes (`module.`); a network.
Out: its tensors by the network's names; which matched, which are missing, surplus or of another shape.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor

from support import UserError
from support.weights import as_float32, refuse_onnx, tensors_in

PREFIXES = ("module.", "model.", "_orig_mod.", "network.", "net.", "backbone.", "encoder.")
COUNTER = "num_batches_tracked"  # of batch norms; older files lack it, and eval mode does without


@dataclass(frozen=True)
class Match:
    """What a file's tensors and a network's have in common; heads, whose rows are classes, are counted apart.

    weights: the matched tensors, by the network's names.
    share: of the network's numbers outside its heads that matched, or of the file's, whichever is less; 0 to 1.
    """

    weights: dict[str, Tensor]
    missing: tuple[str, ...]
    surplus: tuple[str, ...]
    reshaped: tuple[str, ...]
    share: float

    def __str__(self) -> str:
        groups = {"missing": self.missing, "surplus": self.surplus, "of another shape": self.reshaped}
        words = [f"{len(names)} {kind}{_some(names)}" for kind, names in groups.items()]
        return f"{len(self.weights)} tensors matched, {', '.join(words)}; {100 * self.share:.0f} % of the weights fit"


def read_state_dict(path: str | Path) -> dict[str, Tensor]:
    """Float32 tensors by name; code in the file is never run. `UserError` where there are none, or not finite ones."""
    path = Path(path)
    refuse_onnx(path)
    if not path.is_file():
        raise UserError(f"there is no file {path}; name one with weights (.safetensors, .pth, .pt or .bin).")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            content: Any = load_file(path)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error!s:.120}); fetch it again.") from error
    except Exception as error:  # of the unpickler, which fails in any way
        raise UserError(
            f"{path} holds no plain tensors, or is cut off ({type(error).__name__}); where it holds a whole pickled "
            "network, save its state_dict() with torch.save, and name that file."
        ) from error
    tensors = tensors_in(content)
    if not tensors:
        raise UserError(f"{path} holds no tensors by name, but a {type(content).__name__}; name a state_dict.")
    return as_float32(tensors, path)


def match(own: Mapping[str, Tensor], found: Mapping[str, Tensor], *, heads: Collection[str]) -> Match:
    """The tensors of `found` that fit `own`, a network's state_dict, under the prefixes with which most of them do."""
    tried = (  # in the order of their length, so that of equals the shortest is taken
        {name.removeprefix("".join(prefixes)): value for name, value in found.items()}
        for count in range(3)
        for prefixes in itertools.product(PREFIXES, repeat=count)
    )
    found = max(tried, key=lambda names: len(own.keys() & names.keys()))
    common = own.keys() & found.keys()
    weights = {name: found[name] for name in sorted(common) if found[name].shape == own[name].shape}
    body = {name for name in weights if name not in heads}
    numbers = [sum(tensor.numel() for name, tensor in tensors.items() if name not in heads) for tensors in (own, found)]
    return Match(
        weights=weights,
        missing=tuple(sorted(name for name in own.keys() - common if not name.endswith(COUNTER))),
        surplus=tuple(sorted(found.keys() - common)),
        reshaped=tuple(sorted(common - weights.keys())),
        share=sum(own[name].numel() for name in body) / max(*numbers, 1),
    )


def _some(names: Collection[str]) -> str:
    """A few of the names, in brackets."""
    shown = ", ".join(list(names)[:3]) + ", ..." * (len(names) > 3)
    return f" ({shown})" if names else ""
