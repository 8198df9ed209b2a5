"""ModelSpec: all that the rest of the project needs to know of a network, and the list of them.

In:  the files of `models/networks/`, each with a table `MODELS: dict[str, ModelSpec]`.
Out: `find_spec(name)`, `model_names()`. A new network is one new file there; nothing else changes.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from models import networks
from models.preprocess import LARGEST_SIDE, Preprocess
from support import UserError

if TYPE_CHECKING:
    from torch import nn

    from gradcam import Warp


@dataclass(frozen=True)
class ModelSpec:
    """One network.

    build: number of classes -> an untrained module that maps (N, C, h, w) float32 to logits (N, K).
    preprocess: what it wants to see.
    explain_layer: the dotted name of the module whose output an explainer looks at; at least 6x6 cells.
    cells: (first, step), where that layer's cells look: the pixel in the middle of what the first one sees, and the
        pixels from one to the next.
    pretrained: as `build`, with a backbone trained on ImageNet, which is downloaded when this is called; None where
        there is none.
    warp: how the network warps its input below that layer, and the way back; None where it does not.
    fixed_size: only pictures of `preprocess.size_hw` fit, so training cannot begin on smaller ones.
    """

    build: Callable[[int], nn.Module]
    preprocess: Preprocess
    explain_layer: str
    cells: tuple[float, float]
    pretrained: Callable[[int], nn.Module] | None = None
    fixed_size: bool = False
    warp: Warp | None = None

    def preprocess_at(self, imgsz: int) -> Preprocess:
        """`preprocess` at `imgsz` pixels a side, 0 for its own; `UserError` where only its own fits."""
        own = self.preprocess
        if imgsz > LARGEST_SIDE:
            raise UserError(f"--imgsz takes up to {LARGEST_SIDE} pixels, not {imgsz}.")
        if self.fixed_size and imgsz not in (0, own.size_hw[0]):
            raise UserError(f"this network takes pictures of {own.size_hw[0]} pixels only; leave --imgsz {imgsz} out.")
        return own.at_size(imgsz) if imgsz else own


@functools.cache
def all_specs() -> dict[str, ModelSpec]:
    """Every network of `models/networks/`, by name."""
    specs: dict[str, ModelSpec] = {}
    for module in pkgutil.iter_modules(networks.__path__):
        specs.update(importlib.import_module(f"{networks.__name__}.{module.name}").MODELS)
    return specs


def model_names() -> list[str]:
    """The names `--model` takes."""
    return sorted(all_specs())


def find_spec(name: str) -> ModelSpec:
    """The network called `name`, of the list or timm/NAME; `UserError` where there is none."""
    if name.startswith("timm/"):
        zoo = importlib.import_module(f"{networks.__name__}.timm_zoo")  # as in `all_specs`: networks import this file
        found: ModelSpec = zoo.find_timm_spec(name.removeprefix("timm/"))
        return found
    if name not in all_specs():
        raise UserError(f"there is no network called {name!r}; the networks are {', '.join(model_names())}, timm/NAME.")
    return all_specs()[name]
