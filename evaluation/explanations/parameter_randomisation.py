"""Cascading randomisation: does a heatmap change when the network forgets what it learned?

In:  a `ExplainedFaces`, its maps by explainer.
Out: `Cascade`: how alike they are to the maps after the last unit of the network has been shuffled, then the last two,
     ... down to the first.

Adebayo et al. 2018 (arXiv 1810.03292), section 3.1: an explanation that survives this says nothing of the weights. They
draw weights anew; here the values of each tensor are shuffled, which keeps their scale and so the activations alive.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from evaluation.explanations.explained_faces import ExplainedFaces
from evaluation.explanations.similarity import rank_correlation, structural_similarity

SHUFFLES = 3  # cascades, each with shuffles of its own


@dataclass(frozen=True, eq=False)
class Cascade:
    """How the maps of N faces change as the network is shuffled from the head down.

    units: U names, in the order of shuffling. rank, ssim: by explainer (U, N) float64, rank correlation and structural
    similarity with the map of the whole network, means over the shuffles. example: the row of the face of which the
    network is surest. maps: by explainer (U, h, w) float32, that face's in the first cascade.
    """

    units: list[str]
    rank: dict[str, np.ndarray]
    ssim: dict[str, np.ndarray]
    example: int
    maps: dict[str, np.ndarray]


def shuffled_maps(study: ExplainedFaces, plain: Mapping[str, Tensor], *, seed: int = 0) -> Cascade:
    """Compare `plain`, the study's maps (N, h, w) by explainer, with those of the network as it is shuffled."""
    names = units(study.network)[::-1]
    example = int(study.probabilities.amax(dim=1).argmax())
    trained = {method: heat.cpu().numpy() for method, heat in plain.items()}
    rank, ssim = ({method: np.zeros((len(names), len(study))) for method in plain} for _ in range(2))
    examples: dict[str, list] = {method: [] for method in plain}
    for shuffle in range(SHUFFLES):
        for step, found in enumerate(cascade(study, list(plain), seed=seed + shuffle)):
            for method, heat in found.items():
                maps = heat.cpu().numpy()
                rank[method][step] += rank_correlation(trained[method], maps) / SHUFFLES
                ssim[method][step] += structural_similarity(trained[method], maps) / SHUFFLES
                if shuffle == 0:
                    examples[method].append(maps[example])
    return Cascade(names, rank, ssim, example, {method: np.stack(maps) for method, maps in examples.items()})


def cascade(study: ExplainedFaces, methods: Sequence[str], *, seed: int = 0) -> Iterator[dict[str, Tensor]]:
    """Maps by explainer as the units are shuffled, the last first; the classes stay those predicted."""
    network = copy.deepcopy(study.network)
    generator = torch.Generator().manual_seed(seed)
    for unit in reversed(units(network)):
        shuffle(network.get_submodule(unit), generator)
        forgetful = dataclasses.replace(study, network=network)
        yield {method: forgetful.maps(method) for method in methods}


def shuffle(module: nn.Module, generator: torch.Generator) -> None:
    """Shuffle, in place, the values within every parameter and running statistic of `module`."""
    for tensor in module.state_dict().values():  # these share memory with the module
        order = torch.randperm(tensor.numel(), generator=generator).to(tensor.device)
        tensor.copy_(tensor.flatten()[order].view(tensor.shape))


def units(network: nn.Module, prefix: str = "") -> list[str]:
    """The dotted names of what is shuffled at a time, first to last: a Sequential is opened, a block is one unit.

    Modules without parameters are left out. The order is that of registration, which is the order of the pass.
    """
    names: list[str] = []
    for name, child in network.named_children():
        if isinstance(child, nn.Sequential):
            names += units(child, f"{prefix}{name}.")
        elif any(True for _ in child.parameters()):
            names.append(prefix + name)
    return names
