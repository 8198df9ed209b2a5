"""What `python -m evaluation.explanations.mean_heatmaps` does: explain, average, draw, write, tell.

In:  its settings.
Out: the expressions, the report as it stands in mean_heat.json, its picture and its table.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from data.datasets import find_format, load_faces
from evaluation.explanations.explained_faces import load_explained_faces, refuse_unknown
from evaluation.explanations.face_regions import EDGES, FEWEST, REGIONS, Expression, expressions_of
from evaluation.explanations.mean_heatmaps import Settings
from evaluation.explanations.plots import mean_heat_figure
from models.checkpoint import SHIPPED, load_checkpoint
from support import UserError, notify, pick_device, write_json
from support.figures import save_figure
from support.metrics import mean_of


def averaged(settings: Settings) -> tuple[list[Expression], dict]:
    """The expressions, and the report as it stands in mean_heat.json; `UserError` where none has `FEWEST` faces."""
    refuse_unknown([settings.explainer])
    path, device = settings.weights or str(SHIPPED), pick_device(settings.device)
    checkpoint = load_checkpoint(path)
    dataset = find_format(settings.data_path, name=settings.dataset).NAME
    faces = load_faces(settings.data_path, settings.split, name=dataset, skip_bad=settings.skip_bad)
    study = load_explained_faces(checkpoint, faces, device=device)
    expressions = expressions_of(study, settings.explainer)
    if not expressions:
        raise UserError(f"no expression of the split has {FEWEST} faces that the network reads rightly; name another.")
    report = {
        "network": checkpoint.network,
        "weights": path,
        "dataset": dataset,
        "split": settings.split,
        "explainer": settings.explainer,
        "faces": "explained for their label, those read rightly",
        "n": len(study),
        "even": dict(zip(REGIONS, np.diff(EDGES).tolist(), strict=True)),
        "expressions": {
            each.name: {
                "n": each.count,
                "of": each.of,
                "shares": {region: mean_of(each.shares[:, column]) for column, region in enumerate(REGIONS)},
                "lost": {region: mean_of(each.lost[:, column]) for column, region in enumerate(REGIONS)},
            }
            for each in expressions
        },
        "left_out": sorted(set(faces.class_names) - {each.name for each in expressions}),
    }
    return expressions, report


def write(expressions: Sequence[Expression], report: dict, folder: Path) -> None:
    """mean_heat.json and mean_heat.png in `folder`, each whole or not at all."""
    write_json(report, folder / "mean_heat.json")
    save_figure(mean_heat_figure(expressions, title=title(report)), folder / "mean_heat.png")
    notify(f"mean_heat.json and mean_heat.png are in {folder}")


def title(report: dict) -> str:
    """What the picture shows."""
    return f"{report['network']}, {report['explainer']}, {report['dataset']} {report['split']}: faces read rightly"


def table(report: dict) -> Iterator[str]:
    """The lines that a person reads of mean_heat.json, in per cent."""
    yield title(report)
    for key, what in (("shares", "share of heat in each region"), ("lost", "probability lost without the region")):
        yield ""
        yield f"{what}, %"
        yield f"{'':<12}{'faces':>8}" + "".join(f"{region:>20}" for region in REGIONS)
        for name, row in report["expressions"].items():
            yield f"{name:<12}{row['n']:>8,}" + "".join(f"{_in_per_cent(row[key][region]):>20}" for region in REGIONS)
        if key == "shares":
            yield f"{'an even map':<20}" + "".join(f"{100 * share:>20.1f}" for share in report["even"].values())
    yield ""
    if report["left_out"]:
        yield f"fewer than {FEWEST} read rightly: {', '.join(report['left_out'])}"


def _in_per_cent(value: dict) -> str:
    low, high = value["interval"]
    return f"{100 * value['mean']:.1f} ({100 * low:.1f} to {100 * high:.1f})"
