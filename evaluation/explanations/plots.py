"""Figures of the proof of heatmaps: numbers here, faces in evaluation/explanations/sheets.py.

In:  `Results`, the report of evaluation/explanations/__main__.py, a `Cascade`.
Out: matplotlib Figures in the style of evaluation/plots.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from evaluation.explanations.cost import ALONE
from evaluation.explanations.face_regions import EDGES, REGIONS, Expression
from evaluation.explanations.parameter_randomisation import Cascade
from evaluation.explanations.results import Results
from gradcam import blend
from support.figures import BLUE, GREEN, GREY, INK, LIGHT_BLUE, ORANGE, VERMILION, styled
from support.metrics import mean_of

PURPLE, SKY = "#CC79A7", "#56B4E9"  # the last two of Okabe & Ito's
COLOURS = (BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY)
LOOKS = (("-", 1.6), ((0, (4, 3)), 1.6), ((0, (1, 2.2)), 2.6), ((0, (6, 2, 1, 2)), 1.6))  # dashes and widths
AIM = 1.3  # times the time of probabilities alone


def line_styles(methods: Sequence[str], controls: Iterable[str] = ()) -> dict[str, dict]:
    """How each is drawn: a colour and a dash a method, for two may lie on each other; controls in grey."""
    styles = {}
    for index, name in enumerate(methods):
        dash, width = LOOKS[index % len(LOOKS)]
        colour = COLOURS[index % len(COLOURS)]
        styles[name] = {"color": colour, "linestyle": dash, "linewidth": width, "zorder": 3}
    greys = ({"color": GREY, "linestyle": "-"}, {"color": INK, "linestyle": (0, (1, 1.5))})
    return styles | {name: greys[index % 2] | {"linewidth": 1.3} for index, name in enumerate(controls)}


@styled
def curves_figure(results: Results, *, title: str = "") -> Figure:
    """Deletion and insertion curves, and the mean of insertion area minus deletion area with its interval."""
    figure = Figure(figsize=(10, 3.9))
    figure.suptitle(title, x=0.01, ha="left", fontsize=10)
    left, middle, right = figure.subplots(1, 3, width_ratios=(1, 1, 0.9))
    controls = [name for name in results.curves if name not in results.methods]
    for name, style in line_styles(results.methods, controls).items():
        for axes, kind in ((left, "deletion"), (middle, "insertion")):
            mean = results.curves[name][kind].mean(axis=0)
            axes.plot(np.linspace(0, 1, len(mean)), mean, label=name, **style)
    left.set(title="deletion: lower is better", xlabel="share of pixels made grey", ylabel="probability of the class")
    middle.set(title="insertion: higher is better", xlabel="share of pixels put back")
    for axes in (left, middle):
        axes.set(xlim=(0, 1), ylim=(0, 1))
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol="%"))
    gains = {name: mean_of(results.gain(name)) for name in results.curves}
    dots(right, gains, line_styles(results.methods, controls))
    right.set(title="insertion minus deletion area", xlim=(min(0, right.get_xlim()[0]), None))
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=len(gains), handlelength=3)
    return figure


@styled
def shuffled_figure(cascade: Cascade, *, title: str = "") -> Figure:
    """Rank correlation and SSIM with the trained network's maps, as its units are shuffled from the head down."""
    figure = Figure(figsize=(10, 4.2))
    figure.suptitle(title, x=0.01, ha="left", fontsize=10)
    panels = figure.subplots(1, 2)
    places = np.arange(len(cascade.units) + 1)
    for axes, values, name in zip(
        panels, (cascade.rank, cascade.ssim), ("rank correlation", "structural similarity"), strict=True
    ):
        faces = next(iter(values.values())).shape[1]
        for method, style in line_styles(list(values)).items():
            axes.plot(places, [1, *values[method].mean(axis=1)], label=method, marker="o", markersize=3, **style)
        axes.axhline(0, color=GREY, linewidth=1)
        axes.set_xticks(places, ["none", *cascade.units], rotation=55, ha="right", rotation_mode="anchor")
        axes.set(title=f"{name} with the trained network's map, {faces} faces", ylim=(None, 1.03))
        axes.set_xlabel("shuffled down to")
        axes.grid(axis="x", visible=False)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=8, handlelength=3)
    return figure


@styled
def checks_figure(report: dict, *, title: str = "") -> Figure:
    """The pointing game, agreement under mirroring and the time of each explainer; `report` is faithfulness.json's."""
    tests, cost = report["tests"], report["cost"]
    methods = list(cost["ratio"])
    styles = line_styles(methods)
    played = "pointing_hits" in tests[methods[0]]
    figure = Figure(figsize=(10, 1.5 + 0.3 * len(methods)))
    figure.suptitle(title, x=0.01, ha="left", fontsize=10)
    panels = list(figure.subplots(1, 2 + played))
    if played:
        axes = panels.pop(0)
        dots(axes, {name: tests[name]["pointing_hits"] for name in methods}, styles)
        energy = [tests[name]["pointing_energy"]["mean"] for name in methods]
        axes.scatter(energy, range(len(methods)), marker="D", s=22, facecolor="none", edgecolor=INK, linewidth=0.9)
        axes.axvline(0.5, color=GREY, linestyle=(0, (2, 2)), linewidth=1)
        pairs = tests[methods[0]]["pointing_hits"]["n"]
        axes.set(title=f"two faces, {pairs:,} pairs", xlabel="peak (dot), heat (diamond) on the right one")
        axes.set_xlim(0, 1.02)
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol="%"))
    dots(panels[0], {name: tests[name]["mirror"] for name in methods}, styles)
    panels[0].set(title="the face and its mirror image", xlabel="rank correlation of the maps", xlim=(0, 1.02))
    times_panel(panels[1], cost, styles)
    return figure


def times_panel(axes: Axes, cost: dict, styles: Mapping[str, dict]) -> None:
    """Bars of milliseconds a face beside those of probabilities alone and the aim; the ratio beside the name."""
    alone = cost["ms_a_face"][ALONE]["median"]
    times = [cost["ms_a_face"][name]["median"] for name in styles]
    axes.barh(range(len(times)), times, height=0.55, color=[style["color"] for style in styles.values()])
    axes.axvline(alone, color=INK, linewidth=1)
    axes.axvline(AIM * alone, color=GREY, linestyle=(0, (2, 2)), linewidth=1)
    axes.set_yticks(range(len(times)), [f"{name}  x {cost['ratio'][name]:.2f}" for name in styles])
    axes.set(title=f"ms a face, {cost['faces']} at a time", ylim=(len(times) - 0.5, -0.5))
    axes.set(xlabel=f"line: none; dashed: x {AIM}", xlim=(0, 1.15 * max(*times, AIM * alone)))
    axes.grid(axis="y", visible=False)


def dots(axes: Axes, means: Mapping[str, dict], styles: Mapping[str, dict]) -> None:
    """A row a name: the mean with its interval, and its number beside."""
    for place, (name, value) in enumerate(means.items()):
        colour, (low, high) = styles[name]["color"], value["interval"]
        axes.plot([low, high], [place, place], color=colour, linewidth=2.2, solid_capstyle="butt", clip_on=False)
        axes.plot(value["mean"], place, "o", color=colour, markersize=5, clip_on=False)
    axes.set_yticks(range(len(means)), [f"{name}  {value['mean']:.2f}" for name, value in means.items()])
    axes.set(ylim=(len(means) - 0.5, -0.5))
    axes.grid(axis="y", visible=False)
    axes.spines["left"].set_visible(False)


@styled
def mean_heat_figure(expressions: Sequence[Expression], *, title: str = "") -> Figure:
    """A column an expression: the mean face, the mean heat on it, share of heat and probability lost by region.

    Heat is coloured on one scale for all, from nothing to the hottest place of any.
    """
    highest = max(each.heat.max() for each in expressions)
    figure = Figure(figsize=(1.1 + 1.35 * len(expressions), 4.6))
    figure.suptitle(title, x=0.01, ha="left", fontsize=10)
    grid = figure.subplots(3, len(expressions), squeeze=False, height_ratios=(1, 1, 1.1))
    means = [values.mean(axis=0) for each in expressions for values in (each.shares, each.lost)]
    lowest, widest = np.min(means), np.max(means)
    for column, each in enumerate(expressions):
        face = cv2.normalize(each.face, None, 0, 255, cv2.NORM_MINMAX)  # a mean of many has little contrast
        for axes, image in zip(grid[:2, column], (face, blend(face, each.heat / highest)), strict=True):
            axes.imshow(image, interpolation="bicubic")
            axes.set_axis_off()
        grid[0, column].set_title(f"{each.name}\n{each.count:,} of {each.of:,}", loc="center", fontsize=9)
        axes = grid[2, column]
        rows = np.arange(len(REGIONS))
        axes.barh(rows, each.shares.mean(axis=0), height=0.7, color=LIGHT_BLUE)
        axes.vlines(np.diff(EDGES), rows - 0.4, rows + 0.4, color=GREY, linewidth=1)
        axes.plot(each.lost.mean(axis=0), rows, "o", color=VERMILION, markersize=4, clip_on=False)
        axes.axvline(0, color=GREY, linewidth=1)
        axes.set(xlim=(min(lowest, 0) - 0.02, 1.1 * widest), ylim=(len(REGIONS) - 0.5, -0.5))
        axes.set_yticks(rows, REGIONS if column == 0 else [])
        axes.grid(axis="y", visible=False)
        axes.xaxis.set_major_locator(MaxNLocator(2))
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol="%"))
    figure.supxlabel(
        "bar: share of heat in the region, line: of an even map, dot: probability lost without the region", fontsize=9
    )
    return figure
