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
from support import UserError


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
    # Grad-CAM: alpha = (1, 0). HiResCAM: cell by cell. Attention: sums of squares.
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
    for outside in (index + 1, index - 1):  # -1 would count from the end
        with pytest.raises(IndexError, match="0 to 3"):
            passed.heatmaps(outside, method)


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
    with pytest.raises(UserError, match="no layer 'featured'; is it one of features"):
        hooked_forward(Tiny(), "featured", X)
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


class Mixed(nn.Module):
    """Modules in several modes, a list, a layer that is not used, one used twice, one that gives a tuple, tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 3, 3, padding=1)
        self.norm = nn.BatchNorm2d(3)
        self.drop = nn.Dropout(0.5)
        self.unused = nn.Conv2d(2, 3, 3)
        self.blocks = nn.ModuleList([nn.Conv2d(3, 3, 3, padding=1), nn.Conv2d(3, 3, 3, padding=1)])
        self.twice = nn.ReLU()
        self.pair = Pair()
        self.last = Permute((0, 2, 3, 1))
        self.tokens = nn.Flatten(1, 2)
        self.grid = nn.Identity()
        self.aside = nn.Conv2d(3, 3, 1)
        self.fc = nn.Linear(3, 4)

    def forward(self, x):
        x = self.norm(self.conv(x))
        for block in self.blocks:
            x = self.twice(block(x))
        self.aside(x)
        x = self.grid(x)
        x, _ = self.pair(x)
        return self.fc(self.drop(self.tokens(self.last(x)).mean(dim=1)))


class Pair(nn.Module):
    def forward(self, x):
        return x, x.mean()


class Permute(nn.Module):
    def __init__(self, order) -> None:
        super().__init__()
        self.order = order

    def forward(self, x):
        return x.permute(self.order)


@pytest.fixture
def mixed() -> Mixed:
    torch.manual_seed(0)
    return Mixed()


@pytest.fixture
def x8() -> torch.Tensor:
    return torch.randn(2, 2, 8, 8, generator=torch.Generator().manual_seed(1))


def test_the_mode_of_each_module_is_afterwards_what_it_was(mixed, x8):
    mixed.train()
    mixed.norm.eval()  # frozen, as in a fine-tuning
    before = [module.training for module in mixed.modules()]
    hooked_forward(mixed, "conv", x8).heatmaps()
    assert [module.training for module in mixed.modules()] == before
    mixed.eval()
    mixed.drop.train()  # Monte-Carlo dropout
    hooked_forward(mixed, "conv", x8).heatmaps()
    assert [module.training for module in mixed.modules()] == [module is mixed.drop for module in mixed.modules()]


@pytest.mark.parametrize(
    ("layer", "sentence"),
    [
        ("blocks", r"blocks is not used in a forward pass \(a ModuleList"),
        ("unused", "unused is not used in a forward pass"),
        ("twice", "twice is used more than once"),
        ("pair", "pair gives a tuple, not a tensor"),
        ("last", r"last gives \(2, 8, 8, 3\) for an input of 8x8, .* channels seem to come last"),
        ("tokens", r"tokens gives \(2, 64, 3\), where a grid \(N, C, h, w\) is wanted"),
        ([], "wanted one layer or more"),
        (nn.ReLU(), "the ReLU to explain is no part of the network"),
    ],
)
def test_a_layer_that_gives_no_grid_is_refused_in_a_sentence(mixed, x8, layer, sentence):
    with pytest.raises(UserError, match=sentence):
        hooked_forward(mixed, layer, x8)
    assert all(module.training and not module._forward_hooks for module in mixed.modules())


def test_a_layer_beside_the_way_and_a_network_without_logits_are_refused(mixed, x8):
    with pytest.raises(UserError, match="does not depend on the layer"):
        hooked_forward(mixed, "aside", x8).heatmaps()
    with pytest.raises(UserError, match="the network gives a tuple, where logits"):
        hooked_forward(nn.Sequential(nn.Conv2d(2, 2, 1), Pair()), "0", x8)


def test_channels_last_and_tokens_are_explained_with_reshape(mixed, x8):
    wanted = hooked_forward(mixed, mixed.grid, x8)
    last = hooked_forward(mixed, "last", x8, reshape=lambda a: a.movedim(-1, 1))
    tokens = hooked_forward(mixed, "tokens", x8, reshape=lambda a: a.unflatten(1, (8, 8)).movedim(-1, 1))
    for method in EXPLAINERS:
        heat = wanted.heatmaps([1, 3], method)
        assert heat.amax() > 0.9
        torch.testing.assert_close(last.heatmaps([1, 3], method), heat)
        torch.testing.assert_close(tokens.heatmaps([1, 3], method), heat)


@pytest.mark.parametrize("frozen", [True, False])
def test_several_layers_give_the_mean_of_their_maps(mixed, x8, frozen):
    mixed.requires_grad_(not frozen)
    layers = ["conv", mixed.blocks[0], "blocks.1"]
    found = hooked_forward(mixed, layers, x8).heatmaps(2, "hirescam")
    alone = [hooked_forward(mixed, layer, x8).heatmaps(2, "hirescam") for layer in layers]
    torch.testing.assert_close(found, torch.stack(alone).mean(dim=0))
    with pytest.raises(UserError, match="cells for each, not 2 and 1"):
        hooked_forward(mixed, layers[:2], x8, cells=[None])


def test_a_score_of_ones_own_takes_the_place_of_the_class():
    passed = hooked_forward(Tiny(), "features", X)
    # y = y_1 - 3 y_0 has no A_0: 3.5 mean(A_1) - ... = (3 - 3) A_0 + (0.5 + 6) A_1
    np.testing.assert_allclose(passed.heatmaps(score=lambda y: y[:, 1] - 3 * y[:, 0]), [[[0, 1], [0, 0]]], atol=1e-6)
    assert torch.equal(passed.heatmaps(score=lambda y: y[:, :1]), passed.heatmaps(0))
    with pytest.raises(UserError, match="one number a row, 1 here"):
        passed.heatmaps(score=lambda y: y)
    arrays = PooledPass(np.zeros((1, 2), np.float32), X.numpy(), (2, 2), None, np.ones((2, 2), np.float32))
    with pytest.raises(UserError, match="--engine torch"):
        arrays.heatmaps(score=lambda y: y[:, 0])


@pytest.mark.parametrize("where", ["fc.weight", "conv.weight"])
def test_nan_explains_nothing(mixed, x8, where):
    mixed.get_parameter(where).data.view(-1)[0] = float("nan")
    for method in EXPLAINERS:
        with pytest.raises(UserError, match="NaN or infinity"):
            hooked_forward(mixed, "conv", x8).heatmaps(method=method)
    arrays = PooledPass(np.full((1, 2), np.nan, np.float32), X.numpy(), (2, 2), None, np.ones((2, 2), np.float32))
    with pytest.raises(UserError, match="NaN or infinity"):
        arrays.heatmaps(0)


def test_under_autocast_maps_are_float32(mixed, x8):
    wanted = hooked_forward(mixed, "conv", x8).heatmaps(1)
    with torch.autocast("cpu", torch.bfloat16):
        passed = hooked_forward(mixed, "conv", x8)
        heatmaps = passed.heatmaps(1)
    assert passed.leaf.dtype == torch.bfloat16
    assert {t.dtype for t in (passed.logits, passed.activation, heatmaps)} == {torch.float32}
    torch.testing.assert_close(heatmaps, wanted, atol=0.05, rtol=0.05)


class OnACard(torch.Tensor):
    """A tensor that numpy may not read, as none of another device."""

    def __array__(self, *_):
        raise TypeError("can't convert cuda:0 device type tensor to numpy")


def test_classes_may_be_a_tensor_of_any_device():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 3)).eval()
    passed = hooked_forward(network, "0", torch.rand(2, 1, 8, 8))
    classes = torch.tensor([2, 0])
    found = passed.heatmaps(classes.as_subclass(OnACard), "gradcam")
    np.testing.assert_array_equal(found.as_subclass(torch.Tensor), np.asarray(passed.heatmaps(classes, "gradcam")))
