"""The pictures of docs/: their numbers are the project's own."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.paths import ROOT
from PIL import Image

from docs.make import pictures
from gradcam import enlarge
from models.classifier import Classifier
from pipeline.run import EmotionPipeline


@pytest.fixture(scope="module")
def pipeline():
    pipeline = EmotionPipeline.from_files()
    yield pipeline
    pipeline.close()


def test_gradcam_by_hand_is_what_the_project_computes(pipeline):
    figure = pictures.gradcam_figure(pipeline)
    classifier = Classifier.from_file(engine="onnx")
    axes = np.array(figure.axes).reshape(2, 6)
    for row, name in zip(axes, ("happiness", "anger"), strict=True):
        crop, by_hand = (np.asarray(row[place].images[0].get_array()) for place in (0, 4))
        passed = classifier.engine.forward(crop[None])
        (wanted,) = passed.heatmaps(classifier.class_names.index(name))
        (there,) = enlarge(by_hand[None].astype(np.float32), passed.size_hw, passed.cells)
        np.testing.assert_allclose(there / there.max(), wanted, atol=2e-3)


def test_the_tracked_line_is_one_person_and_steadier_than_what_was_detected(pipeline):
    (axes,) = pictures.tracking_figure().axes
    assert axes.get_title(loc="left") == "one person, one number: 1"
    line = axes.get_lines()[0].get_ydata()
    dots = axes.collections[0].get_offsets()[:, 1]
    rest = slice(5, 30)  # the first second, at rest
    assert np.std(line[rest]) < 0.6 * np.std(dots[rest])


@pytest.mark.thorough
def test_the_command_makes_the_files_that_docs_holds(tmp_path, capsys):
    assert pictures.main(["--out", str(tmp_path)]) == 0
    for name in ("frame", "crop", "gradcam", "tracking"):
        with Image.open(tmp_path / f"{name}.webp") as made, Image.open(ROOT / f"docs/pictures/{name}.webp") as kept:
            assert made.width == pytest.approx(kept.width, rel=0.05)  # other versions of matplotlib set text otherwise
