"""The mean heatmap of each expression: python -m evaluation.explanations.mean_heatmaps --weights F --data-path DIR

In:  a checkpoint (left out: the shipped one), faces of a data set that fill their pictures as FER+'s do.
Out: DIR/mean_heatmaps.json, its table on stdout, and mean_heatmaps.png: the mean heatmap of each expression over its
     mean face.

Every face is explained for its label; correctly classified faces count. The share of the heatmap in a region, and by
how much the probability drops where the region is grey, are means over faces with 95 % bootstrap intervals.

Regions are horizontal stripes around the heights at which eyes, nose and mouth lie on average
(`models.preprocess.CROP_TEMPLATE`); borders are half-way between. The cells of a heatmap are about as high as a region,
so a share tells the region, not the feature. Occlusion (Zeiler & Fergus 2014) does not use heatmaps, and so tests the
shares.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from evaluation.commands import publish
from evaluation.explanations.deletion_insertion import channel_means
from evaluation.explanations.explained_faces import (
    ExplainedFaces,
    ExplainSettings,
    load_explained_faces,
    probabilities_of,
)
from evaluation.explanations.results import means_by_name
from evaluation.plots import format_as_percent, label_rows
from gradcam import blend
from models.preprocess import CROP_TEMPLATE
from support import UserError, command, pick_device, run_and_exit, setting
from support.figures import GREY, LIGHT_BLUE, VERMILION, styled

FEWEST = 5  # faces of an expression: fewer make no mean
EYES, NOSE, MOUTH = CROP_TEMPLATE[[0, 2, 3], 1]  # heights as shares of the side
EDGES = (0.0, EYES - (NOSE - EYES) / 2, (EYES + NOSE) / 2, (NOSE + MOUTH) / 2, MOUTH + (MOUTH - NOSE) / 2, 1.0)
REGIONS = ("forehead", "eyes", "nose", "mouth", "chin")  # between the edges, from the top; brows belong to the eyes


@dataclass
class Settings(ExplainSettings):
    """Flags of `python -m evaluation.explanations.mean_heatmaps`."""

    explainer: str = setting("gradcam", "which, of gradcam.EXPLAINERS", metavar="NAME")
    out: str = setting("runs/mean_heatmaps", "where mean_heatmaps.json and the picture go", metavar="DIR")


@dataclass(frozen=True, eq=False)
class ExpressionMean:
    """The correctly classified faces of one expression.

    correct: how many; labelled: how many have the label. face: (S, S, 3) uint8 RGB, their mean. heatmap: (S, S)
    float32, the mean of their heatmaps. shares: (correct, 5) float64, the share of the heatmap in each of `REGIONS`; a
    heatmap of zeros has no row. drops: (correct, 5) float64, by how much the label's probability drops where the region
    is grey.
    """

    name: str
    correct: int
    labelled: int
    face: np.ndarray
    heatmap: np.ndarray
    shares: np.ndarray
    drops: np.ndarray


def run(settings: Settings) -> int:
    """Explain, average, write, print."""
    means, report = average(settings)
    figure = mean_heatmaps_figure(means, title=title(report))
    publish(settings.out, "mean_heatmaps", report, {"mean_heatmaps": figure}, table(report))
    return 0


def average(settings: Settings) -> tuple[list[ExpressionMean], dict]:
    """The expressions, and the content of mean_heatmaps.json; `UserError` where none has `FEWEST` correct faces."""
    checkpoint, faces, about = settings.load_network([settings.explainer])
    explained = load_explained_faces(checkpoint, faces, device=pick_device(settings.device))
    means = expression_means(explained, settings.explainer)
    if not means:
        raise UserError(
            f"no expression of the split has {FEWEST} faces that the network classifies correctly; name another split."
        )
    report = about | {
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


def expression_means(faces: ExplainedFaces, method: str) -> list[ExpressionMean]:
    """Each expression of which at least `FEWEST` faces are classified correctly."""
    height, width = faces.x.shape[2:]
    means = []
    for index, name in enumerate(faces.class_names):
        labelled = faces.labels == index
        rows = (labelled & (faces.predicted == index)).nonzero()[:, 0]
        if len(rows) < FEWEST:
            continue
        x, labels = faces.x[rows], faces.labels[rows]
        heatmaps = faces.explain(x, labels, [method])[method].cpu().numpy()
        shares = region_shares(heatmaps)
        if not len(shares):  # none has any heat
            continue
        images = [cv2.resize(faces.images[row], (width, height)) for row in rows.tolist()]
        mean = ExpressionMean(
            name=name,
            correct=len(rows),
            labelled=int(labelled.sum()),
            face=np.mean(images, axis=0).round().astype(np.uint8),
            heatmap=heatmaps.mean(axis=0),
            shares=shares,
            drops=occlusion_drops(faces, x, labels),
        )
        means.append(mean)
    return means


def region_shares(heatmaps: np.ndarray) -> np.ndarray:
    """(M, 5) float64: the share of each of the M heatmaps (N, h, w) that are not zero in each of `REGIONS`.

    Edges may cut a row of pixels.
    """
    height = heatmaps.shape[1]
    tops = np.arange(height) / height
    inside = np.minimum(tops[:, None] + 1 / height, EDGES[1:]) - np.maximum(tops[:, None], EDGES[:-1])
    weights = height * inside.clip(min=0)  # (h, 5), rows sum to 1
    profile = heatmaps.sum(axis=2, dtype=np.float64)  # (N, h)
    profile = profile[profile.sum(axis=1) > 0]
    return profile / profile.sum(axis=1, keepdims=True) @ weights


def occlusion_drops(faces: ExplainedFaces, x: Tensor, labels: Tensor) -> np.ndarray:
    """(N, 5) float64: probability of the labels (N,) for x (N, C, h, w), minus that with a region at the mean of x.

    A row of pixels belongs to the region in which its middle lies.
    """
    middles = (np.arange(x.shape[2]) + 0.5) / x.shape[2]

    def probability(x: Tensor) -> np.ndarray:
        return probabilities_of(faces.network, x).gather(1, labels[:, None])[:, 0].cpu().double().numpy()

    whole, drops = probability(x), []
    for top, bottom in pairwise(EDGES):
        rows = np.flatnonzero((middles >= top) & (middles < bottom))
        occluded = x.clone()
        occluded[:, :, rows] = channel_means(x)[:, :, rows]
        drops.append(whole - probability(occluded))
    return np.stack(drops, axis=1)


def title(report: dict) -> str:
    """What the picture shows."""
    split = f"{report['dataset']} {report['split']}"
    return f"{report['network']}, {report['explainer']}, {split}: correctly classified faces"


def table(report: dict) -> Iterator[str]:
    """mean_heatmaps.json as lines of text, in per cent."""
    yield title(report)
    width = max([12, *(len(name) + 2 for name in report["expressions"])])
    headings = {"shares": "share of the heatmap in each region", "probability_drops": "drop without the region"}
    for key, heading in headings.items():
        yield ""
        yield f"{heading}, %"
        yield f"{'':<{width}}{'faces':>8}" + "".join(f"{region:>20}" for region in REGIONS)
        for name, row in report["expressions"].items():
            yield f"{name:<{width}}{row['correct']:>8,}" + "".join(f"{_percent(row[key][r]):>20}" for r in REGIONS)
        if key == "shares":
            yield f"{'a uniform map':<{width + 8}}" + "".join(
                f"{100 * share:>20.1f}" for share in report["uniform"].values()
            )
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
    widths.append(np.diff(EDGES))  # a uniform map's
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
        label_rows(axes, REGIONS if column == 0 else [""] * len(REGIONS))
        axes.set_xlim(limits)
        axes.xaxis.set_major_locator(MaxNLocator(2))
        format_as_percent(axes.xaxis)
    legend = "bar: share of the heatmap, line: share of a uniform map, dot: drop of the probability without the region"
    figure.supxlabel(legend, fontsize=9)
    return figure


main = command(Settings, run, prog="python -m evaluation.explanations.mean_heatmaps", doc=__doc__)

if __name__ == "__main__":
    run_and_exit(main)
