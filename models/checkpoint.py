"""A checkpoint: one safetensors file that holds a whole trained network; an incomplete one is refused.

In:  weights, network name, class names, preprocess, temperature and class bias, settings, scores.
Out: the same, after the content hash, the network's name and every key have been checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models.header import mapping, number, numbers, texts
from models.preprocess import Preprocess
from models.spec import find_spec
from support import UserError
from support.weights import load_strictly, load_tensors, save_tensors

if TYPE_CHECKING:  # torch is imported where it is used
    from torch import nn

FORMAT = "facial-expression-checkpoint/1"
ONNX_FORMAT = "facial-expression-onnx/2"  # of the .onnx file beside it
UNEXPLAINED = "above the layer that heatmaps explain is more than a mean and one linear layer"  # in an .onnx file
LEAST_TEMPERATURE = 1e-3  # far below what a fit gives; logits divided by less would overflow float32
SHIPPED = Path(__file__).parent / "weights" / "emotion.safetensors"


@dataclass(frozen=True)
class Checkpoint:
    """A trained network and all that is needed to use, judge and repeat it.

    weights: parameters and buffers by name, tensors, float32 in memory whatever the file holds.
    temperature, class_bias: softmax((logits + class_bias) / temperature) is how likely each label is; both fitted on
        validation (models/training/calibration.py). A class bias, K numbers, that is left out is zero.
    settings, scores: the run's flags and its figures, plain JSON values.
    crowd_temperature: softmax(logits / crowd_temperature) are the shares of a crowd, fitted to the votes of validation.
    class_prior: K shares, how often the training showed each class; left out where that is not known.
    prior_tau: how much of that prior `prior_bias` takes out, 0 to 1; fitted on validation, too.
    """

    network: str
    class_names: tuple[str, ...]
    preprocess: Preprocess
    weights: Mapping[str, Any]
    temperature: float = 1.0
    settings: dict = field(default_factory=dict)
    scores: dict = field(default_factory=dict)
    class_bias: tuple[float, ...] = ()
    crowd_temperature: float = 1.0
    class_prior: tuple[float, ...] = ()
    prior_tau: float = 0.0

    def __post_init__(self) -> None:
        if not self.class_bias:
            object.__setattr__(self, "class_bias", (0.0,) * len(self.class_names))  # frozen, so not by assignment

    @property
    def prior_bias(self) -> np.ndarray:
        """(K,) float64 to be added to the logits: -prior_tau log(class_prior), and 0 for the most frequent class.

        Post-hoc logit adjustment (Menon et al. 2021, arXiv 2007.07314, eq. 9): with tau = 1 a class counts no more for
        having been frequent in training. A class that it never showed has no bias.
        """
        if not self.class_prior:
            return np.zeros(len(self.class_names))
        return self.prior_tau * prior_push(np.array(self.class_prior))

    def header(self) -> dict:
        """All but the weights, as plain JSON values."""
        values = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "weights"}
        return values | {"preprocess": self.preprocess.to_dict()}

    @classmethod
    def from_header(
        cls,
        header: Mapping[str, Any],
        weights: Mapping[str, Any],
        *,
        path: str | Path,
        remedy: str = "fetch or export it again",
    ) -> Checkpoint:
        """The checkpoint of a `header()` and weights; `UserError` naming `path` where an entry is missing or wrong.

        Files from before `crowd_temperature`, `class_prior` and `prior_tau` have their defaults.
        """
        try:
            names = texts(header["class_names"], what="class_names")
            count = len(names)
            prior = header.get("class_prior") or ()
            found = cls(
                network=texts([header["network"]], what="network")[0],
                class_names=names,
                preprocess=Preprocess.from_dict(header["preprocess"]),
                weights=weights,
                temperature=number(header["temperature"], what="temperature", least=LEAST_TEMPERATURE),
                settings=mapping(header["settings"], what="settings"),
                scores=mapping(header["scores"], what="scores"),
                class_bias=numbers(header["class_bias"], count, what="class_bias"),
                crowd_temperature=number(
                    header.get("crowd_temperature", 1), what="crowd_temperature", least=LEAST_TEMPERATURE
                ),
                class_prior=numbers(prior, count, what="class_prior", least=0) if prior else (),
                prior_tau=number(header.get("prior_tau", 0), what="prior_tau", least=0, most=1),
            )
        except KeyError as error:
            raise UserError(f"{path} does not say its {error.args[0]}; {remedy}.") from error
        except ValueError as error:
            raise UserError(f"{path} does not describe its network: {error}; {remedy}.") from error
        if prior and not any(found.class_prior):
            raise UserError(f"{path} does not describe its network: class_prior is zero; {remedy}.")
        return found

    def build(self) -> nn.Module:
        """The network with these weights, in eval mode on the CPU.

        Raises `UserError` where a key is missing or surplus, or the preprocessing is not for this network.
        """
        spec, own = find_spec(self.network), self.preprocess
        wanted = spec.preprocess.at_size(own.size_hw[0]) if not spec.fixed_size else spec.preprocess
        if (own.channels, own.size_hw) != (wanted.channels, wanted.size_hw):
            raise UserError(
                f"the checkpoint of {self.network} gives it {own.channels} channels of {own.size_hw} pixels, where it "
                f"takes {wanted.channels} of {wanted.size_hw}; train it again."
            )
        network = spec.build(len(self.class_names))
        load_strictly(network, self.weights, what=f"the checkpoint of {self.network}")
        return network.eval()


def save_checkpoint(path: str | Path, checkpoint: Checkpoint, *, half: bool = False) -> None:
    """Write `checkpoint` whole or not at all; `half` stores float16, which halves the file."""
    save_tensors(path, checkpoint.weights, header={"format": FORMAT} | checkpoint.header(), half=half)


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Read what `save_checkpoint` wrote; `UserError` in a sentence where the file is missing, foreign or damaged."""
    weights, header = load_tensors(path, wanted_format=FORMAT)
    return Checkpoint.from_header(header, weights, path=path)


def prior_push(class_prior: np.ndarray) -> np.ndarray:
    """(K,) float64, log(max p / p) of the shares p (K,); 0 for a class that was never shown."""
    shares = np.where(class_prior > 0, class_prior, class_prior.max())
    return np.log(shares.max()) - np.log(shares)  # 0 for the most frequent class: a constant changes no softmax
