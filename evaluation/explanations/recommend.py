"""Which explainer should be the default? A rule, written down before the numbers are looked at.

In:  of each explainer, per face: insertion area minus deletion area, rank correlation with a shuffled network's map,
     hits in the pointing game.
Out: the name, and a sentence of reasons for each.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from support.metrics import mean_of

FORGETS = 0.5
CHANCE = 0.5
RULE = (
    "Fit is an explainer whose maps change when the whole network is shuffled (mean rank correlation below "
    f"{FORGETS}, upper end of its interval) and that answers for the class (hits of the pointing game above "
    f"{CHANCE:.0%}, lower end of its interval; asked only where the network can play). Of the fit ones those share the "
    "first place whose insertion minus deletion cannot be told from the largest (the 95 % interval of the paired "
    "difference holds 0); the one with the most hits is recommended, at a draw the first in the table of explainers."
)


def recommend(
    gains: Mapping[str, np.ndarray], shuffled: Mapping[str, np.ndarray], hits: Mapping[str, np.ndarray] | None
) -> dict:
    """`explainer`, a name or None where none is fit; `rule`; `reasons`, a sentence by name.

    gains: (N,) by explainer, insertion minus deletion of the same N faces. shuffled: (M,) by explainer. hits: (P,) by
    explainer, or None where the pointing game cannot be played.
    """
    reasons = {name: _unfit(shuffled[name], hits and hits[name]) for name in gains}
    fit = [name for name, reason in reasons.items() if not reason]
    if not fit:
        return {"explainer": None, "rule": RULE, "reasons": reasons}
    largest = max(fit, key=lambda name: gains[name].mean())
    first = [name for name in fit if name == largest or _could_be_zero(gains[largest] - gains[name])]
    chosen = max(first, key=lambda name: hits[name].mean() if hits else 0)
    for name in fit:
        gain = f"insertion minus deletion {gains[name].mean():.3f}"
        if name not in first:
            reasons[name] = f"fit, but {gain} is less than {largest}'s"
        else:
            share = f", hits {hits[name].mean():.0%}" if hits else ""
            reasons[name] = f"fit, {gain}{share}: " + ("recommended" if name == chosen else f"no better than {chosen}")
    return {"explainer": chosen, "rule": RULE, "reasons": reasons}


def _unfit(shuffled: np.ndarray, hits: np.ndarray | None) -> str:
    """Why an explainer is not fit, or nothing."""
    left = mean_of(shuffled)
    if left["interval"][1] >= FORGETS:
        return f"not fit: its maps of a shuffled network still correlate {left['mean']:.2f} with the network's"
    if hits is not None and mean_of(hits)["interval"][0] <= CHANCE:
        return f"not fit: asked for one of two faces it finds it in {hits.mean():.0%}, which chance could"
    return ""


def _could_be_zero(differences: np.ndarray) -> bool:
    low, high = mean_of(differences)["interval"]
    return low <= 0 <= high
