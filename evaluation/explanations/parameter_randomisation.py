"""Cascading parameter randomisation: does a heatmap change when the network loses what it learned?

In:  `ExplainedFaces`, and their heatmaps by explainer.
Out: `Randomisation`: how similar these are to the heatmaps after the last unit of the network was randomised, then the
     last two, ... down to the first.

Adebayo et al. 2018 (arXiv 1810.03292), section 3.1: a heatmap that does not change does not depend on the weights. They
re-initialise weights; here the values of each tensor are shuffled, which keeps the scale of weights and activations.
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

REPEATS = 3  # cascades, each with its own seed


@dataclass(frozen=True, eq=False)
class Randomisation:
    """How the heatmaps of N faces change as the network is randomised from the head down.

    units: U names, in the order of randomisation. rank_correlation, ssim: by explainer (U, N) float64, with the heatmap
    of the trained network, means over the repeats. example: the face with the highest confidence, a row of those that
    `randomise` was given. maps: by explainer (U, h, w) float32, that face's in the first repeat.
    """

    units: list[str]
    rank_correlation: dict[str, np.ndarray]
    ssim: dict[str, np.ndarray]
    example: int
    maps: dict[str, np.ndarray]


def randomise(faces: ExplainedFaces, heatmaps: Mapping[str, Tensor], *, seed: int = 0) -> Randomisation:
    """Compare `heatmaps` of the faces, (N, h, w) by explainer, with those of the randomised network."""
    names = units(faces.network)[::-1]
    example = int(faces.probabilities.amax(dim=1).argmax())
    trained = {method: maps.cpu().numpy() for method, maps in heatmaps.items()}
    correlations, ssims = ({method: np.zeros((len(names), len(faces))) for method in heatmaps} for _ in range(2))
    examples: dict[str, list[np.ndarray]] = {method: [] for method in heatmaps}
    for repeat in range(REPEATS):
        for step, randomised in enumerate(cascade(faces, list(heatmaps), seed=seed + repeat)):
            for method, tensor in randomised.items():
                maps = tensor.cpu().numpy()
                correlations[method][step] += rank_correlation(trained[method], maps) / REPEATS
                ssims[method][step] += structural_similarity(trained[method], maps) / REPEATS
                if repeat == 0:
                    examples[method].append(maps[example])
    maps_by_method = {method: np.stack(maps) for method, maps in examples.items()}
    return Randomisation(names, correlations, ssims, example, maps_by_method)


def cascade(faces: ExplainedFaces, methods: Sequence[str], *, seed: int = 0) -> Iterator[dict[str, Tensor]]:
    """Heatmaps by explainer as the units are shuffled, the last first, for the classes that were predicted before."""
    network = copy.deepcopy(faces.network)
    generator = torch.Generator().manual_seed(seed)
    for unit in reversed(units(network)):
        shuffle(network.get_submodule(unit), generator)
        yield dataclasses.replace(faces, network=network).heatmaps(methods)


def shuffle(module: nn.Module, generator: torch.Generator) -> None:
    """Shuffle, in place, the values within every parameter and running statistic of `module`."""
    for tensor in module.state_dict().values():  # these share memory with the module
        order = torch.randperm(tensor.numel(), generator=generator).to(tensor.device)
        tensor.copy_(tensor.flatten()[order].view(tensor.shape))


def units(network: nn.Module, prefix: str = "") -> list[str]:
    """Dotted names of what is randomised at a time, first to last: the children of a Sequential, else whole blocks.

    Modules without parameters are left out. The order is that of registration, which is the order of the pass.
    """
    names: list[str] = []
    for name, child in network.named_children():
        if isinstance(child, nn.Sequential):
            names += units(child, f"{prefix}{name}.")
        elif any(True for _ in child.parameters()):
            names.append(prefix + name)
    return names
