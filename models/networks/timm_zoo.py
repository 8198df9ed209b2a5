"""Any convolutional network of timm, `--model timm/NAME`, such as timm/convnext_nano or timm/regnety_004.

In:  (N, 3, h, w) float32, standardised with the mean and deviation of the network's own pretraining, at its own size.
Out: logits (N, K).

timm (Wightman, github.com/huggingface/pytorch-image-models) is optional: pip install timm. It is imported only here,
when such a network is asked for. The layer to explain and where its cells look are measured (models/cells.py).
"""

from __future__ import annotations

import difflib
import functools
from functools import partial
from typing import Any

from torch import nn

from models.preprocess import Preprocess
from models.spec import ModelSpec
from support import FAILED, UserError

MODELS: dict[str, ModelSpec] = {}  # none is listed: there are a thousand


@functools.cache
def find_timm_spec(name: str) -> ModelSpec:
    """The network `name`, without the prefix; `UserError` where timm lacks it, or it gives no grid to explain."""
    import torch

    from models.cells import find_grid, measure_cells, takes

    build = partial(create, name=name, pretrained=False)
    with torch.device("meta"):
        shapes = build(2)
    config = shapes.pretrained_cfg
    channels, side, width = config["input_size"]
    if side != width or channels not in (1, 3):
        raise UserError(
            f"timm/{name} wants pictures of {config['input_size']}; only square ones of 1 or 3 channels are possible: "
            "name another network."
        )
    layer = find_grid(shapes, torch.empty(2, channels, side, side, device="meta"))
    return ModelSpec(
        build=build,
        preprocess=Preprocess((side, side), channels, tuple(config["mean"]), tuple(config["std"])),
        explain_layer=layer,
        cells=measure_cells(build(2), layer, channels=channels, side=side),
        pretrained=partial(create, name=name, pretrained=True),
        fixed_size=not all(takes(partial(build, 2), channels, round(share * side)) for share in (3 / 4, 7 / 8)),
    )


def create(num_classes: int, *, name: str, pretrained: bool) -> Any:
    """timm's network with `num_classes` outputs; `pretrained`: with weights that timm downloads the first time."""
    timm = import_timm()
    architecture, _, tag = name.partition(".")  # resnet18.a1_in1k is one of the pretrained weights of resnet18
    if architecture not in timm.list_models() or (tag and name not in timm.list_pretrained(f"{architecture}.*")):
        near = difflib.get_close_matches(name, timm.list_models(), n=5, cutoff=0.4)
        raise UserError(f"timm has no network {name!r}; is it one of {', '.join(near) or 'timm.list_models()'}?")
    network: nn.Module = timm.create_model(name, pretrained=pretrained, num_classes=num_classes)
    return network


def import_timm() -> Any:
    """The package timm; `UserError` with the command that installs it where it is missing."""
    try:
        import timm
    except ModuleNotFoundError as error:
        raise UserError(
            "--model timm/NAME needs timm, which is optional: pip install timm.", exit_code=FAILED
        ) from error
    return timm
