"""Our maps against pytorch-grad-cam's, stored by tests/vectors/make_oracle.py: five networks, two classes each."""

from __future__ import annotations

import json

import pytest
import torch
from vectors.make_oracle import CLASSES, EXPLAINED, FILE, SIDES, picture, seeded

from gradcam import EXPLAINERS, enlarge, hooked_forward
from models.spec import find_spec

MAPS = json.loads(FILE.read_text(encoding="utf-8"))["maps"]


@pytest.mark.parametrize("name", MAPS)
def test_maps_are_those_of_pytorch_grad_cam(name):
    spec = find_spec(name)
    network = seeded(spec.build(CLASSES))
    expected = {method: maps for method, maps in MAPS[name].items() if method != "classes"}
    classes = torch.tensor(MAPS[name]["classes"])
    x = picture(spec.preprocess.channels, SIDES[name]).expand(EXPLAINED, -1, -1, -1)
    assert expected.keys() <= EXPLAINERS.keys()
    passed = hooked_forward(network, spec.explain_layer, x)
    for method, maps in expected.items():
        found = passed.heatmaps(classes, method)
        torch.testing.assert_close(found, enlarge(torch.tensor(maps), x.shape[-2:]), rtol=0, atol=1e-4, msg=method)


def test_the_vectors_tell_maps_apart():
    assert len(MAPS) >= 4
    for name, maps in MAPS.items():
        first, second = torch.tensor(maps["gradcam"])
        assert (first - second).abs().max() > 0.1, f"{name}'s maps for two classes are one"
        plus_plus = torch.tensor(maps["gradcam++"][0])
        assert (first - plus_plus).abs().max() > 0.05, f"{name}'s Grad-CAM++ is its Grad-CAM"
