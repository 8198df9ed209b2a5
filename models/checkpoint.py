"""A checkpoint: one safetensors file that holds a whole trained network, and refuses to load half of one.

In:  weights, network name, class names, preprocess, temperature and class bias, settings, scores.
Out: the same, after the content hash, the network's name and every key have been checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models.preprocess import Preprocess
from models.spec import find_spec
from support import UserError
from support.weights import load_strictly, load_tensors, save_tensors

if TYPE_CHECKING:  # torch is imported where it is used
    from torch import nn

FORMAT = "facial-expression-checkpoint/1"
ONNX_FORMAT = "facial-expression-onnx/2"  # of the .onnx file beside it
SHIPPED = Path(__file__).parent / "weights" / "emotion.safetensors"


@dataclass(frozen=True)
class Checkpoint:
    """A trained network and all that is needed to use, judge and repeat it.

    weights: parameters and buffers by name, tensors, float32 in memory whatever the file holds.
    temperature, class_bias: softmax((logits + class_bias) / temperature) is how likely each label is; both fitted on
        validation (models/training/calibration.py). A class bias, K numbers, that is left out is zero.
    settings, scores: the run's flags and its figures, plain JSON values.
    """

    network: str
    class_names: tuple[str, ...]
    preprocess: Preprocess
    weights: Mapping[str, Any]
    temperature: float = 1.0
    settings: dict = field(default_factory=dict)
    scores: dict = field(default_factory=dict)
    class_bias: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not self.class_bias:
            object.__setattr__(self, "class_bias", (0.0,) * len(self.class_names))  # frozen, so not by assignment

    def header(self) -> dict:
        """All but the weights, as plain JSON values."""
        values = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "weights"}
        return values | {"preprocess": self.preprocess.to_dict()}

    @classmethod
    def from_header(cls, header: Mapping[str, Any], weights: Mapping[str, Any], *, path: str | Path) -> Checkpoint:
        """What `header()` told, and weights; `UserError` naming `path` where an entry is missing or of another kind."""
        try:
            names = tuple(str(name) for name in header["class_names"])
            bias = tuple(float(value) for value in header["class_bias"])
            temperature = float(header["temperature"])
            if not names or len(bias) != len(names) or not np.isfinite([temperature, *bias]).all():
                raise ValueError("class_bias and temperature must be finite numbers, a bias for each class")
            preprocess = Preprocess.from_dict(header["preprocess"])
            settings, scores = dict(header["settings"]), dict(header["scores"])
            return cls(str(header["network"]), names, preprocess, weights, temperature, settings, scores, bias)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UserError(
                f"{path} does not describe its network ({type(error).__name__}: {error}); fetch or export it again."
            ) from error

    def build(self) -> nn.Module:
        """The network with these weights, in eval mode on the CPU; `UserError` where a key is missing or surplus."""
        network = find_spec(self.network).build(len(self.class_names))
        load_strictly(network, self.weights, what=f"the checkpoint of {self.network}")
        return network.eval()


def save_checkpoint(path: str | Path, checkpoint: Checkpoint, *, half: bool = False) -> None:
    """Write `checkpoint` whole or not at all; `half` stores float16, which halves the file."""
    save_tensors(path, checkpoint.weights, header={"format": FORMAT} | checkpoint.header(), half=half)


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Read what `save_checkpoint` wrote; `UserError` in a sentence where the file is missing, foreign or damaged."""
    weights, header = load_tensors(path, wanted_format=FORMAT)
    return Checkpoint.from_header(header, weights, path=path)
