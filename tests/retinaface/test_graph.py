"""The detector's graph: the network's numbers for frames of any size and number."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from retinaface.graph import OUTPUTS, FramesToAnchors, make_graph
from retinaface.network import RetinaFaceNetwork, to_input


@pytest.mark.parametrize("size_hw", [(64, 96), (90, 131)])
def test_what_stands_around_the_network_is_what_the_torch_engine_does(rng, size_hw):
    torch.manual_seed(0)
    network, whole = RetinaFaceNetwork().eval(), FramesToAnchors().eval()
    whole.load_state_dict(network.state_dict())
    frames = torch.from_numpy(rng.integers(0, 256, (3, *size_hw, 3), dtype=np.uint8))
    with torch.inference_mode():
        logits, boxes, landmarks = network(to_input(frames))
        for found, wanted in zip(whole(frames), (logits.softmax(-1)[..., 1], boxes, landmarks), strict=True):
            torch.testing.assert_close(found, wanted)


def test_it_names_the_networks_weights():
    graph = make_graph()
    assert graph.about["weights"] == {n: list(t.shape) for n, t in RetinaFaceNetwork().state_dict().items()}
    assert {"retinaface/network.py", "retinaface/graph.py", "support/onnx/tracing.py"} <= graph.about["sources"].keys()
    assert OUTPUTS == ("scores", "boxes", "landmarks")
