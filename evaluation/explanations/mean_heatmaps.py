"""The mean heatmap of each expression: python -m evaluation.explanations.mean_heatmaps --weights F --data-path DIR

In:  a checkpoint (left out: the shipped one), faces of a data set that fill their pictures as FER+'s do.
Out: DIR/mean_heatmaps.json, its table on stdout, and mean_heatmaps.png: the mean heatmap of each expression over its
     mean face.

Every face is explained for its label; correctly classified faces count. The share of the heatmap in a region, and by
how much the probability drops where the region is grey (face_regions.py), are means over faces with 95 % bootstrap
intervals.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from evaluation.commands import SplitSettings, publish
from evaluation.explanations.explained_faces import check_explainers, load_explained_faces
from evaluation.explanations.face_regions import EDGES, FEWEST, REGIONS, ExpressionMean, expression_means
from evaluation.explanations.results import means_by_name
from evaluation.plots import format_as_percent
from gradcam import blend
from models.checkpoint import SHIPPED, load_checkpoint
from support import UserError, command, pick_device, run_and_exit, setting
from support.figures import GREY, LIGHT_BLUE, VERMILION, styled


@dataclasses.dataclass
class Settings(SplitSettings):
    """Flags of `python -m evaluation.explanations.mean_heatmaps`."""

    weights: str | None = setting(None, "checkpoint (default: the shipped one)", metavar="FILE")
    explainer: str = setting("gradcam", "which, of gradcam.EXPLAINERS", metavar="NAME")
    out: str = setting("runs/mean_heatmaps", "where mean_heatmaps.json and the picture go", metavar="DIR")


def run(settings: Settings) -> int:
    """Explain, average, write, print."""
    means, report = average(settings)
    figure = mean_heatmaps_figure(means, title=title(report))
    publish(settings.out, "mean_heatmaps", report, {"mean_heatmaps": figure}, table(report))
    return 0


def average(settings: Settings) -> tuple[list[ExpressionMean], dict]:
    """The expressions, and the content of mean_heatmaps.json; `UserError` where none has `FEWEST` correct faces."""
    check_explainers([settings.explainer])
    path, device = settings.weights or str(SHIPPED), pick_device(settings.device)
    checkpoint = load_checkpoint(path)
    layout, faces = settings.load()
    means = expression_means(load_explained_faces(checkpoint, faces, device=device), settings.explainer)
    if not means:
        raise UserError(
            f"no expression of the split has {FEWEST} faces that the network classifies correctly; name another split."
        )
    report = {
        "network": checkpoint.network,
        "weights": path,
        "dataset": layout.NAME,
        "split": settings.split,
        "explainer": settings.explainer,
        "faces": "correctly classified, explained for their label",
        "n": len(faces),
        "uniform": dict(zip(REGIONS, np.diff(EDGES).tolist(), strict=True)),
        "expressions": {
            mean.name: {
                "correct": mean.correct,
                "labelled": mean.labelled,
                "shares": means_by_name(REGIONS, mean.shares.T),
                "probability_drops": means_by_name(REGIONS, mean.drops.T),
            }
            for mean in means
        },
        "left_out": sorted(set(faces.class_names) - {mean.name for mean in means}),
    }
    return means, report


def title(report: dict) -> str:
    """What the picture shows."""
    split = f"{report['dataset']} {report['split']}"
    return f"{report['network']}, {report['explainer']}, {split}: correctly classified faces"


def table(report: dict) -> Iterator[str]:
    """mean_heatmaps.json as lines of text, in per cent."""
    yield title(report)
    headings = {"shares": "share of the heatmap in each region", "probability_drops": "drop without the region"}
    for key, heading in headings.items():
        yield ""
        yield f"{heading}, %"
        yield f"{'':<12}{'faces':>8}" + "".join(f"{region:>20}" for region in REGIONS)
        for name, row in report["expressions"].items():
            yield f"{name:<12}{row['correct']:>8,}" + "".join(f"{_percent(row[key][r]):>20}" for r in REGIONS)
        if key == "shares":
            yield f"{'a uniform map':<20}" + "".join(f"{100 * share:>20.1f}" for share in report["uniform"].values())
    yield ""
    if report["left_out"]:
        yield f"fewer than {FEWEST} classified correctly: {', '.join(report['left_out'])}"


def _percent(mean: dict) -> str:
    low, high = mean["interval"]
    return f"{100 * mean['mean']:.1f} ({100 * low:.1f} to {100 * high:.1f})"


@styled
def mean_heatmaps_figure(means: Sequence[ExpressionMean], *, title: str = "") -> Figure:
    """A column an expression: the mean face, the mean heatmap over it, shares and probability drops by region.

    All heatmaps have one colour scale, from 0 to the highest value of any.
    """
    highest = max(mean.heatmap.max() for mean in means)
    figure = Figure(figsize=(max(7.5, 1.1 + 1.35 * len(means)), 4.6))
    figure.suptitle(title, x=0.01, ha="left", fontsize=10)
    grid = figure.subplots(3, len(means), squeeze=False, height_ratios=(1, 1, 1.1))
    widths = [values.mean(axis=0) for mean in means for values in (mean.shares, mean.drops)]
    limits = (min(np.min(widths), 0) - 0.02, 1.1 * np.max(widths))
    rows = np.arange(len(REGIONS))
    for column, mean in enumerate(means):
        # stretched: a mean of many faces has little contrast
        face = cv2.normalize(mean.face, np.empty_like(mean.face), 0, 255, cv2.NORM_MINMAX)
        for axes, image in zip(grid[:2, column], (face, blend(face, mean.heatmap / highest)), strict=True):
            axes.imshow(image, interpolation="bicubic")
            axes.set_axis_off()
        grid[0, column].set_title(f"{mean.name}\n{mean.correct:,} of {mean.labelled:,}", loc="center", fontsize=9)
        axes = grid[2, column]
        axes.barh(rows, mean.shares.mean(axis=0), height=0.7, color=LIGHT_BLUE)
        axes.vlines(np.diff(EDGES), rows - 0.4, rows + 0.4, color=GREY, linewidth=1)
        axes.plot(mean.drops.mean(axis=0), rows, "o", color=VERMILION, markersize=4, clip_on=False)
        axes.axvline(0, color=GREY, linewidth=1)
        axes.set(xlim=limits, ylim=(len(REGIONS) - 0.5, -0.5))
        axes.set_yticks(rows, REGIONS if column == 0 else [])
        axes.grid(axis="y", visible=False)
        axes.xaxis.set_major_locator(MaxNLocator(2))
        format_as_percent(axes.xaxis)
    legend = "bar: share of the heatmap, line: share of a uniform map, dot: drop of the probability without the region"
    figure.supxlabel(legend, fontsize=9)
    return figure


main = command(Settings, run, prog="python -m evaluation.explanations.mean_heatmaps", doc=__doc__)

if __name__ == "__main__":
    run_and_exit(main)
