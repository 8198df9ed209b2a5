"""The detector in ONNX Runtime: torch's numbers, one frame or several."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from retinaface.detector import detector_graph
from retinaface.network import RetinaFaceNetwork
from retinaface.onnx_engine import OnnxEngine
from retinaface.torch_engine import TorchEngine
from support import UserError


@pytest.fixture(scope="module")
def network() -> RetinaFaceNetwork:
    """Untrained, with norms that have seen something."""
    torch.manual_seed(0)
    network = RetinaFaceNetwork()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 2)
    return network


@pytest.mark.parametrize("frames", [1, 3])
@pytest.mark.parametrize("size_hw", [(64, 96), (91, 130)])
def test_the_numbers_are_torchs(rng, network, frames, size_hw):
    weights = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    engine = OnnxEngine(detector_graph(), weights, threads=2, what="it")
    batch = rng.integers(0, 256, (frames, *size_hw, 3), dtype=np.uint8)
    for found, wanted in zip(engine(batch), TorchEngine(network)(batch), strict=True):
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-4)


def test_half_a_network_is_refused(network):
    weights = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    weights.pop("body.stage1.0.0.weight")
    with pytest.raises(UserError, match=r"it does not fit .*1 missing \(body\.stage1\.0\.0\.weight\)"):
        OnnxEngine(detector_graph(), weights, threads=1, what="it")
