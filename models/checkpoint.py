"""A checkpoint: one safetensors file that holds a whole trained network, and refuses to load half of one.

In:  weights, network name, class names, preprocess, temperature, settings, scores.
Out: the same, after the content hash, the network's name and every key have been checked.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor, nn

from models.preprocess import Preprocess
from models.spec import find_spec
from support.weights import load_strictly, load_tensors, save_tensors

FORMAT = "facial-expression-checkpoint/1"
SHIPPED = Path(__file__).parent / "weights" / "emotion.safetensors"


@dataclass(frozen=True)
class Checkpoint:
    """A trained network and all that is needed to use, judge and repeat it.

    weights: parameter and buffer tensors by name, float32 in memory whatever the file holds.
    temperature: what logits are divided by before softmax (Guo et al. 2017), fitted on validation.
    settings, scores: the run's flags and its figures, plain JSON values.
    """

    network: str
    class_names: tuple[str, ...]
    preprocess: Preprocess
    weights: dict[str, Tensor]
    temperature: float = 1.0
    settings: dict = field(default_factory=dict)
    scores: dict = field(default_factory=dict)

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
        "settings": checkpoint.settings,
        "scores": checkpoint.scores,
    }
    save_tensors(path, checkpoint.weights, header=header, half=half)


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Read what `save_checkpoint` wrote; `UserError` in a sentence where the file is missing, foreign or damaged."""
    tensors, header = load_tensors(path, wanted_format=FORMAT)
    return Checkpoint(
        network=header["network"],
        class_names=tuple(header["class_names"]),
        preprocess=Preprocess.from_dict(header["preprocess"]),
        weights=tensors,
        temperature=header["temperature"],
        settings=header["settings"],
        scores=header["scores"],
    )
