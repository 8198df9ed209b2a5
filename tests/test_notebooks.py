"""The notebooks: without outputs, without logic of their own, and running as they are on the sample data."""

from __future__ import annotations

import ast
import importlib
import json
import sys

import numpy as np
import pytest
from helpers.films import moving, write_film
from helpers.paths import ROOT
from helpers.tiny_sets import make_image_folder
from matplotlib.figure import Figure

from data.datasets import load_faces
from models.classifier import Classifier
from support import UserError

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
LOGIC = (ast.FunctionDef, ast.ClassDef, ast.Lambda, ast.If, ast.For, ast.While, ast.Try)
SMALL = {"FRAMES": 4, "FACES": 2, "STEPS": 3, "EPOCHS": 3}  # parameters that only cost time


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """What the notebooks leave for each other: the drawn faces, the network that has learned them."""
    return tmp_path_factory.mktemp("runs")


@pytest.fixture
def notebooks(runs, tmp_path, monkeypatch):
    """A folder to run in as in notebooks/."""
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "runs").symlink_to(runs)
    monkeypatch.chdir(tmp_path / "notebooks")
    monkeypatch.setattr(sys, "path", [str(ROOT / "notebooks"), *sys.path])


def code_cells(path) -> list[dict]:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


def python_of(cell) -> str:
    """The cell's code without IPython's own commands."""
    return "".join(line for line in cell["source"] if not line.startswith("%"))


def run_cell(source: str, names: dict) -> object:
    """Run the cell among `names` and return the value of its last line, as Jupyter shows it; None where it has none."""
    body = ast.parse(source).body
    last = body[-1]
    exec(compile(ast.Module(body[:-1] if isinstance(last, ast.Expr) else body, []), "cell", "exec"), names)
    return eval(compile(ast.Expression(last.value), "cell", "eval"), names) if isinstance(last, ast.Expr) else None


def test_there_are_four():
    assert [path.stem for path in NOTEBOOKS] == ["01_data", "02_evaluation", "03_gradcam", "04_video"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_stripped_one_parameter_cell_and_no_logic(path):
    cells = code_cells(path)
    assert not any(cell["outputs"] or cell["execution_count"] for cell in cells)
    assert [cell["metadata"].get("tags") for cell in cells] == [["parameters"]] + [None] * (len(cells) - 1)
    assert all(isinstance(line, ast.Assign) for line in ast.parse(python_of(cells[0])).body)
    for cell in cells:
        found = [node for node in ast.walk(ast.parse(python_of(cell))) if isinstance(node, LOGIC)]
        assert not found, f"{path.name} decides something itself; a function in evaluation/ should"


@pytest.mark.thorough
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs_out_of_the_box(path, notebooks, tmp_path, capsys):
    parameters, *others = code_cells(path)
    names: dict = {}
    run_cell(python_of(parameters), names)
    names |= {name: value for name, value in SMALL.items() if name in names}
    shown = [run_cell(python_of(cell), names) for cell in others]
    figures = [value for value in shown if isinstance(value, Figure)]
    assert len(figures) >= 2
    for figure in figures:
        figure.savefig(tmp_path / "figure.png", dpi=40)


def run_notebook(name: str, *, cells: int, **parameters: object) -> dict:
    """The names after the first `cells` code cells of a notebook with other parameters."""
    first, *others = code_cells(ROOT / "notebooks" / f"{name}.ipynb")[:cells]
    names: dict = {}
    run_cell(python_of(first), names)
    assert names.keys() >= parameters.keys()
    names |= parameters
    for cell in others:
        run_cell(python_of(cell), names)
    return names


def test_pictures_with_a_fault_are_listed_and_left_out(notebooks, tmp_path, rng, capsys):
    folder = make_image_folder(tmp_path / "data", {"happy": 20, "sad": 20})
    broken = next(path for path in sorted(folder.rglob("*.*")) if path.is_file())
    broken.write_bytes(b"no picture")
    splits = run_notebook("01_data", cells=5, DATA_PATH=str(folder))["splits"]
    assert broken.name in capsys.readouterr().out
    assert sum(map(len, splits.values())) == 39


def test_a_short_film_is_shown_too(notebooks, tmp_path):
    film = write_film(tmp_path / "short.mp4", moving(6))
    names = run_notebook("04_video", cells=4, SOURCE=str(film), FRAMES=80)
    assert len(names["results"]) == len(names["pictures"]) == 6


def test_nobody_is_followed_through_several_films(notebooks, tmp_path):
    drawn = importlib.import_module("drawn")
    (tmp_path / "films").mkdir()
    write_film(tmp_path / "films" / "a.mp4", moving(3))
    frames, pipeline = drawn.frames_and_pipeline(str(tmp_path / "films"), None, count=2)
    pipeline.close()
    assert len(frames) == 2
    write_film(tmp_path / "films" / "b.mp4", moving(3))
    with pytest.raises(UserError, match="several films"):
        drawn.frames_and_pipeline(str(tmp_path / "films"), None, count=2)


def test_a_network_that_is_there_is_taken_and_that_is_said(tmp_path, notebooks, monkeypatch, capsys):
    drawn = importlib.import_module("drawn")
    monkeypatch.setattr(drawn, "NETWORK", str(tmp_path))
    (tmp_path / "best.onnx").touch()
    assert drawn.drawn_network(epochs=3) == str(tmp_path / "best.safetensors")
    assert f"{tmp_path} is taken as it is" in capsys.readouterr().err


@pytest.mark.long
@pytest.mark.thorough
def test_the_drawn_network_learns_and_its_heat_lies_on_brows_eyes_and_mouth(notebooks, monkeypatch, capsys):
    drawn = importlib.import_module("drawn")  # as the notebooks do, from their folder
    monkeypatch.setattr(drawn, "NETWORK", "../runs/learned")
    folder, (weights,) = drawn.data_and_weights("", None, epochs=8)
    faces, classifier = load_faces(folder, "test"), Classifier.from_file(weights)
    prediction = classifier.forward(np.stack(list(faces.images)))
    right = prediction.probabilities.argmax(axis=1) == faces.labels
    assert right.mean() > 0.7  # after 8 epochs instead of 12; guessing gives an eighth
    shares = drawn.region_shares(prediction.heatmaps()[right])
    assert all(heat > 1.4 * area for heat, area in shares.values())
    assert sum(heat for heat, _ in shares.values()) > 0.55  # 34 % of the picture
    frames, pipeline = drawn.frames_and_pipeline("", None, count=60)
    labels = [[face.label for face in pipeline([frame.image_rgb], time_s=frame.time_s)[0].faces] for frame in frames]
    for second, wanted in ((3.3, "happiness"), (5.3, "surprise")):
        assert labels[round(second * drawn.FPS)][0] == wanted
