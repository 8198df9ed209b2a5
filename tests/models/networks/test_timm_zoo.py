"""Networks of timm: what is measured on them, and one from training to an exported file."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from helpers.exported import classifier_in
from helpers.tiny_runs import make_learnable, run

from gradcam import hooked_forward
from models.checkpoint import Checkpoint
from models.classifier import Classifier
from models.engines import OnnxEngine
from models.networks import timm_zoo
from models.spec import find_spec
from support import UserError

timm = pytest.importorskip("timm", reason="timm is optional")


@pytest.mark.parametrize(
    ("name", "step", "last"),
    [
        ("timm/test_resnet", 16, (4 + 8) / 2),  # shortcuts over 2x2 means, whose middles lie half a step further
        ("timm/test_efficientnet", 16, 0),
        ("timm/mobilenetv3_small_050", 32, 0),
        ("timm/resnet10t", 32, (4 + 8 + 16) / 2),
    ],
)
def test_what_is_explained_is_the_last_grid(name, step, last):
    spec = find_spec(name)
    network = spec.build(5).eval()
    x = torch.randn(2, 3, *spec.preprocess.size_hw)
    with torch.inference_mode():
        features = network.forward_features(x)
    passed = hooked_forward(network, spec.explain_layer, x, cells=spec.cells)
    if min(features.shape[2:]) >= 6:
        torch.testing.assert_close(passed.activation, features)
    assert min(passed.activation.shape[2:]) >= 6
    assert spec.cells[1] == step
    assert 0 <= spec.cells[0] <= last
    assert passed.heatmaps(3).shape == (2, *spec.preprocess.size_hw)
    assert spec.preprocess.mean == tuple(network.pretrained_cfg["mean"])


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("timm/mobilenetv2_050", 0),  # ReLU6; as much padding on either side
        ("timm/lcnet_050", 0),  # 5x5 kernels, for whose middle cell 256 pixels are too few
        ("timm/tf_efficientnet_lite0", 1 + 2 + 4 + 8 + 16),  # TensorFlow's padding: one less on the left of even sides
        ("timm/tf_efficientnet_lite1", 1 + 2 + 4 + 8),  # 240, 120, 60, 30, and 15, which is odd
    ],
)
def test_cells_look_where_arithmetic_says(name, first):
    assert find_spec(name).cells == (first, 32)


@pytest.mark.parametrize("name", ["timm/test_vit", "timm/swin_tiny_patch4_window7_224"])
def test_networks_that_leave_their_grid_are_refused(name):
    with pytest.raises(UserError, match=r"only convolutional networks|no layer that gives a grid"):
        find_spec(name)


def test_names_and_the_missing_package_are_said_in_a_sentence(monkeypatch):
    with pytest.raises(UserError, match=r"timm has no network 'resnet181'; is it one of .*resnet18"):
        find_spec("timm/resnet181")
    with pytest.raises(UserError, match=r"timm has no network 'resnet18\.nothing'"):
        find_spec("timm/resnet18.nothing")
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(UserError, match="needs timm, which is optional: pip install timm"):
        timm_zoo.create(2, name="resnet18", pretrained=False)


@pytest.mark.thorough
def test_one_is_trained_and_explains_itself(tmp_path):
    folder = make_learnable(tmp_path / "data")
    assert run(folder, tmp_path / "run", "--model", "timm/test_resnet", "--epochs", "1") == 0
    classifier = Classifier.from_file(tmp_path / "run" / "best.safetensors")
    passed = classifier.forward(np.random.default_rng(0).integers(0, 256, (2, 60, 60, 3), dtype=np.uint8))
    assert passed.heatmaps(1).max() > 0.9


def test_its_exported_file_says_and_explains_the_same(tmp_path):
    spec = find_spec("timm/resnet10t")
    torch.manual_seed(0)
    one = Checkpoint("timm/resnet10t", tuple("abc"), spec.preprocess, spec.build(3).state_dict())
    onnx, in_torch = (classifier_in(engine, one, tmp_path) for engine in ("onnx", "torch"))
    assert isinstance(onnx.engine, OnnxEngine)
    crops = np.random.default_rng(0).integers(0, 256, (2, 60, 60, 3), dtype=np.uint8)
    found, wanted = onnx.forward(crops), in_torch.forward(crops)
    np.testing.assert_allclose(found.probabilities, wanted.probabilities, atol=1e-4)
    np.testing.assert_allclose(found.heatmaps(1), wanted.heatmaps(1), atol=1e-3)
