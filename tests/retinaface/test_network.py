"""The detector's network: shapes, size, what its numbers mean."""

from __future__ import annotations

import pytest
import torch

from retinaface.anchors import ANCHORS, STRIDES, anchors_for
from retinaface.network import HEAD, NUMBERS, PYRAMID, STAGES, STEM, Head, RetinaFaceNetwork


@pytest.mark.parametrize("size_hw", [(64, 64), (65, 97), (31, 200)])
def test_one_answer_for_each_anchor_at_any_size(size_hw):
    outputs = RetinaFaceNetwork().eval()(torch.zeros(2, 3, *size_hw))
    anchors = len(anchors_for(size_hw))
    assert [tuple(output.shape) for output in outputs] == [(2, anchors), (2, anchors, 4), (2, anchors, 5, 2)]


def test_it_has_as_many_parameters_as_its_table_says():
    def separable(inputs: int, outputs: int) -> int:  # both convolutions, and two numbers a channel for each norm
        return 9 * inputs + 2 * inputs + inputs * outputs + 2 * outputs

    count, inputs = 27 * STEM + 2 * STEM + separable(STEM, STEM), STEM
    for outputs, layers in STAGES:
        count += separable(inputs, outputs) + (layers - 1) * separable(outputs, outputs)
        inputs = outputs
    count += sum(channels * PYRAMID + PYRAMID for channels, _ in STAGES[1:])
    count += 7 * (9 * PYRAMID**2 + PYRAMID)  # three smooth, two down, two after
    head = separable(PYRAMID, HEAD) + separable(HEAD, HEAD) + 9 * HEAD * sum(NUMBERS) + sum(NUMBERS) + 1
    count += len(STRIDES) * head
    assert sum(p.numel() for p in RetinaFaceNetwork().parameters()) == count


def test_every_parameter_learns():
    network = RetinaFaceNetwork()
    sum(output.square().sum() for output in network(torch.randn(2, 3, 64, 64))).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


def test_distances_and_steps_are_decoded_around_the_place_by_hand():
    torch.manual_seed(0)
    head = Head(16).eval()
    level = torch.randn(2, PYRAMID, 3, 5)
    with torch.no_grad():
        head.scale.fill_(1.5)
        numbers = head.out(head.tower(level))
        logits, boxes, landmarks = head(level)
    for row, column, anchor in ((0, 0, 0), (2, 4, 1), (1, 3, 0)):
        at = (row * 5 + column) * ANCHORS + anchor
        own = numbers[1, :, row, column]
        left, top, right, bottom = (16 * 1.5 * own[ANCHORS + 4 * anchor :][:4]).tolist()
        x, y = 16 * column, 16 * row
        assert logits[1, at].item() == pytest.approx(own[anchor].item(), rel=1e-5)
        assert boxes[1, at].tolist() == pytest.approx([x - left, y - top, x + right, y + bottom], rel=1e-4, abs=1e-3)
        steps = own[ANCHORS * 5 + 10 * anchor :][:10].reshape(5, 2)
        torch.testing.assert_close(landmarks[1, at], 16 * steps + torch.tensor([x, y]), rtol=1e-4, atol=1e-3)


def test_what_moves_by_a_stride_is_found_a_stride_further():
    torch.manual_seed(0)
    head = Head(8).eval()
    level = torch.zeros(2, PYRAMID, 16, 16)
    level[0, :, 6:9, 5:8] = level[1, :, 6:9, 8:11] = torch.randn(PYRAMID, 3, 3)
    with torch.no_grad():
        logits, boxes, landmarks = (values.unflatten(1, (16, 16, ANCHORS)) for values in head(level))
    here, there = (slice(4, 11), slice(3, 10)), (slice(4, 11), slice(6, 13))
    torch.testing.assert_close(logits[0][here], logits[1][there])
    torch.testing.assert_close(boxes[0][here] + torch.tensor([24.0, 0, 24, 0]), boxes[1][there])
    torch.testing.assert_close(landmarks[0][here] + torch.tensor([24.0, 0]), landmarks[1][there])


def test_pixels_are_centred_and_stay_rgb():
    frame = torch.tensor([[[[0, 100, 255]]]], dtype=torch.uint8)
    assert RetinaFaceNetwork.to_input(frame)[0, :, 0, 0].tolist() == [-127.5, -27.5, 127.5]
