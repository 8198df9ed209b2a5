"""All tests of the heatmaps of one network, face by face, and their summary.

In:  `ExplainedFaces`, the names of explainers.
Out: `Results`, whose arrays the figures draw, and `summary`, plain values for faithfulness.json.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from evaluation.explanations.deletion_insertion import area, curves_of
from evaluation.explanations.explained_faces import ExplainedFaces, baselines
from evaluation.explanations.parameter_randomisation import Randomisation, randomise
from evaluation.explanations.pointing_game import PointingResult, play, sample_pairs
from evaluation.explanations.recommend import recommend
from evaluation.explanations.similarity import displacement, mirrored_heatmaps, rank_correlation
from support.metrics import mean_with_interval

RANDOMISED_FACES = 128  # at most: parameter randomisation explains each face once a unit


@dataclass(frozen=True, eq=False)
class Results:
    """What was measured on N faces, by explainer.

    heatmaps, mirrored: (N, h, w) for the predicted class; `heatmaps` also of the baselines. curves: `deletion` and
    `insertion`, (N, steps + 1), also of the baselines. pairs: (P, 2); pairs and pointing are empty where the network
    takes one size of picture only, or no pair was found.
    """

    faces: ExplainedFaces
    methods: tuple[str, ...]
    heatmaps: dict[str, Tensor]
    mirrored: dict[str, Tensor]
    curves: dict[str, dict[str, np.ndarray]]
    randomisation: Randomisation
    pairs: np.ndarray
    pointing: dict[str, PointingResult]

    def gain(self, name: str) -> np.ndarray:
        """(N,): insertion area minus deletion area; about 0 for a map that is not informative, at most 1."""
        return area(self.curves[name]["insertion"]) - area(self.curves[name]["deletion"])

    def mirror_correlation(self, method: str) -> np.ndarray:
        """(N,): rank correlation of each face's heatmap with that of its mirror image."""
        return rank_correlation(self.heatmaps[method].cpu().numpy(), self.mirrored[method].cpu().numpy())


def run_tests(faces: ExplainedFaces, methods: Sequence[str], *, steps: int, seed: int = 0) -> Results:
    """Run every test on every explainer of `methods`. steps: of the deletion and insertion curves."""
    heatmaps = faces.heatmaps(methods)
    maps = heatmaps | baselines(faces.x, seed=seed)
    pairs = np.empty((0, 2), np.int64) if faces.spec.fixed_size else sample_pairs(faces, seed=seed)
    few = {method: heatmaps[method][:RANDOMISED_FACES] for method in methods}
    return Results(
        faces=faces,
        methods=tuple(methods),
        heatmaps=maps,
        mirrored=mirrored_heatmaps(faces, methods),
        curves={name: curves_of(faces, each, steps=steps, seed=seed) for name, each in maps.items()},
        randomisation=randomise(faces.rows(slice(RANDOMISED_FACES)), few, seed=seed),
        pairs=pairs,
        pointing={method: play(faces, pairs, method) for method in methods} if len(pairs) else {},
    )


def summary(results: Results) -> dict:
    """Means with intervals of everything, by explainer and baseline, and the recommendation."""
    tests = {name: curve_scores(results, name) for name in results.curves}
    for name in results.methods:
        tests[name] |= explainer_scores(results, name)
    recommendation = recommend(
        {name: results.gain(name) for name in results.methods},
        {name: results.randomisation.rank_correlation[name][-1] for name in results.methods},
        {name: pointing.hits for name, pointing in results.pointing.items()} or None,
    )
    return {"n": len(results.faces), "tests": tests, "recommendation": recommendation}


def curve_scores(results: Results, name: str) -> dict[str, dict]:
    """The areas of an explainer or baseline, and how much larger its gain is than that of the baselines."""
    return {
        "deletion": mean_with_interval(area(results.curves[name]["deletion"])),
        "insertion": mean_with_interval(area(results.curves[name]["insertion"])),
        "insertion_minus_deletion": mean_with_interval(results.gain(name)),
        "more_than_random": mean_with_interval(results.gain(name) - results.gain("random")),
        "more_than_centre": mean_with_interval(results.gain(name) - results.gain("centre")),
    }


def explainer_scores(results: Results, name: str) -> dict:
    """What only explainers are tested for: randomisation, mirroring, and the pointing game where it was played."""
    randomisation = results.randomisation
    scores = {
        "rank_correlation_randomised": means_by_name(randomisation.units, randomisation.rank_correlation[name]),
        "ssim_randomised": means_by_name(randomisation.units, randomisation.ssim[name]),
        "mirror_correlation": mean_with_interval(results.mirror_correlation(name)),
        "displacement_px": displacement(results.heatmaps[name].cpu().numpy(), results.mirrored[name].cpu().numpy()),
    }
    if name in results.pointing:
        scores["pointing_hits"] = mean_with_interval(results.pointing[name].hits)
        scores["pointing_energy"] = mean_with_interval(results.pointing[name].energy)
    return scores


def means_by_name(names: Sequence[str], rows: np.ndarray) -> dict[str, dict]:
    """Each row of (U, M) as a mean with its interval, by name."""
    return {name: mean_with_interval(row) for name, row in zip(names, rows, strict=True)}
