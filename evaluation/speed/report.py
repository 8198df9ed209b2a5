"""A benchmark as a table and as a figure: where the milliseconds go, and frames a second.

In:  the content of benchmark.json.
Out: lines of text; a matplotlib Figure, as in `evaluation/plots.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evaluation.speed.stage_times import STAGES
from support.figures import BLUE, GREEN, GREY, INK, ORANGE, PURPLE, SKY, VERMILION, YELLOW, styled

COLOURS = dict(zip(STAGES, (GREY, BLUE, SKY, GREEN, ORANGE, VERMILION, PURPLE, YELLOW), strict=True))
FLUENT_FPS = 30
SMALL = 8  # points
LEGEND: dict[str, Any] = {
    "ncols": 8, "fontsize": SMALL, "handlelength": 0.9, "handletextpad": 0.5, "columnspacing": 1.0,
}  # fmt: skip
BACKGROUND = {"facecolor": "white", "edgecolor": "none", "pad": 1}  # of numbers that a line would cross


def table(report: Mapping) -> Iterator[str]:
    """benchmark.json as lines of text: stages, live loop, processes."""
    scenes = report["scenes"]
    yield origin(report)
    yield report["show"]
    yield ""
    yield "one frame, stage after stage: ms, median / 95th percentile"
    stages = list(scenes[0]["stages_ms"])
    yield f"{'size':<10}{'faces':>6}{'detected':>10}" + "".join(f"{name:>15}" for name in [*stages, "whole frame"])
    for scene in scenes:
        cells = [*scene["stages_ms"].values(), scene["frame_ms"]]
        yield _scene(scene) + f"{_detected(scene):>10}" + "".join(f"{_median_and_p95(cell):>15}" for cell in cells)
    yield ""
    yield "the live loop; lag from frame to annotated picture under a camera that is faster; a file nobody watches"
    heads = ("frames/s", "warm-up/s", "camera", "lag p50 ms", "p95 ms", "p50 frames", "p95 frames", "lag grew ms",
             "file/s", "warm-up/s")  # fmt: skip
    compared = ("baseline fps", "ms", "times faster") if "baseline" in scenes[0] else ()
    head = "".join(f"{name:>12}" for name in heads) + "".join(f"{name:>16}" for name in compared)
    yield f"{'size':<10}{'faces':>6}" + head
    for scene in scenes:
        live, lag = scene["live"], scene["lag"]
        numbers = [live["fps"], live["warm_up_fps"], lag["camera_fps"]]
        numbers += [lag[key] for key in ("p50_ms", "p95_ms", "p50_frames", "p95_frames", "growth_ms")]
        numbers += [scene["file"]["fps"], scene["file"]["warm_up_fps"]]
        against = []
        if baseline := scene.get("baseline"):
            against = [baseline["fps"], baseline["frame_ms"]["median"], live["fps"] / baseline["fps"]]
        yield _scene(scene) + "".join(f"{n:>12.1f}" for n in numbers) + "".join(f"{n:>16.1f}" for n in against)
    yield from _process_lines(report)


def _process_lines(report: Mapping) -> Iterator[str]:
    if start := report.get("start_up"):
        yield ""
        live_s, imports_s = f"{start['live_s']:.2f} s", f"{start['imports_s']:.2f} s"
        yield f"start-up     to the end of one frame {live_s}, the first time {start['first_s']:.2f} s"
        yield f"             `import torch, cv2` alone {imports_s}: live.py takes {start['ratio']:.2f} times as long"
    if memory := report.get("memory"):
        grown = "not known" if memory["growth_mb"] is None else f"{memory['growth_mb']:+.1f} MB"
        yield f"memory       peak {memory['peak_mb']:.0f} MB over {memory['frames']} frames; since frame 100 {grown}"
    elif "memory" in report:
        yield "memory       not measured: this system has no /proc"


def _scene(scene: Mapping) -> str:
    return f"{scene['size']:<10}{scene['faces']:>6}"


def _detected(scene: Mapping) -> str:
    """How many faces were detected: "5", or "4-5" where that changed."""
    fewest, most = scene["detected"]["fewest"], scene["detected"]["most"]
    return f"{most}" if fewest == most else f"{fewest}-{most}"


def _median_and_p95(cell: Mapping) -> str:
    return " / ".join(f"{cell[key]:.{2 if cell[key] < 10 else 1}f}" for key in ("median", "p95"))


def origin(report: Mapping) -> str:
    """On what, with what and when the figures were measured, in one line."""
    about, versions = report["machine"], report["versions"]
    parts = [f"{about['usable_cores']} cores of {about['processor']}", report["engine"], report["date"][:10]]
    parts += [f"{name} {versions[name]}" for name in ("onnxruntime", "torch") if versions.get(name)]
    return ", ".join(parts)


@styled
def speed_figure(report: Mapping) -> Figure:
    """A row a scene, grouped by size: its stages one after the other, and frames a second of the live loop."""
    scenes = report["scenes"]
    places = _places([scene["size"] for scene in scenes])
    figure = Figure(figsize=(9, 1.7 + 0.42 * (places[-1] + 1)))
    stages, rates = figure.subplots(1, 2, sharey=True, width_ratios=(1.25, 1))
    _draw_stages(stages, scenes, places)
    _draw_rates(rates, scenes, places)
    stages.set_yticks(places, [f"{scene['faces']} face{'s' * (scene['faces'] != 1)}" for scene in scenes])
    stages.set_ylim(places[-1] + 0.6, -1.1)
    for axes in (stages, rates):
        axes.grid(axis="y", visible=False)
        axes.spines["left"].set_visible(False)
    figure.legend(*stages.get_legend_handles_labels(), loc="outside lower left", **LEGEND)
    figure.legend(*rates.get_legend_handles_labels(), loc="outside lower right", **LEGEND)
    figure.suptitle(origin(report), x=0.01, ha="left", fontsize=SMALL, color=INK)
    return figure


def _places(sizes: Sequence[str]) -> np.ndarray:
    """(N,) float64: the heights of the rows, with room for a heading where the size changes."""
    changes = [a != b for a, b in zip(sizes[1:], sizes, strict=False)]
    return np.cumsum([0.0, *(1.9 if change else 1.0 for change in changes)])


def _draw_stages(axes: Axes, scenes: Sequence[Mapping], places: np.ndarray) -> None:
    left = np.zeros(len(scenes))
    for stage in scenes[0]["stages_ms"]:
        width = np.array([scene["stages_ms"][stage]["median"] for scene in scenes])
        drawn = axes.barh(places, width, left=left, height=0.66, color=COLOURS[stage], label=stage)
        left += width
    axes.bar_label(drawn, [f"{total:.1f}" for total in left], padding=4, color=INK)
    for size in dict.fromkeys(scene["size"] for scene in scenes):
        first = next(place for scene, place in zip(scenes, places, strict=True) if scene["size"] == size)
        axes.annotate(size, (0, first - 0.62), xycoords=("axes fraction", "data"), va="center", weight="bold")
    axes.set(title="one frame, stage after stage: ms, medians", xlim=(0, 1.14 * left.max()))


def _draw_rates(axes: Axes, scenes: Sequence[Mapping], places: np.ndarray) -> None:
    bars = {"live.py": [scene["live"]["fps"] for scene in scenes]}
    if "baseline" in scenes[0]:
        bars["baseline loop with batch-face"] = [scene["baseline"]["fps"] for scene in scenes]
    height = 0.7 / len(bars)
    for number, (label, rates) in enumerate(bars.items()):
        rows = places + (number - (len(bars) - 1) / 2) * height
        drawn = axes.barh(rows, rates, height=0.9 * height, color=(BLUE, GREY)[number], label=label)
        texts = [f"{rate:.0f}" if rate >= 10 else f"{rate:.1f}" for rate in rates]
        axes.bar_label(drawn, texts, padding=4, fontsize=SMALL, bbox=BACKGROUND)
    axes.axvline(FLUENT_FPS, color=INK, linewidth=0.8, linestyle=(0, (3, 3)), zorder=0.9)
    axes.set(title="frames a second of the live loop", xlim=(0, 1.14 * max(bars["live.py"])))
