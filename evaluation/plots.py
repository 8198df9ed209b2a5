"""Figures of numbers: scores, splits of a data set, the people of a film. Pictures are in `evaluation/sheets.py`.

In:  a confusion matrix, probabilities, `scores["per_class"]`, splits of a data set, results of a film.
Out: matplotlib Figures without a window: for `support.figures.save_figure`, or the last line of a notebook's cell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from data.face_set import FaceSet
from pipeline.drawing.labels import colour_of
from pipeline.run import FrameResult
from support.emotions import EMOTIONS
from support.figures import BLUE, GREEN, GREY, INK, LIGHT_BLUE, ORANGE, PURPLE, SHADES, SKY, VERMILION, styled
from support.metrics import calibration_bins, expected_calibration_error

# Of curves, on white: the hues that the overlay gives the expressions, as far as they are legible there.
LINES = dict(zip(EMOTIONS, (GREY, INK, ORANGE, BLUE, VERMILION, GREEN, PURPLE, SKY), strict=True))
MOST_CLASSES = 16  # with numbers in the cells of a confusion matrix
MOST_ROWS = 100  # of their own height: more share it, and only some of them are named


@styled
def confusion_figure(confusion: np.ndarray, class_names: Sequence[str], *, title: str = "") -> Figure:
    """A confusion matrix (K, K) int, row = label; in each cell, and as its shade, the share of its row in per cent."""
    support = confusion.sum(axis=1)
    shares = confusion / np.maximum(support, 1)[:, None]
    side = 2.2 + 0.52 * min(len(class_names), MOST_ROWS)
    figure = Figure(figsize=(side + 0.6, side))
    axes = figure.add_subplot(title=title)
    axes.imshow(shares, cmap=SHADES, vmin=0, vmax=1)
    axes.grid(False)
    axes.spines[:].set_visible(False)
    rows = named_rows(len(class_names))
    axes.set_xticks(rows, [class_names[row] for row in rows], rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(rows, [f"{class_names[row]}  {support[row]:,}" for row in rows])
    axes.set(xlabel="predicted, % of the row", ylabel="label and its number of faces")
    if len(class_names) <= MOST_CLASSES:
        for row, column in np.argwhere(confusion):
            share = shares[row, column]
            text = f"{100 * share:.0f}" if share >= 0.005 else "<1"
            axes.text(column, row, text, ha="center", va="center", color="white" if share > 0.55 else INK)
    return figure


@styled
def reliability_figure(labels: np.ndarray, crowd: np.ndarray, label: np.ndarray, *, title: str = "") -> Figure:
    """Reliability diagram: accuracy over confidence, and a histogram of confidence, for both values of `--confidence`.

    labels: (N,) int. crowd, label: (N, K) float, the probabilities by each; only those of `label` are to say how often
    the most probable class is right. The area of a dot is proportional to the number of faces in its bin.
    """
    figure = Figure(figsize=(4.6, 5.8))
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3.4, 1))
    upper.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle=(0, (2, 2)))
    for probabilities, colour, name in ((crowd, ORANGE, "crowd's shares"), (label, BLUE, "label")):
        bins = calibration_bins(labels, probabilities)
        occupied = bins["count"] > 0
        share = bins["count"] / len(labels)
        confidence, accuracy = bins["confidence"][occupied], bins["accuracy"][occupied]
        error = 100 * expected_calibration_error(labels, probabilities)
        upper.plot(
            confidence,
            accuracy,
            color=colour,
            linewidth=1,
            marker="o",
            markersize=3,
            label=f"{name}: ECE {error:.1f} %",
        )
        upper.scatter(confidence, accuracy, s=300 * share[occupied], color=colour, linewidth=0)
        lower.stairs(share, np.linspace(0, 1, len(share) + 1), color=colour, linewidth=1.4)
    upper.legend(loc="lower right")
    upper.set(title=title, ylabel="accuracy", xlim=(0, 1.02), ylim=(0, 1.03))
    lower.set(xlabel="confidence", ylabel="share of faces", ylim=(0, None))
    for axes in (upper, lower):
        format_as_percent(axes.xaxis, axes.yaxis)
    return figure


@styled
def per_class_figure(table: Mapping[str, Mapping[str, float]], *, title: str = "") -> Figure:
    """F1 of each class that occurs as a bar, precision and recall as marks; `table` is `scores["per_class"]`."""
    table = {name: scores for name, scores in table.items() if scores["support"]}
    rows = np.arange(len(table))
    columns = {name: [scores[name] for scores in table.values()] for name in ("f1", "precision", "recall")}
    figure = Figure(figsize=(5.6, 1.5 + 0.34 * min(len(table), MOST_ROWS)))
    axes = figure.add_subplot(title=title)
    axes.barh(rows, columns["f1"], height=0.62, color=LIGHT_BLUE, label="F1")
    axes.scatter(columns["precision"], rows, marker="D", s=26, color=BLUE, label="precision", zorder=3, clip_on=False)
    axes.scatter(columns["recall"], rows, marker="o", s=34, color=VERMILION, label="recall", zorder=3, clip_on=False)
    label_rows(axes, [f"{name}  {scores['support']:,}" for name, scores in table.items()])
    axes.set(xlim=(0, 1.02), ylabel="class and its number of faces")
    axes.tick_params(axis="y", pad=8)  # room for a mark at 0
    figure.legend(loc="outside lower center", ncols=3)
    return figure


@styled
def curves_figure(curves: pd.DataFrame, *, title: str = "") -> Figure:
    """ROC and precision-recall curves of each class against all others, from a table of class, curve, x and y."""
    figure = Figure(figsize=(9, 4.4))
    names = list(dict.fromkeys(curves["class"]))
    colours = [LINES[name] for name in names] if LINES.keys() >= set(names) else list(LINES.values())
    if len(names) > MOST_CLASSES:
        title = f"{title}: the first {MOST_CLASSES} of {len(names):,} classes".removeprefix(": ")
    figure.suptitle(title, x=0.01, ha="left", fontsize=10)
    panels = (
        ("roc", "ROC", "false-positive rate", "true-positive rate"),
        ("pr", "precision and recall", "recall", "precision"),
    )
    for axes, (curve, heading, x, y) in zip(figure.subplots(1, 2), panels, strict=True):
        for index, name in enumerate(names[:MOST_CLASSES]):
            rows = curves[(curves["class"] == name) & (curves["curve"] == curve)]
            axes.plot(rows["x"], rows["y"], color=colours[index % len(colours)],
                      linestyle="-" if index < len(LINES) else "--", linewidth=1.3, label=name)  # fmt: skip
        axes.set(title=heading, xlabel=x, ylabel=y, xlim=(0, 1.01), ylim=(0, 1.02))
    if names:
        figure.legend(axes.get_lines(), names[:MOST_CLASSES], loc="outside right center")  # named: else no _other
    return figure


@styled
def class_counts_figure(splits: Mapping[str, FaceSet], *, title: str = "") -> Figure:
    """The share of each class in each split, and how far the votes agree on the label; `splits` by name."""
    names = next(iter(splits.values())).class_names
    figure = Figure(figsize=(9, 1.7 + 0.28 * min(len(names), MOST_ROWS)))
    left, right = figure.subplots(1, 2)
    height = 0.8 / len(splits)
    for place, (split, faces) in enumerate(splits.items()):
        colour = (BLUE, ORANGE, GREEN)[place]
        rows = np.arange(len(names)) - 0.4 + (place + 0.5) * height
        share = np.bincount(faces.labels, minlength=len(names)) / len(faces)
        left.barh(rows, share, height=height, color=colour, label=f"{split}  {len(faces):,}")
        agreement = np.sort(faces.votes[np.arange(len(faces)), faces.labels])[::-1]
        right.step([1, *agreement, 0], [*np.arange(len(faces) + 1) / len(faces), 1], color=colour, where="post")
    label_rows(left, names)
    left.set(title=title, xlabel="share of the split's faces")
    has_votes = any(faces.has_votes for faces in splits.values())
    right.set(title="how far the votes agree" if has_votes else "one label a face, no votes")
    right.set(xlabel="at least this share of votes is for the label", ylabel="share of faces")
    right.set(xlim=(0, 1.02), ylim=(0, 1.03))
    format_as_percent(left.xaxis, right.xaxis, right.yaxis)
    figure.legend(loc="outside lower center", ncols=len(splits))
    return figure


@styled
def film_figure(results: Sequence[FrameResult], times_s: Sequence[float]) -> Figure:
    """The probabilities of each person over time, a row a person, in the colours of the overlay; none while unseen.

    results: of each frame, by a pipeline with a tracker. times_s: of each frame, seconds, ascending.
    """
    edges_s = frame_edges(times_s)
    tracks = sorted({face.track for result in results for face in result.faces})
    names = results[0].class_names
    colours = [np.divide(colour_of(name, index), 255) for index, name in enumerate(names)]
    figure = Figure(figsize=(8, 1.2 + 1.1 * max(len(tracks), 1)))
    rows = figure.subplots(max(len(tracks), 1), 1, sharex=True, squeeze=False)[:, 0]
    for axes, track in zip(rows, tracks, strict=False):
        seen = [next((face for face in result.faces if face.track == track), None) for result in results]
        shares = [np.zeros(len(names)) if face is None else face.probabilities for face in seen]
        heights = np.transpose([*shares, shares[-1]])  # the last edge ends the last frame
        areas = axes.stackplot(edges_s, heights, step="post", colors=colours, edgecolor=GREY, linewidth=0.4)
        axes.set(ylim=(0, 1), xlim=edges_s[[0, -1]], yticks=(0, 0.5, 1), ylabel=f"person {track}")
        axes.grid(False)
        format_as_percent(axes.yaxis)
    if tracks:
        figure.legend(areas, names, loc="outside right center")
    rows[-1].set_xlabel("time, s")
    return figure


def frame_edges(times_s: Sequence[float]) -> np.ndarray:
    """(N + 1,) float64: where N >= 1 frames begin and end, half-way between two; a frame alone lasts a second."""
    first, last = np.diff(times_s)[[0, -1]] if len(times_s) > 1 else (1.0, 1.0)
    times = np.array([times_s[0] - first, *times_s, times_s[-1] + last])
    return (times[:-1] + times[1:]) / 2


def named_rows(count: int) -> range:
    """Which of `count` rows have a label: all of them, or at most `MOST_ROWS` at even distances."""
    return range(0, count, max(-(-count // MOST_ROWS), 1))


def label_rows(axes: Axes, labels: Sequence[str]) -> None:
    """Give the rows their labels, the first one on top, and draw no lines along the rows."""
    rows = named_rows(len(labels))
    axes.set_yticks(rows, [labels[row] for row in rows])
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)
    axes.spines["left"].set_visible(False)


def format_as_percent(*axes: Axis) -> None:
    """Write the shares along these axes, such as `axes.xaxis`, in per cent."""
    for axis in axes:
        axis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
