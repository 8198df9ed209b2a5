"""Randomisation keeps the values and does not change the network itself; heatmaps that depend on weights change."""

from __future__ import annotations

import numpy as np
import torch
from helpers.tiny_explained_faces import tiny_explained_faces
from torch import nn

from evaluation.explanations.parameter_randomisation import REPEATS, cascade, randomise, shuffle, units
from evaluation.explanations.similarity import rank_correlation
from models.spec import find_spec


def test_units_of_the_default_network_are_layers_and_blocks_in_order():
    names = units(find_spec("small_resnet18_w32").build(8))
    blocks = [f"stages.{stage}.{block}" for stage in range(4) for block in range(2)]
    assert names == ["stem.0", "stem.1", "stem.3", "stem.4", *blocks, "fc"]


def test_units_hold_all_parameters_once():
    network = find_spec("mobilenet_v3_small").build(8)
    held = [id(p) for name in units(network) for p in network.get_submodule(name).parameters()]
    assert sorted(held) == sorted(map(id, network.parameters()))


def test_a_shuffle_keeps_the_values():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    module[1].running_var.uniform_()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    shuffle(module, torch.Generator().manual_seed(0))
    after = module.state_dict()
    assert not torch.equal(after["0.weight"], before["0.weight"])
    for name, tensor in before.items():
        assert torch.equal(after[name].flatten().sort().values, tensor.flatten().sort().values), name


def test_a_cascade_goes_from_the_head_down_and_does_not_change_the_network():
    faces = tiny_explained_faces()
    before = {name: tensor.clone() for name, tensor in faces.network.state_dict().items()}
    stages = list(cascade(faces, ["gradcam", "attention"], seed=1))
    assert len(stages) == 2  # fc, then the convolution
    plain = faces.heatmaps(["attention"])["attention"]
    torch.testing.assert_close(stages[0]["attention"], plain)  # no class, so no head
    assert (stages[1]["attention"] - plain).abs().max() > 0.1
    assert all(torch.equal(before[name], tensor) for name, tensor in faces.network.state_dict().items())


def test_the_result_is_the_mean_over_repeats():
    faces = tiny_explained_faces(4)
    plain = faces.heatmaps(["attention"])
    found = randomise(faces, plain, seed=5)
    assert found.units == ["fc", "features.0"]
    assert found.rank_correlation["attention"].shape == found.ssim["attention"].shape == (2, 4)
    assert found.maps["attention"].shape == (2, 16, 16)
    np.testing.assert_allclose(found.rank_correlation["attention"][0], 1)
    each = [
        rank_correlation(
            plain["attention"].numpy(), list(cascade(faces, ["attention"], seed=5 + i))[-1]["attention"].numpy()
        )
        for i in range(REPEATS)
    ]
    np.testing.assert_allclose(found.rank_correlation["attention"][1], np.mean(each, axis=0))
    assert found.example == int(faces.probabilities.amax(dim=1).argmax())
