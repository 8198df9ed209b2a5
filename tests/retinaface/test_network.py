"""The detector's network: shapes, size, names."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from retinaface.anchors import anchors_for
from retinaface.network import RetinaFaceNetwork, to_input, with_folded_norms


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


def test_folded_norms_change_no_answer():
    torch.manual_seed(0)
    network = RetinaFaceNetwork().eval()
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:  # as after training: none of them does nothing
        for values, low, high in ((norm.weight, 0.5, 1.5), (norm.bias, -1, 1), (norm.running_mean, -1, 1),
                                  (norm.running_var, 0.5, 2)):  # fmt: skip
            nn.init.uniform_(values, low, high)
    folded = with_folded_norms(copy.deepcopy(network))
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    x = torch.randn(1, 3, 64, 64)
    for answer, expected in zip(folded(x), network(x), strict=True):
        torch.testing.assert_close(answer, expected, rtol=1e-4, atol=1e-4)
