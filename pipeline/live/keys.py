"""The keys of a session, and what they mean.

In:  the pipeline of a session.
Out: (key, meaning) pairs, which `?` shows, with what decides the numbers on the screen.
"""

from __future__ import annotations

from pipeline.run import EmotionPipeline

KEYS = (
    ("q / Esc", "quit"),
    ("space", "pause, or the next picture"),
    ("h", "heatmap on or off"),
    ("b", "bars on or off"),
    ("e", "explain the next class"),
    ("x", "next explainer"),
    ("s", "save a snapshot"),
    ("r", "start or stop recording"),
    ("t", "report of the session so far"),
    ("m", "mirror"),
    ("n", "the notice again, for who comes next"),
    ("?", "this help"),
)
PRIOR_WORDS = {"balanced": "all expressions taken as equally frequent", "dataset": "as frequent as in the data set"}


def help_on(pipeline: EmotionPipeline) -> tuple[tuple[str, str], ...]:
    """The keys, the prior that is read with, and how the networks compute on a card."""
    prior = ("--prior", PRIOR_WORDS[pipeline.classifier.prior])
    return (*KEYS, prior, *(("--amp", way) for way in pipeline.computing))
