"""The mistakes that a network was surest of, as a sheet of pictures.

In:  an `Evaluation`.
Out: a matplotlib Figure, as in `evaluation/sheets.py`.
"""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from evaluation.classification.scores import Evaluation
from evaluation.sheets import contact_sheet, label_of


def mistakes_figure(evaluation: Evaluation, *, count: int = 24, title: str = "") -> Figure:
    """The `count` mistakes that the network was surest of, surest first, with its word and the label."""
    faces, confidence = evaluation.faces, evaluation.calibrated.max(axis=1)
    wrong = np.flatnonzero(evaluation.predicted != faces.labels)
    rows = wrong[np.argsort(-confidence[wrong], kind="stable")][:count]
    captions = [
        f"network: {faces.class_names[evaluation.predicted[row]]} {confidence[row]:.0%}\nlabel: {label_of(faces, row)}"
        for row in rows
    ]
    return contact_sheet([faces.images[row] for row in rows], captions, columns=6, side=1.4, title=title)
