"""What `python -m evaluation.explanations` does: examine, draw, write, tell.

In:  its settings.
Out: `Results`, the report as it stands in faithfulness.json, its pictures and its table.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from data.datasets import find_format, load_faces
from data.face_set import FaceSet
from evaluation.explanations.__main__ import Settings
from evaluation.explanations.cost import ALONE, FACES, heat_cost
from evaluation.explanations.explained_faces import load_explained_faces, refuse_unknown
from evaluation.explanations.plots import checks_figure, curves_figure, shuffled_figure
from evaluation.explanations.results import Results, examine, summary
from evaluation.explanations.sheets import mirrored_sheet, pairs_sheet, shuffled_sheet
from evaluation.speed.machine import not_idle
from gradcam import EXPLAINERS
from models.checkpoint import SHIPPED, load_checkpoint
from models.classifier import Classifier
from support import UserError, notify, pick_device, write_json
from support.figures import save_figure


def examined(settings: Settings) -> tuple[Results, dict]:
    """The arrays that were found, and the report as it stands in faithfulness.json."""
    methods = settings.explainers or list(EXPLAINERS)
    refuse_unknown(methods)
    path, device = settings.weights or str(SHIPPED), pick_device(settings.device)
    checkpoint = load_checkpoint(path)
    dataset = find_format(settings.data_path, name=settings.dataset).NAME
    split = load_faces(settings.data_path, settings.split, name=dataset, skip_bad=settings.skip_bad)
    faces = drawn(split, settings.limit, seed=settings.seed)
    notify(f"{checkpoint.network} on {len(faces):,} of {len(split):,} faces, on {device}")
    cost = heat_cost(Classifier(checkpoint, device=device), crops_of(faces), methods, rounds=settings.rounds)
    results = examine(
        load_explained_faces(checkpoint, faces, device=device), methods, steps=settings.steps, seed=settings.seed
    )
    about = {
        "network": checkpoint.network,
        "weights": path,
        "dataset": dataset,
        "split": settings.split,
        "of": len(split),
        "steps": settings.steps,
        "seed": settings.seed,
    }
    return results, about | summary(results) | {"cost": cost}


def drawn(faces: FaceSet, limit: int, *, seed: int) -> FaceSet:
    """At most `limit` faces, by lot, in the order of the split."""
    if len(faces) < 2:
        raise UserError(f"two faces or more are wanted, the split has {len(faces)}; name another split.")
    return faces.rows(np.sort(np.random.default_rng(seed).permutation(len(faces))[:limit]))


def crops_of(faces: FaceSet) -> np.ndarray:
    """(`FACES`, S, S, 3) uint8 RGB: the first faces of the first one's size, again and again where they are fewer."""
    alike = [image for image in faces.images if image.shape == faces.images[0].shape]
    return np.stack([alike[index % len(alike)] for index in range(FACES)])


def figures(results: Results, report: dict) -> dict[str, Figure]:
    """The pictures of what `examined` gave, by name."""
    where = f"{report['network']}, {report['n']:,} faces of {report['dataset']} {report['split']}"
    pictures = {
        "curves": curves_figure(results, title=where),
        "shuffled": shuffled_figure(results.cascade, title=where),
        "shuffled_maps": shuffled_sheet(results),
        "checks": checks_figure(report, title=where),
        "mirrored": mirrored_sheet(results),
    }
    return pictures | ({"pairs": pairs_sheet(results)} if results.answers else {})


def write(results: Results, report: dict, folder: Path) -> None:
    """faithfulness.json and one PNG a picture in `folder`, each whole or not at all."""
    write_json(report, folder / "faithfulness.json")
    for name, figure in figures(results, report).items():
        save_figure(figure, folder / f"{name}.png")
    notify(f"faithfulness.json and pictures are in {folder}")


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
