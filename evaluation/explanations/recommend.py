"""Which explainer should be the default? A rule that was written down before the results were known.

In:  of each explainer, per face: insertion minus deletion area, rank correlation with the heatmap of the randomised
     network, hits in the pointing game.
Out: the name, and one sentence of reasons for each.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from support.metrics import mean_with_interval

HIGHEST_CORRELATION = 0.5  # with heatmaps of the randomised network
CHANCE = 0.5
RULE = (
    "An explainer passes if its heatmaps change when all parameters are randomised (mean rank correlation below "
    f"{HIGHEST_CORRELATION}, upper end of its interval) and depend on the class (hits in the pointing game above "
    f"{CHANCE:.0%}, lower end of its interval; only where the network can play it). Candidates are those that pass and "
    "whose insertion minus deletion area cannot be told from the largest (the 95 % interval of the paired difference "
    "contains 0). The candidate with the most hits is recommended; at a tie, the first in the table of explainers."
)


def recommend(
    gains: Mapping[str, np.ndarray], correlations: Mapping[str, np.ndarray], hits: Mapping[str, np.ndarray] | None
) -> dict:
    """`explainer`, a name or None where none passes; `rule`; `reasons`, a sentence by name.

    gains: (N,) by explainer, insertion minus deletion area of the same N faces. correlations: (M,) by explainer, with
    the heatmaps of the randomised network. hits: (P,) by explainer, or None where the pointing game cannot be played.
    """
    reasons = {name: _failure(correlations[name], hits[name] if hits else None) for name in gains}
    passing = [name for name, reason in reasons.items() if not reason]
    if not passing:
        return {"explainer": None, "rule": RULE, "reasons": reasons}
    largest = max(passing, key=lambda name: gains[name].mean())
    candidates = [name for name in passing if name == largest or _may_be_zero(gains[largest] - gains[name])]
    chosen = max(candidates, key=lambda name: hits[name].mean() if hits else 0)
    for name in passing:
        gain = f"insertion minus deletion {gains[name].mean():.3f}"
        if name not in candidates:
            reasons[name] = f"passes, but {gain} is less than {largest}'s"
        else:
            share = f", hits {hits[name].mean():.0%}" if hits else ""
            verdict = "recommended" if name == chosen else f"no better than {chosen}"
            reasons[name] = f"passes, {gain}{share}: {verdict}"
    return {"explainer": chosen, "rule": RULE, "reasons": reasons}


def _failure(correlations: np.ndarray, hits: np.ndarray | None) -> str:
    """Why an explainer fails, or nothing."""
    correlation = mean_with_interval(correlations)
    if correlation["interval"][1] >= HIGHEST_CORRELATION:
        return f"fails: with all parameters randomised its heatmaps still correlate {correlation['mean']:.2f}"
    if hits is not None and mean_with_interval(hits)["interval"][0] <= CHANCE:
        return f"fails: its hits in the pointing game, {hits.mean():.0%}, are not above chance"
    return ""


def _may_be_zero(differences: np.ndarray) -> bool:
    low, high = mean_with_interval(differences)["interval"]
    return low <= 0 <= high
