"""What `python -m evaluation.mean_heat` does: explain, average, draw, write, tell.

In:  its settings.
Out: the expressions, the report as it stands in mean_heat.json, its picture and its table.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from data.datasets import find_format, load_faces
from evaluation.bands import BANDS, EDGES, FEWEST, Expression, expressions_of
from evaluation.heat import refuse_unknown, study_of
from evaluation.heat_plots import mean_heat_figure
from evaluation.mean_heat import Settings
from evaluation.means import mean_of
from models.checkpoint import SHIPPED, load_checkpoint
from support import UserError, note, pick_device, written_whole


def averaged(settings: Settings) -> tuple[list[Expression], dict]:
    """The expressions, and the report as it stands in mean_heat.json; `UserError` where none has `FEWEST` faces."""
    refuse_unknown([settings.explainer])
    path, device = settings.weights or str(SHIPPED), pick_device(settings.device)
    checkpoint = load_checkpoint(path)
    dataset = find_format(settings.data_path, name=settings.dataset).NAME
    faces = load_faces(settings.data_path, settings.split, name=dataset, skip_bad=settings.skip_bad)
    study = study_of(checkpoint, faces, device=device)
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
        "even": dict(zip(BANDS, np.diff(EDGES).tolist(), strict=True)),
        "expressions": {
            each.name: {
                "n": each.count,
                "of": each.of,
                "shares": {band: mean_of(each.shares[:, column]) for column, band in enumerate(BANDS)},
                "lost": {band: mean_of(each.lost[:, column]) for column, band in enumerate(BANDS)},
            }
            for each in expressions
        },
        "left_out": sorted(set(faces.class_names) - {each.name for each in expressions}),
    }
    return expressions, report


def write(expressions: Sequence[Expression], report: dict, folder: Path) -> None:
    """mean_heat.json and mean_heat.png in `folder`, each whole or not at all."""
    with written_whole(folder / "mean_heat.json") as temporary:
        temporary.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    with written_whole(folder / "mean_heat.png") as temporary:
        mean_heat_figure(expressions, title=title(report)).savefig(temporary)
    note(f"mean_heat.json and mean_heat.png are in {folder}")


def title(report: dict) -> str:
    """What the picture shows."""
    return f"{report['network']}, {report['explainer']}, {report['dataset']} {report['split']}: faces read rightly"


def table(report: dict) -> Iterator[str]:
    """The lines that a person reads of mean_heat.json, in per cent."""
    yield title(report)
    for key, what in (("shares", "share of heat in each band"), ("lost", "probability lost without the band")):
        yield ""
        yield f"{what}, %"
        yield f"{'':<12}{'faces':>8}" + "".join(f"{band:>20}" for band in BANDS)
        for name, row in report["expressions"].items():
            yield f"{name:<12}{row['n']:>8,}" + "".join(f"{_in_per_cent(row[key][band]):>20}" for band in BANDS)
        if key == "shares":
            yield f"{'an even map':<20}" + "".join(f"{100 * share:>20.1f}" for share in report["even"].values())
    yield ""
    if report["left_out"]:
        yield f"fewer than {FEWEST} read rightly: {', '.join(report['left_out'])}"


def _in_per_cent(value: dict) -> str:
    low, high = value["interval"]
    return f"{100 * value['mean']:.1f} ({100 * low:.1f} to {100 * high:.1f})"
