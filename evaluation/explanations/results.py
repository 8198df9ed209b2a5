"""Every examination of the heatmaps of one network, face by face, and what they add up to.

In:  a `ExplainedFaces`, the names of explainers.
Out: `Results`, whose arrays the figures draw, and `summary`, plain values for faithfulness.json.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from evaluation.explanations.deletion_insertion import area, both_curves
from evaluation.explanations.explained_faces import ExplainedFaces, controls
from evaluation.explanations.parameter_randomisation import Cascade, shuffled_maps
from evaluation.explanations.pointing_game import Answers, pairs_of, play
from evaluation.explanations.recommend import recommend
from evaluation.explanations.similarity import displacement, mirrored_maps, rank_correlation
from support.metrics import mean_of

SHUFFLED_FACES = 128  # of the study, at most: a cascade explains each face once a unit


@dataclass(frozen=True, eq=False)
class Results:
    """What was found of N faces, by explainer.

    maps, mirrored: (N, h, w) of the class predicted; the controls' too in `maps`. curves: `deletion` and `insertion`,
    (N, steps + 1). pairs (P, 2) and answers: the pointing game, None where the network takes one size of picture only.
    """

    study: ExplainedFaces
    methods: tuple[str, ...]
    maps: dict[str, Tensor]
    mirrored: dict[str, Tensor]
    curves: dict[str, dict[str, np.ndarray]]
    cascade: Cascade
    pairs: np.ndarray | None
    answers: dict[str, Answers] | None

    def gain(self, name: str) -> np.ndarray:
        """(N,): insertion area minus deletion area; 0 for a map that tells nothing, at most 1."""
        return area(self.curves[name]["insertion"]) - area(self.curves[name]["deletion"])

    def agreement(self, method: str) -> np.ndarray:
        """(N,): rank correlation of each face's map with that of its mirror image."""
        return rank_correlation(self.maps[method].cpu().numpy(), self.mirrored[method].cpu().numpy())


def examine(study: ExplainedFaces, methods: Sequence[str], *, steps: int, seed: int = 0) -> Results:
    """Put every explainer of `methods` to every test; `steps` of the curves."""
    maps = {method: study.maps(method) for method in methods}
    maps |= controls(study.x, seed=seed)
    curves = {name: both_curves(study, heat, steps=steps, seed=seed) for name, heat in maps.items()}
    mirrored = {method: mirrored_maps(study, method) for method in methods}
    pairs = answers = None
    if not study.fixed_size:
        pairs = pairs_of(study, seed=seed)
        answers = {method: play(study, pairs, method) for method in methods} if len(pairs) else None
    few = study.rows(slice(SHUFFLED_FACES))
    cascade = shuffled_maps(few, {method: maps[method][:SHUFFLED_FACES] for method in methods}, seed=seed)
    return Results(study, tuple(methods), maps, mirrored, curves, cascade, pairs, answers)


def summary(results: Results) -> dict:
    """Means with intervals of everything, by explainer and control, and the recommendation."""
    tests = {name: curve_scores(results, name) for name in results.curves}
    for name in results.methods:
        tests[name] |= explainer_scores(results, name)
    recommendation = recommend(
        {name: results.gain(name) for name in results.methods},
        {name: results.cascade.rank[name][-1] for name in results.methods},
        results.answers and {name: answers.hits for name, answers in results.answers.items()},
    )
    return {"n": len(results.study), "tests": tests, "recommendation": recommendation}


def curve_scores(results: Results, name: str) -> dict:
    """The areas of an explainer or control, and its gain over the controls."""
    return {
        "deletion": mean_of(area(results.curves[name]["deletion"])),
        "insertion": mean_of(area(results.curves[name]["insertion"])),
        "insertion_minus_deletion": mean_of(results.gain(name)),
        "more_than_random": mean_of(results.gain(name) - results.gain("random")),
        "more_than_centre": mean_of(results.gain(name) - results.gain("centre")),
    }


def explainer_scores(results: Results, name: str) -> dict:
    """What only an explainer is asked for: randomisation, mirroring, and the pointing game where it was played."""
    cascade, answers = results.cascade, results.answers
    scores = {
        "rank_correlation_shuffled": means_by(cascade.units, cascade.rank[name]),
        "ssim_shuffled": means_by(cascade.units, cascade.ssim[name]),
        "mirror": mean_of(results.agreement(name)),
        "displacement_px": displacement(results.maps[name].cpu().numpy(), results.mirrored[name].cpu().numpy()),
    }
    if answers:
        scores |= {"pointing_hits": mean_of(answers[name].hits), "pointing_energy": mean_of(answers[name].energy)}
    return scores


def means_by(names: Sequence[str], rows: np.ndarray) -> dict[str, dict]:
    """Each row of (U, M) as a mean with its interval, by name."""
    return {name: mean_of(row) for name, row in zip(names, rows, strict=True)}
