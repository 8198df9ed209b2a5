"""A checkpoint: one safetensors file that holds a whole trained network, and refuses to load half of one.

In:  weights, network name, class names, preprocess, temperature and class bias, settings, scores.
Out: the same, after the content hash, the network's name and every key have been checked.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from models.preprocess import Preprocess
from models.spec import find_spec
from support.weights import load_arrays, load_strictly, load_tensors, save_tensors

if TYPE_CHECKING:  # torch is imported where it is used
    from torch import Tensor, nn

FORMAT = "facial-expression-checkpoint/1"
SHIPPED = Path(__file__).parent / "weights" / "emotion.safetensors"


@dataclass(frozen=True)
class Checkpoint:
    """A trained network and all that is needed to use, judge and repeat it.

    weights: parameters and buffers by name, tensors or arrays, float32 in memory whatever the file holds.
    temperature, class_bias: softmax((logits + class_bias) / temperature) is how likely each label is; both fitted on
        validation (models/training/calibration.py). A class bias, K numbers, that is left out is zero.
    settings, scores: the run's flags and its figures, plain JSON values.
    """

    network: str
    class_names: tuple[str, ...]
    preprocess: Preprocess
    weights: dict[str, Tensor] | dict[str, np.ndarray]
    temperature: float = 1.0
    settings: dict = field(default_factory=dict)
    scores: dict = field(default_factory=dict)
    class_bias: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not self.class_bias:
            object.__setattr__(self, "class_bias", (0.0,) * len(self.class_names))  # frozen, so not by assignment

    def build(self) -> nn.Module:
        """The network with these weights, in eval mode on the CPU; `UserError` where a key is missing or surplus."""
        network = find_spec(self.network).build(len(self.class_names))
        load_strictly(network, self.weights, what=f"the checkpoint of {self.network}")
        return network.eval()


def save_checkpoint(path: str | Path, checkpoint: Checkpoint, *, half: bool = False) -> None:
    """Write `checkpoint` whole or not at all; `half` stores float16, which halves the file."""
    header = {
        "format": FORMAT,
        "network": checkpoint.network,
        "class_names": checkpoint.class_names,
        "preprocess": checkpoint.preprocess.to_dict(),
        "temperature": checkpoint.temperature,
        "class_bias": checkpoint.class_bias,
        "settings": checkpoint.settings,
        "scores": checkpoint.scores,
    }
    save_tensors(path, checkpoint.weights, header=header, half=half)


def load_checkpoint(path: str | Path, *, arrays: bool = False) -> Checkpoint:
    """Read what `save_checkpoint` wrote; `UserError` in a sentence where the file is missing, foreign or damaged.

    arrays: give the weights as arrays, for which torch is not imported.
    """
    weights, header = (load_arrays if arrays else load_tensors)(path, wanted_format=FORMAT)
    return Checkpoint(
        network=header["network"],
        class_names=tuple(header["class_names"]),
        preprocess=Preprocess.from_dict(header["preprocess"]),
        weights=weights,
        temperature=header["temperature"],
        settings=header["settings"],
        scores=header["scores"],
        class_bias=tuple(header.get("class_bias", ())),  # files of version 0.1.0 have none
    )
