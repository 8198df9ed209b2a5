"""The network of the public weights: names, size, and how its offsets become boxes."""

from __future__ import annotations

import math

import pytest
import torch

from retinaface.anchors import anchors_for
from retinaface.mobilenet import MobileNetRetinaFace, centres, decode


@pytest.mark.parametrize("size_hw", [(64, 64), (65, 97)])
def test_one_answer_for_each_anchor_at_any_size(size_hw):
    outputs = MobileNetRetinaFace().eval()(torch.zeros(2, 3, *size_hw))
    anchors = len(anchors_for(size_hw))
    assert [tuple(output.shape) for output in outputs] == [(2, anchors), (2, anchors, 4), (2, anchors, 5, 2)]


def test_it_is_mobilenet_quarter_sized():
    # counted by hand from the layers of the paper's table; the public weights have as many
    assert sum(p.numel() for p in MobileNetRetinaFace().parameters()) == 426_608


def test_parameter_names_and_shapes_are_those_of_the_public_weights(public_weights):
    public = torch.load(public_weights, map_location="cpu", weights_only=True)
    public = {name.removeprefix("module."): tensor.shape for name, tensor in public.items()}
    assert public == {name: tensor.shape for name, tensor in MobileNetRetinaFace().state_dict().items()}


def test_rgb_becomes_bgr_less_the_mean():
    frame = torch.tensor([[[[10, 20, 30]]]], dtype=torch.uint8)  # one red-10 green-20 blue-30 pixel
    assert MobileNetRetinaFace().to_input(frame)[0, :, 0, 0].tolist() == [30 - 104, 20 - 117, 10 - 123]


def test_offsets_are_decoded_by_hand():
    offsets, steps = torch.zeros(1, 2, 3, 2, 4), torch.zeros(1, 2, 3, 2, 10)
    offsets[0, 1, 2, 1] = torch.tensor([1, -2, math.log(2) / 0.2, 0])  # an anchor of 32 pixels around 20, 12
    steps[0, 1, 2, 1, :2] = torch.tensor([5.0, -5.0])
    boxes, landmarks = decode(offsets, steps, centres(torch.zeros(1, 1, 2, 3), 8), torch.tensor([16.0, 32.0]))
    x, y = 20 + 0.1 * 32, 12 - 0.2 * 32
    torch.testing.assert_close(boxes[0, 1, 2, 1], torch.tensor([x - 32, y - 16, x + 32, y + 16]))
    torch.testing.assert_close(landmarks[0, 1, 2, 1, 0], torch.tensor([20 + 16.0, 12 - 16.0]))
    torch.testing.assert_close(boxes[0, 0, 0, 0], torch.tensor([4.0 - 8, 4 - 8, 4 + 8, 4 + 8]))
