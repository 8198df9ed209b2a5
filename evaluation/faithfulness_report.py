"""What `python -m evaluation.faithfulness` does: examine, draw, write, tell.

In:  its settings.
Out: `Findings`, the report as it stands in faithfulness.json, its pictures and its table.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from data.datasets import find_format, load_faces
from data.face_set import FaceSet
from evaluation.faithfulness import Settings
from evaluation.findings import Findings, examine, summary
from evaluation.heat import refuse_unknown, study_of
from evaluation.heat_cost import ALONE, FACES, heat_cost
from evaluation.heat_plots import checks_figure, curves_figure, shuffled_figure
from evaluation.heat_sheets import mirrored_sheet, pairs_sheet, shuffled_sheet
from evaluation.machine import not_idle
from gradcam import EXPLAINERS
from models.checkpoint import SHIPPED, load_checkpoint
from models.classifier import Classifier
from support import UserError, note, pick_device, written_whole


def examined(settings: Settings) -> tuple[Findings, dict]:
    """The arrays that were found, and the report as it stands in faithfulness.json."""
    methods = settings.explainers or list(EXPLAINERS)
    refuse_unknown(methods)
    path, device = settings.weights or str(SHIPPED), pick_device(settings.device)
    checkpoint = load_checkpoint(path)
    dataset = find_format(settings.data_path, name=settings.dataset).NAME
    split = load_faces(settings.data_path, settings.split, name=dataset, skip_bad=settings.skip_bad)
    faces = drawn(split, settings.limit, seed=settings.seed)
    note(f"{checkpoint.network} on {len(faces):,} of {len(split):,} faces, on {device}")
    cost = heat_cost(Classifier(checkpoint, device=device), crops_of(faces), methods, rounds=settings.rounds)
    findings = examine(study_of(checkpoint, faces, device=device), methods, steps=settings.steps, seed=settings.seed)
    about = {
        "network": checkpoint.network,
        "weights": path,
        "dataset": dataset,
        "split": settings.split,
        "of": len(split),
        "steps": settings.steps,
        "seed": settings.seed,
    }
    return findings, about | summary(findings) | {"cost": cost}


def drawn(faces: FaceSet, limit: int, *, seed: int) -> FaceSet:
    """At most `limit` faces, by lot, in the order of the split."""
    if len(faces) < 2:
        raise UserError(f"two faces or more are wanted, the split has {len(faces)}; name another split.")
    return faces.rows(np.sort(np.random.default_rng(seed).permutation(len(faces))[:limit]))


def crops_of(faces: FaceSet) -> np.ndarray:
    """(`FACES`, S, S, 3) uint8 RGB: the first faces of the first one's size, again and again where they are fewer."""
    alike = [image for image in faces.images if image.shape == faces.images[0].shape]
    return np.stack([alike[index % len(alike)] for index in range(FACES)])


def figures(findings: Findings, report: dict) -> dict[str, Figure]:
    """The pictures of what `examined` gave, by name."""
    where = f"{report['network']}, {report['n']:,} faces of {report['dataset']} {report['split']}"
    pictures = {
        "curves": curves_figure(findings, title=where),
        "shuffled": shuffled_figure(findings.cascade, title=where),
        "shuffled_maps": shuffled_sheet(findings),
        "checks": checks_figure(report, title=where),
        "mirrored": mirrored_sheet(findings),
    }
    return pictures | ({"pairs": pairs_sheet(findings)} if findings.answers else {})


def write(findings: Findings, report: dict, folder: Path) -> None:
    """faithfulness.json and one PNG a picture in `folder`, each whole or not at all."""
    with written_whole(folder / "faithfulness.json") as temporary:
        temporary.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    for name, figure in figures(findings, report).items():
        with written_whole(folder / f"{name}.png") as temporary:
            figure.savefig(temporary)
    note(f"faithfulness.json and pictures are in {folder}")


def table(report: dict) -> Iterator[str]:
    """The lines that a person reads of faithfulness.json."""
    tests, cost = report["tests"], report["cost"]
    yield f"{report['network']} on {report['n']:,} of {report['of']:,} faces of {report['dataset']} {report['split']}"
    yield ""
    heads = ("deletion", "insertion", "ins - del", "shuffled", "pointing", "mirror", "px off", "ms a face", "ratio")
    yield f"{'':<12}" + "".join(f"{head:>11}" for head in heads)
    yield f"{'no heatmap':<12}{'':>77}{cost['ms_a_face'][ALONE]['median']:>11.2f}{1:>11.2f}"
    for name, row in tests.items():
        means = [row[test]["mean"] for test in ("deletion", "insertion", "insertion_minus_deletion")]
        line = f"{name:<12}" + "".join(f"{mean:>11.3f}" for mean in means)
        if name in cost["ratio"]:
            shuffled = list(row["rank_correlation_shuffled"].values())[-1]["mean"]
            hits = f"{row['pointing_hits']['mean']:.1%}" if "pointing_hits" in row else "-"
            line += f"{shuffled:>11.2f}{hits:>11}{row['mirror']['mean']:>11.2f}{row['displacement_px']:>11.1f}"
            line += f"{cost['ms_a_face'][name]['median']:>11.2f}{cost['ratio'][name]:>11.2f}"
        yield line
    yield ""
    yield from (f"{name}: {reason}" for name, reason in report["recommendation"]["reasons"].items())
    warning = not_idle(cost["machine"])
    if warning:
        yield f"times: {warning}"
