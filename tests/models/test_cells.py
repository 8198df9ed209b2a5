"""Where the cells of every network's explained layer look: measured on the network, and used by the heatmaps."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gradcam import enlarge, hooked_forward
from models.cells import check_side, find_grid, measure_cells, takes
from models.checkpoint import SHIPPED, load_checkpoint
from models.classifier import Classifier
from models.spec import find_spec, model_names
from support import UserError

STARTS_SOMEWHERE = {"deep_emotion"}  # its transformer is the identity at the start

LARGEST = {"residual_masking", "resnet152", "vgg19_bn"}  # seconds
LARGER_SIDES = {"inception_v3": 512}  # of 256 pixels it makes 6 cells, whose middle one sees the edge


class SeenError(Exception):
    """The layer has spoken; what lies above need not be computed, nor fit the size."""


def evened(name: str) -> nn.Module:
    """The network with the same geometry and no preferences: every window is averaged, nothing is gated."""
    with torch.device("cpu" if name in STARTS_SOMEWHERE else "meta"):  # drawing weights takes longer than all the rest
        network = find_spec(name).build(3)
    if name not in STARTS_SOMEWHERE:
        network = network.to_empty(device="cpu")
    for path, module in list(network.named_modules()):
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            module.weight.data.fill_(1 / module.weight[0].numel())
            if module.bias is not None:
                module.bias.data.zero_()
        elif isinstance(module, nn.Linear) and name not in STARTS_SOMEWHERE:  # of attention
            nn.init.zeros_(module.weight)
            nn.init.zeros_(module.bias)
        elif isinstance(module, (nn.BatchNorm2d, nn.BatchNorm1d)):
            module.reset_parameters()
        elif isinstance(module, nn.MaxPool2d):
            mean = nn.AvgPool2d(module.kernel_size, module.stride, module.padding, module.ceil_mode)
            network.set_submodule(path, mean)
        elif type(module).__name__ == "SqueezeExcitation":
            network.set_submodule(path, nn.Identity())
    return network.eval()


def middle_seen(network: nn.Module, layer: str, x: Tensor) -> tuple[int, float]:
    """The cell in the middle of a row of the layer, and the pixel in the middle of what it sees."""
    seen = []

    def stop(module, inputs, output):
        seen.append(output)
        raise SeenError

    network.get_submodule(layer).register_forward_hook(stop)
    with pytest.raises(SeenError):
        network(x)
    cell = seen[0].shape[-1] // 2
    (slope,) = torch.autograd.grad(seen[0][0, :, cell, cell].sum(), x)
    weight = slope.abs().sum(dim=(0, 1, 2)).double()  # by column
    return cell, float((weight * torch.arange(len(weight))).sum() / weight.sum())


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.thorough) if name in LARGEST else name for name in model_names()],
)
def test_the_middle_cell_looks_where_the_spec_says(name):
    spec = find_spec(name)
    first, step = spec.cells
    side = spec.preprocess.size_hw[0] if spec.fixed_size else LARGER_SIDES.get(name, 256)  # the edges are far
    noise = torch.rand(1, spec.preprocess.channels, side, side, generator=torch.Generator().manual_seed(0))
    x = (1 + noise / 100).requires_grad_()  # maxima that are not modules find no ties
    cell, middle = middle_seen(evened(name), spec.explain_layer, x)
    assert middle == pytest.approx(first + cell * step, abs=step / 8)


@pytest.mark.parametrize("name", ["small_resnet18_w32", "alexnet", "mobilenet_v3_small", "face_emotion_cnn"])
def test_measured_cells_are_those_of_the_spec(name):
    spec = find_spec(name)
    network = spec.build(3)
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    side = spec.preprocess.size_hw[0]
    first, step = measure_cells(network, spec.explain_layer, channels=spec.preprocess.channels, side=side)
    assert step == spec.cells[1]
    assert first == pytest.approx(spec.cells[0], abs=step / 16)
    assert all(torch.equal(before[key], tensor) for key, tensor in network.state_dict().items())


def strange(*layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(1, 4, 3, 2, 1), nn.ReLU(), *layers)


def test_the_grid_to_explain_is_the_last_one_that_is_fine_enough():
    pooled = strange(nn.Conv2d(4, 4, 3, 2, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    assert find_grid(pooled, torch.zeros(2, 1, 24, 24)) == "2"
    assert find_grid(pooled, torch.zeros(2, 1, 20, 20)) == "1"  # 10 cells there, 5 above
    assert not any(module._forward_hooks for module in pooled.modules())
    nested = nn.Sequential(strange(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    assert find_grid(nested, torch.zeros(2, 1, 24, 24)) == "0"
    with pytest.raises(UserError, match="no layer that gives a grid"):
        find_grid(pooled, torch.zeros(2, 1, 8, 8))


@pytest.mark.parametrize("above", [nn.Flatten(2), nn.Unflatten(1, (2, 2))])
def test_tokens_above_the_grid_are_refused(above):
    with pytest.raises(UserError, match="only convolutional networks, which keep their grid"):
        find_grid(strange(above if isinstance(above, nn.Flatten) else ChannelsLast()), torch.zeros(2, 1, 24, 24))


class ChannelsLast(nn.Module):
    def forward(self, x):
        return x.movedim(1, -1)


def test_a_network_of_one_size_is_measured_at_its_own():
    class Fixed(nn.Sequential):
        def forward(self, x):
            assert x.shape[-1] == 32
            return super().forward(x)

    network = Fixed(nn.Conv2d(1, 1, 4, 4))
    assert measure_cells(network, "0", channels=1, side=32) == (1.5, 4)
    assert takes(lambda: network, 1, 32)
    assert not takes(lambda: network, 1, 24)


def test_standardised_kernels_and_norms_are_measured_too():
    class StdConv2d(nn.Conv2d):
        def forward(self, x):
            weight = (self.weight - self.weight.mean()) / (self.weight.std() + 1e-6)
            return torch.nn.functional.conv2d(x, weight, None, self.stride, self.padding)

    network = nn.Sequential(StdConv2d(1, 64, 3, 2, 1), nn.GroupNorm(1, 64), nn.ReLU(), StdConv2d(64, 64, 2, 2))
    first, step = measure_cells(network, "3", channels=1, side=32)
    assert step == 4  # cell i looks at pixels 2 (2 i) and 2 (2 i + 1)
    assert first == pytest.approx(1, abs=0.5)


def test_what_skips_add_up_to_is_not_cut_off():
    class Eightfold(nn.Module):
        def forward(self, x):
            return 8 * x

    network = nn.Sequential(nn.Conv2d(1, 1, 3, 2, 1), Eightfold(), nn.ReLU6(), nn.Conv2d(1, 1, 3, 2, 1))
    assert measure_cells(network, "3", channels=1, side=32) == (0, 4)


def test_cells_that_no_gradient_reaches_are_refused():
    network = nn.Sequential(nn.Conv2d(1, 1, 3, 2, 1), nn.Threshold(5, 0))
    with pytest.raises(UserError, match="where the cells of 1 look cannot be measured"):
        measure_cells(network, "1", channels=1, side=32)


def test_the_first_and_last_cell_stand_where_they_look():
    maps = np.array([[[1.0, 0.0, 0.0]] * 3, [[0.0, 0.0, 1.0]] * 3], np.float32)
    for heat in (maps, torch.from_numpy(maps)):
        large = np.asarray(enlarge(heat, (12, 12), (0, 4)))
        np.testing.assert_allclose(large[0, 5], [1, 0.75, 0.5, 0.25, 0, 0, 0, 0, 0, 0, 0, 0])
        np.testing.assert_allclose(large[1, 5], [0, 0, 0, 0, 0, 0.25, 0.5, 0.75, 1, 1, 1, 1])


def test_cells_that_tile_are_the_default():
    maps = torch.rand(2, 6, 6)
    torch.testing.assert_close(enlarge(maps, (48, 48), (3.5, 8)), enlarge(maps, (48, 48)), rtol=0, atol=1e-6)
    assert enlarge(torch.zeros(0, 1, 1), (9, 9), (0, 8)).shape == (0, 9, 9)


def test_a_spot_is_hot_where_it_is():
    """A single bright pixel under a strided, padded network: the heat is symmetric around it."""
    network = nn.Sequential(nn.Conv2d(1, 1, 3, 2, 1), nn.Conv2d(1, 1, 3, 2, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    for module in network[:2]:
        nn.init.ones_(module.weight)
        nn.init.zeros_(module.bias)
    x = torch.zeros(1, 1, 32, 32)
    x[..., 12, 16] = 1
    heat = hooked_forward(network, "1", x, cells=(0, 4)).heatmaps(0)[0].numpy()
    at = [float((heat.sum(axis=axis) * np.arange(32)).sum() / heat.sum()) for axis in (1, 0)]
    assert at == [pytest.approx(12, abs=0.01), pytest.approx(16, abs=0.01)]


@pytest.mark.parametrize(
    ("name", "side", "smaller", "words"),
    [
        ("small_resnet18_w32", 1, (), "of 1 pixels a side is a single cell; give a larger --imgsz"),
        ("resnet18", 32, (), "of 32 pixels a side is a single cell"),
        ("alexnet", 40, (40, 35, 30), "takes no pictures of 30 pixels"),
        ("inception_v3", 64, (), "takes no pictures of 64 pixels"),
        ("resnet18", 5000, (), "--imgsz takes up to 4096 pixels, not 5000"),
        ("deep_emotion", 40, (), "takes pictures of 48 pixels only"),
    ],
)
def test_sides_that_leave_nothing_to_see_are_refused(name, side, smaller, words):
    with pytest.raises(UserError, match=words):
        check_side(find_spec(name), side, smaller)


@pytest.mark.parametrize(
    ("name", "side", "smaller"), [("resnet18", 64, (64, 48)), ("alexnet", 0, (168,)), ("deep_emotion", 48, ())]
)
def test_other_sides_are_taken(name, side, smaller):
    check_side(find_spec(name), side, smaller)


@pytest.mark.parametrize(
    ("layer", "sentence"),
    [
        ("laier4", "has no layer 'laier4'; is it one of layer4"),
        ("fc", r"gives \(2, 2\), where a grid"),
        ("layer1.0.relu", "used more than once in a pass"),
    ],
)
def test_a_layer_that_cannot_be_explained_is_refused_before_any_training(layer, sentence):
    with pytest.raises(UserError, match=sentence):
        check_side(dataclasses.replace(find_spec("resnet18"), explain_layer=layer), 0)


@pytest.mark.parametrize("engine", ["onnx", "torch"])
def test_the_classifier_puts_heat_where_cells_look(engine, rng):
    checkpoint = load_checkpoint(SHIPPED)
    spec, crops = find_spec(checkpoint.network), rng.integers(0, 256, (2, 48, 48, 3), dtype=np.uint8)
    x = checkpoint.preprocess(crops)
    expected = hooked_forward(checkpoint.build(), spec.explain_layer, x, cells=spec.cells).heatmaps()
    found = Classifier.from_file(engine=engine).forward(crops).heatmaps()
    np.testing.assert_allclose(found, expected, atol=1e-3)
