"""The most confident mistakes of a network, as a sheet of pictures.

In:  an `Evaluation`.
Out: a matplotlib Figure, as in `evaluation/sheets.py`.
"""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from evaluation.classification.scores import Evaluation
from evaluation.sheets import contact_sheet, label_text


def mistakes_figure(evaluation: Evaluation, *, count: int = 24, title: str = "") -> Figure:
    """The `count` most confident mistakes, most confident first, with the prediction and the label."""
    faces, predicted, confidence = evaluation.faces, evaluation.predicted, evaluation.label.max(axis=1)
    wrong = np.flatnonzero(predicted != faces.labels)
    rows = wrong[np.argsort(-confidence[wrong], kind="stable")][:count].tolist()
    captions = [
        f"network: {faces.class_names[predicted[row]]} {confidence[row]:.0%}\nlabel: {label_text(faces, row)}"
        for row in rows
    ]
    return contact_sheet([faces.images[row] for row in rows], captions, columns=6, side=1.4, title=title)
