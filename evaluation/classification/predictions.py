"""What a researcher takes away beside scores: every prediction, the confusion matrix and the curves, as numbers.

In:  an `Evaluation`.
Out: predictions.csv, confusion.csv and curves.csv in a folder, each whole or not there; and predictions.csv read back.

Columns of predictions.csv: file, label, predicted, then for each class `votes_NAME`, `p_NAME` (how likely the label is,
confidence "label") and `crowd_NAME` (the shares of a crowd). Numbers have nine digits, which float32 needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from evaluation.classification.scores import Evaluation
from support import UserError, atomic_write
from support.csv_cells import harmless, original
from support.metrics import precision_recall_curve, roc_curve

CURVE_POINTS = 500  # of a curve, at most


@dataclass(frozen=True, eq=False)
class Predictions:
    """The predictions of one network for N faces: names, labels (N,) and predicted (N,), class names all of them."""

    names: tuple[str, ...]
    labels: np.ndarray
    predicted: np.ndarray


def write_predictions(folder: str | Path, evaluation: Evaluation) -> None:
    """Write the three tables into `folder`."""
    names = [harmless(name) for name in evaluation.faces.class_names]
    index = pd.Index(names, name="label \\ predicted")
    tables = {
        "predictions": predictions_table(evaluation),
        "confusion": pd.DataFrame(evaluation.confusion, index=index, columns=names),
        "curves": curves_table(evaluation),
    }
    for name, table in tables.items():
        with atomic_write(Path(folder) / f"{name}.csv") as temporary:
            table.to_csv(temporary, index=name == "confusion", float_format="%.9g")


def predictions_table(evaluation: Evaluation) -> pd.DataFrame:
    """One row a face."""
    faces = evaluation.faces
    names = np.array([harmless(name) for name in faces.class_names])
    columns = {
        "file": [harmless(name) for name in faces.names],
        "label": names[faces.labels],
        "predicted": names[evaluation.label.argmax(axis=1)],
    }
    for prefix, values in (("votes", faces.votes), ("p", evaluation.label), ("crowd", evaluation.crowd)):
        columns |= {f"{prefix}_{original(name)}": values[:, place] for place, name in enumerate(names)}
    return pd.DataFrame(columns)


def curves_table(evaluation: Evaluation) -> pd.DataFrame:
    """ROC and precision-recall of each class that occurs, against all others: class, curve, x, y."""
    parts = []
    for place, name in enumerate(evaluation.faces.class_names):
        hits, scores = evaluation.faces.labels == place, evaluation.label[:, place]
        if not 0 < hits.sum() < len(hits):
            continue
        for curve, (x, y) in {"roc": roc_curve(scores, hits), "pr": precision_recall_curve(scores, hits)}.items():
            along = np.append(0, np.hypot(np.diff(x), np.diff(y)).cumsum())  # points as far apart along the curve
            kept = np.unique(np.searchsorted(along, np.linspace(0, along[-1], CURVE_POINTS)))
            parts.append(pd.DataFrame({"class": harmless(name), "curve": curve, "x": x[kept], "y": y[kept]}))
    return pd.concat(parts) if parts else pd.DataFrame(columns=["class", "curve", "x", "y"])


def read_predictions(path: str | Path) -> Predictions:
    """What `write_predictions` wrote into predictions.csv; `UserError` where the file is something else."""
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, usecols=["file", "label", "predicted"])
        table = table.map(original)
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is no predictions.csv of an evaluation ({error!s:.100}); name another.") from error
    if table.empty or table["file"].duplicated().any():
        raise UserError(f"{path} must name every face once, and one at least.")
    return Predictions(tuple(table["file"]), table["label"].to_numpy(), table["predicted"].to_numpy())
