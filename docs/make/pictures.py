"""The pictures of docs/: python -m docs.make.pictures

In:  NASA's portrait of Eileen Collins (scikit-image), the sample, the shipped weights; a made-up track.
Out: frame.webp (what you see), crop.webp (where a crop lies), gradcam.webp (Grad-CAM in closed form), tracking.webp,
     in docs/pictures/.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from data.sources.sample import portrait
from docs.make.animation import PICTURES
from evaluation.sheets import blend_resized
from gradcam import PooledPass
from models.classifier import Classifier
from models.preprocess import CROP_TEMPLATE
from pipeline.crops import crop_faces, points_in_frame
from pipeline.drawing.overlay import draw
from pipeline.drawing.status_line import Status
from pipeline.run import EmotionPipeline
from pipeline.tracking import Tracker
from retinaface.face import LANDMARKS, Face
from support import UserError, atomic_write, command, run_and_exit, setting
from support.figures import BLUE, GREEN, GREY, ORANGE, SKY, VERMILION, styled

HEAD = slice(0, 400), slice(0, 400)  # rows and columns of the portrait


@dataclass(frozen=True)
class Settings:
    """Flags of `python -m docs.make.pictures`."""

    out: str = setting(str(PICTURES), "the folder to write into", metavar="FOLDER")


@styled
def frame_figure(pipeline: EmotionPipeline) -> Figure:
    """An annotated frame, and what is what in it."""
    (result,) = pipeline([portrait()[HEAD]])
    picture = draw(result, status=Status(fps=30.0, device="cpu", explainer="gradcam"))
    box = result.faces[0].box_xyxy
    figure = Figure(figsize=(7.6, 4.2))
    figure.set_layout_engine("none")  # the picture has its place between the notes
    axes = _show(figure.add_axes((0.25, 0.02, 0.53, 0.96)), picture)
    middle_x, middle_y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    notes = (  # where the line ends, where its text stands
        ("the box: where the\ndetector sees a face", (box[0], box[1] + 20), (-0.05, 0.62), "right"),
        ("the heatmap: what the\nnetwork used for the\nclass that the label names", (middle_x + 8, middle_y + 35),
         (-0.05, 0.36), "right"),
        ("the label, and the share\nof a crowd's votes that\nit would get", (box[2] + 38, box[1] - 12), (1.05, 0.88),
         "left"),
        ("the bars: one for\neach class", (box[2] + 107, middle_y), (1.05, 0.6), "left"),
        ("the status line: frames\na second, device,\nfaces, explainer", (7, 17), (-0.05, 0.93), "right"),
    )  # fmt: skip
    for text, at_xy, text_xy, side in notes:
        axes.annotate(
            text, at_xy, text_xy, textcoords="axes fraction", ha=side, va="center", fontsize=9, annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": VERMILION, "linewidth": 1},
        )  # fmt: skip
    return figure


@styled
def crop_figure(pipeline: EmotionPipeline) -> Figure:
    """A frame with the box, the landmarks and the crop's outline; the crop; the crop as the network sees it."""
    frame = portrait()[HEAD]
    face = pipeline.detect([frame])[0][0]
    size = 224
    (crop,), (matrix,) = crop_faces(frame, [face], size=size)
    grey = cv2.resize(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), (48, 48), interpolation=cv2.INTER_AREA)
    figure = Figure(figsize=(9, 3.4))
    left, middle, right = figure.subplots(1, 3)
    _show(left, frame, "frame: the box (green), the landmarks\n(blue) and the crop (orange)")
    x0, y0, x1, y1 = face.box_xyxy
    left.plot([x0, x1, x1, x0, x0], [y0, y0, y1, y1, y0], color=GREEN)
    left.scatter(*face.landmarks_xy.T, s=16, color=SKY, zorder=3)
    corners = points_in_frame(np.array([[0, 0], [size, 0], [size, size], [0, size], [0, 0]]) - 0.5, matrix)
    if corners is not None:
        left.plot(*corners.T, color=VERMILION)
    _show(middle, crop, "crop: turned, scaled and shifted so that\nthe landmarks meet the template")
    middle.scatter(*(CROP_TEMPLATE * size - 0.5).T, s=70, facecolors="none", edgecolors=VERMILION, linewidths=1.5)
    there = np.c_[face.landmarks_xy, np.ones(len(LANDMARKS))] @ matrix.T
    middle.scatter(*there.T, s=12, color=SKY)
    _show(right, grey, "what the network sees: 48 x 48, grey,\nas its training pictures")
    return figure


@styled
def gradcam_figure(pipeline: EmotionPipeline) -> Figure:
    """Activation, the weights of two classes, their heatmaps: Grad-CAM of a mean and one linear layer, by hand."""
    frame, classifier = portrait()[HEAD], Classifier.from_file(engine="onnx")
    (crop,), _ = crop_faces(frame, pipeline.detect([frame])[0][:1], size=classifier.size_hw[0])
    passed = classifier.engine.forward(crop[None])
    if not isinstance(passed, PooledPass):
        raise UserError("the shipped network does not end in a mean and one linear layer; draw another picture of it.")
    names, activation = classifier.class_names, passed.activation[0]  # (C, h, w)
    figure = Figure(figsize=(9.4, 3.9))
    rows = figure.subplots(2, 6)
    for axes, name in zip(rows, ("happiness", "anger"), strict=True):
        w = (
            passed.head[names.index(name)] / activation[0].size
        )  # (C,): the gradient of the class, the same in every cell
        strongest = np.argsort(-np.abs(w * activation.mean(axis=(1, 2))))[:3]
        _show(axes[0], crop, "the crop")
        for place, channel in zip(axes[1:4], strongest, strict=True):
            place.imshow(activation[channel], cmap="viridis")
            place.set_title(f"channel {channel}\n{w[channel] * 1000:+.1f} / 1000", fontsize=8)
        heat = np.maximum((w[:, None, None] * activation).sum(axis=0), 0)
        (enlarged,) = passed.heatmaps(names.index(name))
        axes[4].imshow(heat, cmap="turbo")
        axes[4].set_title(f"sum over {len(w)} channels,\nabove 0: {name}", fontsize=8)
        _show(axes[5], blend_resized(crop, enlarged), "enlarged, over the crop")
        for place in axes:
            place.set_title(place.get_title(loc="left"), fontsize=8)
            place.set_axis_off()
    return figure


@styled
def tracking_figure() -> Figure:
    """A face that sways, is detected with noise and is missed for half a second: what the tracker makes of it."""
    rng = np.random.default_rng(0)
    times = np.arange(0, 5, 1 / 30)
    missed = (times > 2.6) & (times < 3.1)
    true_x = 320 + 120 * np.sin(np.maximum(times - 1.2, 0) * 1.7)
    seen_x = true_x + rng.normal(scale=2.5, size=len(times))
    tracker, smooth_x, numbers = Tracker(), np.full(len(times), np.nan), set()
    for i in np.flatnonzero(~missed):
        faces, observations = tracker.update([face_at(seen_x[i])], float(times[i]))
        smooth_x[i] = faces[0].box_xyxy[[0, 2]].mean()
        numbers.add(observations[0].track.number)
    figure = Figure(figsize=(8, 3.2))
    axes = figure.add_subplot(title=f"one person, one number: {', '.join(map(str, sorted(numbers)))}")
    axes.scatter(times[~missed], seen_x[~missed], s=7, color=GREY, label="detected, frame by frame")
    axes.plot(times, smooth_x, color=BLUE, label="tracked")
    axes.axvspan(2.6, 3.1, color=ORANGE, alpha=0.15)
    axes.text(2.85, 375, "missed", ha="center", va="center")
    axes.set(xlabel="time, s", ylabel="middle of the box, pixels")
    axes.legend(loc="lower left")
    return figure


def face_at(x: float, *, side: float = 120) -> Face:
    """A face whose box has its middle at column `x`, pixels."""
    box = np.array([x - side / 2, 100, x + side / 2, 100 + side], np.float32)
    landmarks = box[:2] + CROP_TEMPLATE * side
    return Face(box, landmarks.astype(np.float32), 0.99)


def _show(axes: Axes, picture: np.ndarray, title: str = "") -> Axes:
    axes.imshow(picture, cmap=None if picture.ndim == 3 else "gray")
    axes.set_title(title, fontsize=9)
    axes.set_axis_off()
    return axes


def save_webp(figure: Figure, path: Path) -> None:
    """Save the figure as a WebP of 150 dots an inch."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150, bbox_inches="tight")
    with atomic_write(path) as temporary:
        Image.open(buffer).convert("RGB").save(temporary, format="WEBP", quality=80, method=6)


def run(settings: Settings) -> None:
    """Make all pictures."""
    pipeline = EmotionPipeline.from_files()
    figures = {
        "frame": frame_figure(pipeline),
        "crop": crop_figure(pipeline),
        "gradcam": gradcam_figure(pipeline),
        "tracking": tracking_figure(),
    }
    for name, figure in figures.items():
        save_webp(figure, Path(settings.out) / f"{name}.webp")
        print(Path(settings.out) / f"{name}.webp")
    pipeline.close()


main = command(Settings, run, prog="python -m docs.make.pictures", doc=__doc__)

if __name__ == "__main__":
    run_and_exit(main)
