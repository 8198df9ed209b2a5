"""Figures of the tests of heatmaps: numbers first, then sheets of faces with heatmaps.

In:  `Results`, a `Randomisation`, the content of faithfulness.json.
Out: matplotlib Figures as in evaluation/plots.py and evaluation/sheets.py. Sheets show faces of the data set: mind its
     licence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evaluation.explanations.cost import ALONE
from evaluation.explanations.parameter_randomisation import Randomisation
from evaluation.explanations.results import Results
from evaluation.plots import format_as_percent, label_rows
from evaluation.sheets import blend_resized, contact_sheet, heatmap_figure
from support.figures import BLUE, GREEN, GREY, INK, ORANGE, PURPLE, SKY, VERMILION, styled
from support.metrics import mean_with_interval

COLOURS = (BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY)
DASHES: tuple[tuple[object, float], ...] = (  # line style and width
    ("-", 1.6),
    ((0, (4, 3)), 1.6),
    ((0, (1, 2.2)), 2.6),
    ((0, (6, 2, 1, 2)), 1.6),
)
AIM = 1.3  # times the time of probabilities alone
COLUMNS = 8  # pictures a row of a sheet


def figures(results: Results, report: dict) -> dict[str, Figure]:
    """The pictures of what `evaluate_explainers` gave, by name."""
    title = f"{report['network']}, {report['n']:,} faces of {report['dataset']} {report['split']}"
    pictures = {
        "curves": curves_figure(results, title=title),
        "randomisation": randomisation_figure(results.randomisation, title=title),
        "randomised_maps": randomisation_sheet(results),
        "checks": checks_figure(report, title=title),
        "mirrored": mirrored_sheet(results),
    }
    return pictures | ({"pairs": pairs_sheet(results)} if results.pointing else {})


def line_styles(methods: Sequence[str], baselines: Sequence[str] = ()) -> dict[str, dict]:
    """How each is drawn: a colour and a dash for each method, as lines may coincide; two baselines in grey."""
    styles: dict[str, dict] = {}
    for name, colour, (dash, width) in zip(methods, cycle(COLOURS), cycle(DASHES), strict=False):
        styles[name] = {"color": colour, "linestyle": dash, "linewidth": width, "zorder": 3}
    for name, colour, dash in zip(baselines, (GREY, INK), ("-", (0, (1, 1.5))), strict=False):
        styles[name] = {"color": colour, "linestyle": dash, "linewidth": 1.3}
    return styles


@styled
def curves_figure(results: Results, *, title: str = "") -> Figure:
    """Deletion and insertion curves, and the mean of insertion area minus deletion area with its interval."""
    figure = Figure(figsize=(10, 3.9))
    figure.suptitle(title, x=0.01, ha="left", fontsize=10)
    left, middle, right = figure.subplots(1, 3, width_ratios=(1, 1, 0.9))
    styles = line_styles(results.methods, [name for name in results.curves if name not in results.methods])
    for name, style in styles.items():
        for axes, kind in ((left, "deletion"), (middle, "insertion")):
            mean = results.curves[name][kind].mean(axis=0)
            axes.plot(np.linspace(0, 1, len(mean)), mean, label=name, **style)
    left.set(title="deletion: lower is better", xlabel="share of pixels made grey", ylabel="probability of the class")
    middle.set(title="insertion: higher is better", xlabel="share of pixels put back")
    for axes in (left, middle):
        axes.set(xlim=(0, 1), ylim=(0, 1))
        format_as_percent(axes.xaxis)
    gains = {name: mean_with_interval(results.gain(name)) for name in results.curves}
    draw_intervals(right, gains, styles)
    right.set(title="insertion minus deletion area", xlim=(min(0, right.get_xlim()[0]), None))
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=len(gains), handlelength=3)
    return figure


@styled
def randomisation_figure(randomisation: Randomisation, *, title: str = "") -> Figure:
    """Rank correlation and SSIM with the trained network's heatmaps, as units are randomised from the head down."""
    figure = Figure(figsize=(10, 4.2))
    figure.suptitle(title, x=0.01, ha="left", fontsize=10)
    panels = figure.subplots(1, 2)
    places = np.arange(len(randomisation.units) + 1)
    measures = {"rank correlation": randomisation.rank_correlation, "structural similarity": randomisation.ssim}
    for axes, (name, values) in zip(panels, measures.items(), strict=True):
        faces = next(iter(values.values())).shape[1]
        for method, style in line_styles(list(values)).items():
            axes.plot(places, [1, *values[method].mean(axis=1)], label=method, marker="o", markersize=3, **style)
        axes.axhline(0, color=GREY, linewidth=1)
        axes.set_xticks(places, ["none", *randomisation.units], rotation=55, ha="right", rotation_mode="anchor")
        axes.set(title=f"{name} with the trained network's heatmap", ylim=(None, 1.03))
        axes.set_xlabel(f"randomised down to ({faces} faces)")
        axes.grid(axis="x", visible=False)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=8, handlelength=3)
    return figure


@styled
def checks_figure(report: dict, *, title: str = "") -> Figure:
    """Pointing game (where it was played), agreement under mirroring, time; `report` is that of faithfulness.json."""
    tests, cost = report["tests"], report["cost"]
    styles = line_styles(list(cost["ratio"]))
    played = all("pointing_hits" in tests[name] for name in styles)
    figure = Figure(figsize=(10, 1.5 + 0.3 * len(styles)))
    figure.suptitle(title, x=0.01, ha="left", fontsize=10)
    panels = list(figure.subplots(1, 2 + played))
    if played:
        draw_pointing(panels.pop(0), tests, styles)
    draw_intervals(panels[0], {name: tests[name]["mirror_correlation"] for name in styles}, styles)
    panels[0].set(title="the face and its mirror image", xlabel="rank correlation of the heatmaps")
    panels[0].set(xlim=(min(0, panels[0].get_xlim()[0]), 1.02))
    draw_cost(panels[1], cost, styles)
    return figure


def draw_pointing(axes: Axes, tests: Mapping[str, dict], styles: Mapping[str, dict]) -> None:
    """Hits as dots with intervals, energy as diamonds, chance as a line."""
    hits = {name: tests[name]["pointing_hits"] for name in styles}
    draw_intervals(axes, hits, styles)
    energy = [tests[name]["pointing_energy"]["mean"] for name in styles]
    axes.scatter(energy, range(len(styles)), marker="D", s=22, facecolor="none", edgecolor=INK, linewidth=0.9)
    axes.axvline(0.5, color=GREY, linestyle=(0, (2, 2)), linewidth=1)
    pairs = next(iter(hits.values()))["n"]
    axes.set(title=f"two faces, {pairs:,} pairs", xlabel="on the target: peak (dot), heatmap (diamond)", xlim=(0, 1.02))
    format_as_percent(axes.xaxis)


def draw_cost(axes: Axes, cost: dict, styles: Mapping[str, dict]) -> None:
    """Milliseconds a face as bars beside those of probabilities alone and the aim; the ratio beside the name."""
    alone = cost["ms_a_face"][ALONE]["median"]
    times = [cost["ms_a_face"][name]["median"] for name in styles]
    axes.barh(range(len(times)), times, height=0.55, color=[style["color"] for style in styles.values()])
    axes.axvline(alone, color=INK, linewidth=1)
    axes.axvline(AIM * alone, color=GREY, linestyle=(0, (2, 2)), linewidth=1)
    label_rows(axes, [f"{name}  x {cost['ratio'][name]:.2f}" for name in styles])
    axes.set(title=f"ms a face, {cost['faces']} at a time", xlabel=f"line: none, dashed: x {AIM}")
    axes.set_xlim(0, 1.15 * max(*times, AIM * alone))


def draw_intervals(axes: Axes, means: Mapping[str, dict], styles: Mapping[str, dict]) -> None:
    """A row a name: the mean as a dot on its interval; the number beside the name."""
    for place, (name, mean) in enumerate(means.items()):
        colour, (low, high) = styles[name]["color"], mean["interval"]
        axes.plot([low, high], [place, place], color=colour, linewidth=2.2, solid_capstyle="butt", clip_on=False)
        axes.plot(mean["mean"], place, "o", color=colour, markersize=5, clip_on=False)
    label_rows(axes, [f"{name}  {mean['mean']:.2f}" for name, mean in means.items()])


def randomisation_sheet(results: Results) -> Figure:
    """One face: a row an explainer, columns for some of the units down to which the network was randomised."""
    randomisation, row = results.randomisation, results.randomisation.example
    image = results.faces.images[row]
    steps = np.unique(np.linspace(0, len(randomisation.units) - 1, COLUMNS - 1).round().astype(int))
    names = ["trained", *(randomisation.units[step] for step in steps)]
    images, captions = [], []
    for method in results.methods:
        maps = [results.heatmaps[method][row].cpu().numpy(), *randomisation.maps[method][steps]]
        images += [blend_resized(image, heatmap) for heatmap in maps]
        captions += [f"{method}, {name}" for name in names]
    caption = results.faces.captions()[row]
    title = f"{caption}: network randomised from its head down to the unit named; no colour: the heatmap is zero"
    return contact_sheet(images, captions, columns=len(names), side=1.25, title=title)


def pairs_sheet(results: Results, *, count: int = 6) -> Figure:
    """A column a pair of faces in one picture; under it two rows an explainer: left face as target, right face."""
    faces, pairs = results.faces, results.pairs[:count].tolist()
    names = [[faces.class_names[faces.labels[row]] for row in pair] for pair in pairs]
    side = faces.x.shape[3]
    pictures = [np.concatenate([cv2.resize(faces.images[row], (side, side)) for row in pair], axis=1) for pair in pairs]
    images, captions = list(pictures), [f"{left} | {right}" for left, right in names]
    for method in results.methods:
        for target in (0, 1):
            maps = results.pointing[method].maps[target].cpu().numpy()
            images += [blend_resized(picture, heatmap) for picture, heatmap in zip(pictures, maps, strict=False)]
            captions += [f"{method}: {pair[target]}" for pair in names]
    return contact_sheet(images, captions, columns=len(pairs), side=1.6, title="two faces: heatmaps for one of them")


def mirrored_sheet(results: Results) -> Figure:
    """Faces, and under them the heatmap of each and that of its mirror image, mirrored back, by the first explainer."""
    method, first = results.methods[0], results.faces.rows(slice(COLUMNS))
    rows = {method: results.heatmaps[method], f"{method}, mirrored": results.mirrored[method]}
    heatmaps = {name: maps[:COLUMNS].cpu().numpy() for name, maps in rows.items()}
    correlation = results.mirror_correlation(method).mean()
    title = f"faces and mirror images: mean rank correlation {correlation:.2f} over {len(results.faces):,} faces"
    return heatmap_figure(list(first.images), first.captions(), heatmaps, title=title)
