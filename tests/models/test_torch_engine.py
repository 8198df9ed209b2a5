"""A classifier's network in torch: prepared, explained, on its device."""

from __future__ import annotations

import numpy as np
import torch

from gradcam import explain
from models.spec import find_spec
from models.torch_engine import TorchEngine

SPEC = find_spec("face_emotion_cnn")


def test_logits_and_heat_are_those_of_the_network_and_of_explain(rng):
    torch.manual_seed(0)
    network = SPEC.build(3).eval()
    engine = TorchEngine(network, SPEC.preprocess, device="cpu", layer=SPEC.explain_layer)
    crops = rng.integers(0, 256, (4, 60, 60, 3), dtype=np.uint8)
    x = SPEC.preprocess(crops)
    np.testing.assert_allclose(engine.logits(crops), network(x).detach(), atol=1e-5)
    found = engine.explained(crops, class_index=lambda logits: logits.argmin(axis=1), method="hirescam")
    wanted = explain(network, SPEC.explain_layer, x, class_index=network(x).argmin(dim=1), method="hirescam")
    assert isinstance(found.heatmaps, np.ndarray)
    np.testing.assert_allclose(found.heatmaps, wanted.heatmaps, atol=1e-4)
    np.testing.assert_array_equal(found.class_index, wanted.class_index)
    highest = engine.explained(crops, class_index=None, method="gradcam")
    np.testing.assert_array_equal(highest.class_index, found.logits.argmax(axis=1))
    assert engine.logits(crops[:0]).shape == (0, 3)
