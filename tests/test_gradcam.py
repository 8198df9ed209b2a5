"""Explainers against hand-computed maps, an independent Grad-CAM, and two objects in one picture."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from gradcam import (
    EXPLAINERS,
    PooledPass,
    attention_map,
    blend,
    enlarge,
    grad_cam,
    grad_cam_plus_plus,
    hires_cam,
    hooked_forward,
    to_unit_range,
)
from models.spec import find_spec


class Tiny(nn.Module):
    """Two channels, a mean over the grid, a linear layer: small enough to do by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Identity()
        self.fc = nn.Linear(2, 2, bias=False)
        self.fc.weight.data = torch.tensor([[1.0, -2.0], [3.0, 0.5]])

    def forward(self, x):
        return self.fc(self.features(x).mean(dim=(2, 3)))


X = torch.tensor([[[[1.0, 0.0], [2.0, 0.0]], [[0.0, 1.0], [0.0, 0.0]]]])  # (1, 2, 2, 2)


def test_grad_cam_by_hand():
    # y_0 = mean(A_0) - 2 mean(A_1), so alpha = (1/4, -1/2) and L = ReLU(A_0 / 4 - A_1 / 2) = [[.25, 0], [.5, 0]]
    found = hooked_forward(Tiny(), "features", X)
    np.testing.assert_allclose(found.logits, [[0.75 - 0.5, 2.25 + 0.125]])
    np.testing.assert_allclose(found.heatmaps(0), [[[0.5, 0], [1, 0]]])
    # y_1 = 3 mean(A_0) + mean(A_1) / 2: L = [[.75, .125], [1.5, 0]]
    np.testing.assert_allclose(found.heatmaps(1), [[[0.5, 1 / 12], [1, 0]]])
    assert torch.equal(found.heatmaps(), found.heatmaps(1))  # left out, the class is the highest logit's


def test_the_maps_by_hand():
    activation = torch.tensor([[[[1.0, 2.0]], [[3.0, 0.0]]]])  # (1, 2, 1, 2)
    gradient = torch.tensor([[[[2.0, 0.0]], [[-1.0, 1.0]]]])
    # Grad-CAM: alpha = (1, 0). HiRes-CAM: cell by cell. Attention: sums of squares.
    assert grad_cam(activation, gradient).tolist() == [[[1.0, 2.0]]]
    assert hires_cam(activation, gradient).tolist() == [[[0.0, 0.0]]]
    assert attention_map(activation, gradient).tolist() == [[[10.0, 4.0]]]
    # Grad-CAM++: sum A = (3, 3). Channel 0: alpha = 4 / (8 + 3 * 8) = 1/8 at the first cell, weight 1/8 * 2 = 1/4.
    # Channel 1: only the positive gradient counts: alpha = 1 / (2 + 3) = 1/5, weight 1/5.
    np.testing.assert_allclose(grad_cam_plus_plus(activation, gradient), [[[0.25 + 0.6, 0.5]]], rtol=1e-5)


def textbook_grad_cam(network, layer, x, index):
    """Grad-CAM of one picture, with a backward hook and explicit loops: nothing shared with gradcam.py."""
    store = {}
    handles = [
        network.get_submodule(layer).register_forward_hook(lambda m, i, o: store.update(a=o)),
        network.get_submodule(layer).register_full_backward_hook(lambda m, i, o: store.update(g=o[0])),
    ]
    network.zero_grad()
    network(x)[0, index].backward()
    for handle in handles:
        handle.remove()
    heat = torch.zeros(store["a"].shape[-2:])
    for channel, slope in zip(store["a"][0], store["g"][0], strict=True):
        heat += slope.mean() * channel
    heat = heat.relu() / heat.relu().max().clamp(min=1e-12)
    return F.interpolate(heat[None, None], x.shape[-2:], mode="bilinear")[0, 0].detach()


@pytest.mark.parametrize("layer", ["stages.3", "stages.2", "stages.1"])
def test_a_batch_equals_a_textbook_implementation_one_by_one(layer):
    torch.manual_seed(0)
    network = find_spec("small_resnet18_w32").build(5).eval()
    for block in network.modules():  # blocks start as their shortcut; give them something to say
        if hasattr(block, "bn2"):
            nn.init.ones_(block.bn2.weight)
    x = torch.randn(4, 1, 48, 48)
    classes = torch.tensor([0, 3, 4, 1])
    found = hooked_forward(network, layer, x)
    heatmaps = found.heatmaps(classes)
    torch.testing.assert_close(found.logits, network(x).detach(), rtol=1e-4, atol=1e-5)
    assert heatmaps.amax(dim=(1, 2)).sum() > 0
    for row in range(4):
        expected = textbook_grad_cam(network, layer, x[row : row + 1], int(classes[row]))
        torch.testing.assert_close(heatmaps[row], expected, rtol=1e-3, atol=1e-4)


class TwoObjects(nn.Module):
    """Class 0 is how much red there is, class 1 how much green: found by two fixed colour filters."""

    def __init__(self) -> None:
        super().__init__()
        self.colours = nn.Conv2d(3, 2, 5, padding=2, bias=False)
        self.colours.weight.data.zero_()
        self.colours.weight.data[0, 0] = self.colours.weight.data[1, 1] = 1 / 25
        self.fc = nn.Linear(2, 2, bias=False)
        self.fc.weight.data = torch.tensor([[1.0, -0.3], [-0.3, 1.0]])

    def forward(self, x):
        return self.fc(self.colours(x).relu().mean(dim=(2, 3)))


@pytest.mark.parametrize("method", ["gradcam", "gradcam++", "hirescam"])
def test_two_objects_the_map_of_each_class_peaks_on_its_own(method):
    x = torch.zeros(1, 3, 40, 40)
    x[0, 0, 4:14, 4:14] = 1  # a red square at the top left
    x[0, 1, 24:36, 22:34] = 1  # a green one at the bottom right
    passed = hooked_forward(TwoObjects(), "colours", x)
    red, green = (passed.heatmaps(class_index, method)[0] for class_index in (0, 1))
    peaks = [divmod(int(heat.argmax()), 40) for heat in (red, green)]
    assert all(4 <= v < 14 for v in peaks[0])
    assert 24 <= peaks[1][0] < 36
    assert 22 <= peaks[1][1] < 34
    assert np.corrcoef(red.flatten(), green.flatten())[0, 1] < 0.1


@pytest.mark.parametrize("method", EXPLAINERS)
@pytest.mark.parametrize("frozen", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_the_network_is_afterwards_what_it_was(method, frozen, training):
    network = find_spec("small_resnet18_w32").build(3).train(training).requires_grad_(not frozen)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    heatmaps = hooked_forward(network, "stages.3", torch.randn(2, 1, 48, 48)).heatmaps(method=method)
    assert heatmaps.shape == (2, 48, 48)
    assert not heatmaps.requires_grad
    assert (heatmaps >= 0).all()
    assert (heatmaps <= 1).all()
    assert network.training is training
    assert not network.stages[3]._forward_hooks
    assert all(p.grad is None for p in network.parameters())
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


@pytest.mark.parametrize("method", EXPLAINERS)
def test_from_arrays_without_a_backward_pass_the_same_as_by_hooks(rng, method):
    head = rng.normal(size=(4, 6)).astype(np.float32)
    network = Tiny()
    network.fc.weight.data = torch.from_numpy(head)
    activation = rng.normal(size=(5, 6, 3, 4)).astype(np.float32)
    index = np.array([3, 0, 1, 1, 2])
    wanted = hooked_forward(network, "features", torch.from_numpy(activation))
    passed = PooledPass(activation.mean(axis=(2, 3)) @ head.T, activation, (3, 4), None, head)
    heatmaps = passed.heatmaps(index, method)
    np.testing.assert_allclose(passed.logits, wanted.logits, atol=1e-6)
    np.testing.assert_allclose(heatmaps, wanted.heatmaps(index, method), atol=1e-5)
    assert heatmaps.max() > 0.9
    np.testing.assert_array_equal(passed.class_indices(), passed.logits.argmax(axis=1))
    with pytest.raises(IndexError, match="0 to 3"):
        passed.heatmaps(index + 1, method)


def test_one_pass_is_explained_for_any_class_by_any_explainer():
    network, passes = Tiny(), []
    network.register_forward_hook(lambda *_: passes.append(1))
    passed = hooked_forward(network, "features", X.repeat(2, 1, 1, 1))
    for class_index in (0, 1, [0, 1], None):
        for method in EXPLAINERS:
            expected = hooked_forward(Tiny(), "features", X.repeat(2, 1, 1, 1)).heatmaps(class_index, method)
            assert torch.equal(passed.heatmaps(class_index, method), expected)
    assert passes == [1]
    assert not passed.logits.requires_grad


def test_enlarging_is_torchs_bilinear_interpolation(rng):
    maps = rng.random((3, 6, 7), np.float32)
    wanted = F.interpolate(torch.from_numpy(maps)[:, None], (48, 50), mode="bilinear")[:, 0]
    np.testing.assert_allclose(enlarge(maps, (48, 50)), wanted, atol=1e-6)
    torch.testing.assert_close(enlarge(torch.from_numpy(maps), (48, 50)), wanted)


def test_hooks_go_also_when_the_network_fails():
    network = find_spec("small_resnet18_w32").build(3)
    with pytest.raises(RuntimeError):
        hooked_forward(network, "stages.3", torch.randn(1, 2, 48, 48))
    assert not network.stages[3]._forward_hooks
    assert network.training


def test_zero_maps_stay_zero_and_empty_batches_empty():
    assert hooked_forward(Tiny(), "features", torch.zeros(1, 2, 2, 2)).heatmaps(0).abs().sum() == 0
    found = hooked_forward(Tiny(), "features", X[:0])
    assert found.logits.shape == (0, 2)
    assert found.heatmaps().shape == (0, 2, 2)
    assert to_unit_range(torch.zeros(2, 3, 3)).sum() == 0
    assert enlarge(torch.zeros(0, 3, 3), (9, 9)).shape == (0, 9, 9)


def test_it_works_inside_inference_mode():
    network = Tiny()
    with torch.inference_mode():
        heatmaps = hooked_forward(network, "features", X.clone()).heatmaps(0)
    np.testing.assert_allclose(heatmaps, [[[0.5, 0], [1, 0]]])


def test_what_is_not_there_is_refused():
    with pytest.raises(AttributeError):
        hooked_forward(Tiny(), "nowhere", X)
    found = hooked_forward(Tiny(), "features", X)
    with pytest.raises(KeyError):
        found.heatmaps(method="lime")
    with pytest.raises(IndexError, match="0 to 1"):
        found.heatmaps(2)


def test_blend_paints_heat_only_where_it_is(rng):
    image = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    before = image.copy()
    heat = np.zeros((6, 8), np.float32)
    heat[2, 3] = 1
    painted = blend(image, heat, alpha=1.0)
    assert np.array_equal(image, before)
    changed = (painted != image).any(axis=2)
    assert changed.sum() == 1
    red, green, blue = painted[2, 3].astype(int)
    assert red > 90 > blue  # the hot end of the turbo map is dark red
    assert green < 40
    assert np.array_equal(blend(image, heat, alpha=0.0), image)
