"""The detector's network: shapes, size, names."""

from __future__ import annotations

import pytest
import torch

from retinaface.anchors import anchors_for
from retinaface.network import RetinaFaceNetwork, to_input


@pytest.mark.parametrize("size_hw", [(64, 64), (65, 97), (31, 200)])
def test_one_answer_for_each_anchor_at_any_size(size_hw):
    outputs = RetinaFaceNetwork().eval()(torch.zeros(2, 3, *size_hw))
    anchors = len(anchors_for(size_hw))
    assert [tuple(output.shape) for output in outputs] == [(2, anchors, numbers) for numbers in (2, 4, 10)]


def test_it_is_mobilenet_quarter_sized():
    # counted by hand from the layers of the paper's table; the public weights have as many
    assert sum(p.numel() for p in RetinaFaceNetwork().parameters()) == 426_608


def test_parameter_names_and_shapes_are_those_of_the_public_weights(public_weights):
    public = torch.load(public_weights, map_location="cpu", weights_only=True)
    public = {name.removeprefix("module."): tensor.shape for name, tensor in public.items()}
    assert public == {name: tensor.shape for name, tensor in RetinaFaceNetwork().state_dict().items()}


def test_every_parameter_learns():
    network = RetinaFaceNetwork()
    sum(output.square().sum() for output in network(torch.randn(2, 3, 64, 64))).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


def test_to_input_turns_rgb_into_bgr_and_subtracts_the_mean():
    frame = torch.tensor([[[[10, 20, 30]]]], dtype=torch.uint8)  # one red-10 green-20 blue-30 pixel
    assert to_input(frame)[0, :, 0, 0].tolist() == [30 - 104, 20 - 117, 10 - 123]
