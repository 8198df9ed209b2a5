"""All tests of the heatmaps of one network, face by face, their summary, and which explainer should be the default.

In:  `ExplainedFaces`, the names of explainers.
Out: `Results`, whose arrays the figures draw, and `summary`, plain values for faithfulness.json. The rule of the
     recommendation was written down before the results were known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor

from evaluation.explanations.deletion_insertion import area, curves_of
from evaluation.explanations.explained_faces import ExplainedFaces, baselines
from evaluation.explanations.parameter_randomisation import Randomisation, randomise
from evaluation.explanations.pointing_game import PointingResult, play, sample_pairs
from evaluation.explanations.similarity import displacement, mirrored_heatmaps, rank_correlation
from support.metrics import mean_with_interval

RANDOMISED_FACES = 128  # at most: parameter randomisation explains each face once a unit
HIGHEST_CORRELATION = 0.5  # with heatmaps of the randomised network
CHANCE = 0.5
RULE = (
    "An explainer passes if its heatmaps are not the same everywhere, change when all parameters are randomised (mean "
    f"rank correlation below {HIGHEST_CORRELATION}, upper end of its interval) and depend on the class (hits in the "
    f"pointing game above {100 * CHANCE:.0f} %, lower end of its interval; only where the network can play it). "
    "Candidates are those that pass and whose insertion minus deletion area cannot be told from the largest (the 95 % "
    "interval of the paired difference contains 0). The candidate with the most hits is recommended; at a tie, the "
    "first in the table of explainers."
)


@dataclass(frozen=True, eq=False)
class Results:
    """What was measured on N faces, by explainer.

    heatmaps, mirrored: (N, h, w) for the predicted class; `heatmaps` also of the baselines. curves: `deletion` and
    `insertion`, (N, steps + 1), also of the baselines. pairs: (P, 2); pairs and pointing are empty where the network
    takes one size of picture only, or no pair was found. randomisation: of some of the faces; its `example` is a row of
    all N.
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
    few = np.linspace(0, len(faces) - 1, min(RANDOMISED_FACES, len(faces))).astype(int)  # of all classes, if sorted
    randomised = randomise(faces.rows(few), {method: heatmaps[method][few] for method in methods}, seed=seed)
    return Results(
        faces=faces,
        methods=tuple(methods),
        heatmaps=maps,
        mirrored=mirrored_heatmaps(faces, methods),
        curves={name: curves_of(faces, each, steps=steps, seed=seed) for name, each in maps.items()},
        randomisation=replace(randomised, example=int(few[randomised.example])),
        pairs=pairs,
        pointing={method: play(faces, pairs, method) for method in methods} if len(pairs) else {},
    )


def summary(results: Results) -> dict:
    """Means with intervals of everything, by explainer and baseline, and the recommendation."""
    recommendation = recommend(
        {name: results.gain(name) for name in results.methods},
        {name: results.randomisation.rank_correlation[name][-1] for name in results.methods},
        {name: pointing.hits for name, pointing in results.pointing.items()},
        constant=[name for name in results.methods if not results.heatmaps[name].flatten(1).std(1).any()],
    )
    return {
        "n": len(results.faces),
        "tests": {name: scores_of(results, name) for name in results.curves},
        "recommendation": recommendation,
    }


def scores_of(results: Results, name: str) -> dict:
    """The scores of an explainer; of a baseline only those of its curves, beside which explainers are compared."""
    gain, curves = results.gain(name), results.curves[name]
    values = {
        "deletion": area(curves["deletion"]),
        "insertion": area(curves["insertion"]),
        "insertion_minus_deletion": gain,
        "more_than_random": gain - results.gain("random"),
        "more_than_centre": gain - results.gain("centre"),
    }
    if name in results.pointing:
        values |= {"pointing_hits": results.pointing[name].hits, "pointing_energy": results.pointing[name].energy}
    scores: dict = {key: mean_with_interval(rows) for key, rows in values.items()}
    if name in results.methods:
        randomisation = results.randomisation
        scores |= {
            "rank_correlation_randomised": means_by_name(randomisation.units, randomisation.rank_correlation[name]),
            "ssim_randomised": means_by_name(randomisation.units, randomisation.ssim[name]),
            "mirror_correlation": mean_with_interval(results.mirror_correlation(name)),
            "displacement_px": displacement(results.heatmaps[name].cpu().numpy(), results.mirrored[name].cpu().numpy()),
        }
    return scores


def means_by_name(names: Sequence[str], rows: np.ndarray) -> dict[str, dict]:
    """Each row of (U, M) as a mean with its interval, by name."""
    return {name: mean_with_interval(row) for name, row in zip(names, rows, strict=True)}


def recommend(
    gains: Mapping[str, np.ndarray],
    correlations: Mapping[str, np.ndarray],
    hits: Mapping[str, np.ndarray],
    *,
    constant: Sequence[str] = (),
) -> dict:
    """`explainer`, a name or None where none passes; `rule`; `reasons`, a sentence by name.

    gains: (N,) by explainer, insertion minus deletion area of the same N faces. correlations: (M,) by explainer, with
    the heatmaps of the randomised network. hits: (P,) by explainer; empty where the pointing game cannot be played.
    constant: explainers whose heatmaps are the same everywhere, on every face.
    """
    reasons = {name: _failure(correlations[name], hits.get(name)) for name in gains}
    reasons |= dict.fromkeys(constant, "fails: its heatmaps show no place more than another")
    passing = [name for name, reason in reasons.items() if not reason]
    if not passing:
        return {"explainer": None, "rule": RULE, "reasons": reasons}
    largest = max(passing, key=lambda name: gains[name].mean())
    lows = {name: mean_with_interval(gains[largest] - gains[name])["interval"][0] for name in passing}
    candidates = [name for name in passing if lows[name] <= 0]
    chosen = max(candidates, key=lambda name: hits[name].mean() if hits else 0)
    for name in passing:
        gain = f"insertion minus deletion {gains[name].mean():.3f}"
        if name not in candidates:
            reasons[name] = f"passes, but {gain} is less than {largest}'s"
        else:
            share = f", hits {100 * hits[name].mean():.0f} %" if hits else ""
            verdict = "recommended" if name == chosen else f"no better than {chosen}"
            reasons[name] = f"passes, {gain}{share}: {verdict}"
    return {"explainer": chosen, "rule": RULE, "reasons": reasons}


def _failure(correlations: np.ndarray, hits: np.ndarray | None) -> str:
    """Why an explainer fails, or nothing."""
    correlation = mean_with_interval(correlations)
    if correlation["interval"][1] >= HIGHEST_CORRELATION:
        return f"fails: with all parameters randomised its heatmaps still correlate {correlation['mean']:.2f}"
    if hits is not None and mean_with_interval(hits)["interval"][0] <= CHANCE:
        return f"fails: its hits in the pointing game, {100 * hits.mean():.0f} %, are not above chance"
    return ""
