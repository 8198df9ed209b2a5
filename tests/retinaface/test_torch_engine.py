"""The detector in torch."""

from __future__ import annotations

import numpy as np
import torch

from retinaface.anchors import anchors_for
from retinaface.network import RetinaFaceNetwork, to_input
from retinaface.torch_engine import TorchEngine


def test_arrays_of_every_anchor_and_the_face_class_as_the_score(rng):
    torch.manual_seed(0)
    network = RetinaFaceNetwork()
    engine = TorchEngine(network)
    frames = rng.integers(0, 256, (2, 50, 70, 3), dtype=np.uint8)
    scores, boxes, landmarks = engine(frames)
    anchors = len(anchors_for((50, 70)))
    assert (scores.shape, boxes.shape, landmarks.shape) == ((2, anchors), (2, anchors, 4), (2, anchors, 10))
    logits = network(to_input(torch.from_numpy(frames)))[0].numpy()
    np.testing.assert_allclose(scores, 1 / (1 + np.exp(logits[..., 0] - logits[..., 1])), rtol=1e-4)
    assert not network.training
    assert not any(p.requires_grad for p in network.parameters())
