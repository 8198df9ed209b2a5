"""docs/extending.md: each example is taken from the page, put where the page says, and used."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from typing import Any

import cv2
import numpy as np
import pytest
from helpers.paths import ROOT
from helpers.tiny_runs import FLAGS, make_learnable, run

import data.datasets
import data.sources
import gradcam
from data.cartoon_faces import random_cartoon
from models import networks
from models.cells import measure_cells
from models.classifier import Classifier
from models.spec import all_specs

TEXT = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^`(\S+\.py)`\n\n```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL))
SNIPPETS = [code for code in re.findall(r"^```python\n(.*?)^```", TEXT, re.M | re.S) if code not in FILES.values()]


@pytest.fixture
def add(tmp_path, monkeypatch):
    """Put a file of the page into its package, as if it lay in its folder."""

    def put(name: str, package) -> None:
        (tmp_path / "added").mkdir()
        path = tmp_path / "added" / name.rpartition("/")[2]
        path.write_text(FILES[name])
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(path.parent)])
        monkeypatch.delitem(sys.modules, f"{package.__name__}.{path.stem}", raising=False)

    yield put
    all_specs.cache_clear()
    data.datasets.all_formats.cache_clear()


def test_the_page_has_four_examples():
    assert [name.rpartition("/")[0] for name in FILES] == ["models/networks", "data/datasets", "data/sources"]
    assert len(SNIPPETS) == 1


@pytest.mark.thorough
def test_they_pass_what_make_check_runs(tmp_path):
    pytest.importorskip("mypy")
    paths = [tmp_path / name.rpartition("/")[2] for name in [*FILES, "explainer.py"]]
    explainer = f'"""An explainer."""\n\nfrom gradcam import Array\n\n\n{SNIPPETS[0]}'
    for path, text in zip(paths, [*FILES.values(), explainer], strict=True):
        path.write_text(text, encoding="utf-8")
    for tool in (["ruff", "check", "--config=pyproject.toml"], ["mypy"]):  # `ruff format` knows the page itself
        command = [sys.executable, "-m", *tool, *paths]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_network(add, tmp_path):
    add("models/networks/three_convolutions.py", networks)
    all_specs.cache_clear()
    spec = all_specs()["three_convolutions"]
    assert measure_cells(spec.build(2), spec.explain_layer, channels=1, side=48) == spec.cells
    folder = make_learnable(tmp_path / "data")
    flags = [*FLAGS, "--epochs", "1", "--model", "three_convolutions", "--no-progressive-resizing"]
    assert run(folder, tmp_path / "run", *flags, export=True) == 0
    crop = np.zeros((1, 48, 48, 3), np.uint8)
    ours, torchs = (Classifier.from_file(tmp_path / "run" / "best.safetensors", engine=e) for e in ("onnx", "torch"))
    np.testing.assert_allclose(ours.probabilities(crop), torchs.probabilities(crop), atol=1e-4)
    assert ours.forward(crop).heatmaps().shape == (1, 48, 48)


def test_a_data_set(add, tmp_path, rng):
    add("data/datasets/named_pictures.py", data.datasets)
    data.datasets.all_formats.cache_clear()
    folder = tmp_path / "data"
    folder.mkdir()
    for person in range(12):
        for expression in ("happiness", "anger"):
            picture = random_cartoon(expression, rng)
            cv2.imwrite(str(folder / f"{expression}_p{person}_{person}.png"), picture)
    (folder / "._anger_p0_0.png").write_bytes(b"what a Mac leaves")
    assert data.datasets.find_format(folder).NAME == "named_pictures"
    splits = {split: data.datasets.load_faces(folder, split) for split in ("train", "validation", "test")}
    people = [set(faces.persons) for faces in splits.values()]
    assert sum(map(len, people)) == len(set.union(*people)) == 12
    assert sum(map(len, splits.values())) == 24
    for faces in splits.values():
        for name, label in zip(faces.names, faces.labels, strict=True):
            assert name.startswith(faces.class_names[label])


def test_an_explainer(monkeypatch, rng):
    names: dict = {"Array": Any}
    exec(SNIPPETS[0], names)
    monkeypatch.setitem(gradcam.EXPLAINERS, "layercam", names["layer_cam"])
    crops = np.stack([random_cartoon("happiness", rng) for _ in range(2)])
    prediction = Classifier.from_file(engine="onnx").forward(crops)
    passed: Any = prediction._passed
    index = prediction.probabilities.argmax(axis=1)
    weights = np.maximum(passed.head[index] / passed.activation[0, 0].size, 0)  # (N, C)
    wanted = np.einsum("nc,nchw->nhw", weights, passed.activation)
    (found,) = [prediction.heatmaps(index, "layercam")]
    low = gradcam.enlarge(np.maximum(wanted, 0).astype(np.float32), passed.size_hw, passed.cells)
    np.testing.assert_allclose(found, low / low.max(axis=(1, 2), keepdims=True), atol=1e-4)


def test_a_frame_source(add, tmp_path, monkeypatch):
    add("data/sources/test_card.py", data.sources)
    (wanted,) = re.findall(r"`(from data\.sources\.test_card import .*?)`", TEXT)
    (row,) = re.findall(r'`("testcard": SourceKind\(.*?\),)`', TEXT)
    code = (ROOT / "data" / "sources" / "open_source.py").read_text(encoding="utf-8")
    for new, place in ((wanted, "from support import "), (f"    {row}", '    "film": SourceKind(lambda name: True')):
        before, found, after = code.partition(place)
        code = f"{before}{new}\n{found}{after}"
        assert found
    (tmp_path / "added" / "open_source_and_card.py").write_text(code, encoding="utf-8")
    monkeypatch.delitem(sys.modules, "data.sources.open_source_and_card", raising=False)
    with importlib.import_module("data.sources.open_source_and_card").open_source("testcard", max_frames=4) as source:
        frames = list(source)
    assert [frame.image_rgb[0, 0, 0] for frame in frames] == [0, 20, 40, 60]
    assert [frame.time_s for frame in frames] == pytest.approx([0, 0.1, 0.2, 0.3])
