"""Where the cells of every network's explained layer look: measured on the network, and used by the heatmaps."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gradcam import enlarge, hooked_forward
from models.checkpoint import SHIPPED, load_checkpoint
from models.classifier import Classifier
from models.spec import find_spec, model_names

STARTS_SOMEWHERE = {"deep_emotion"}  # its transformer is the identity at the start


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


@pytest.mark.parametrize("name", model_names())
def test_the_middle_cell_looks_where_the_spec_says(name):
    spec = find_spec(name)
    first, step = spec.cells
    side = spec.preprocess.size_hw[0] if spec.fixed_size else 256  # the middle cell of many: the edges are far
    x = torch.ones(1, spec.preprocess.channels, side, side, requires_grad=True)
    cell, middle = middle_seen(evened(name), spec.explain_layer, x)
    assert middle == pytest.approx(first + cell * step, abs=step / 8)


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


@pytest.mark.parametrize("engine", ["onnx", "torch"])
def test_the_classifier_puts_heat_where_cells_look(engine, rng):
    checkpoint = load_checkpoint(SHIPPED)
    spec, crops = find_spec(checkpoint.network), rng.integers(0, 256, (2, 48, 48, 3), dtype=np.uint8)
    x = checkpoint.preprocess(crops)
    expected = hooked_forward(checkpoint.build(), spec.explain_layer, x, cells=spec.cells).heatmaps()
    found = Classifier.from_file(engine=engine).forward(crops).heatmaps()
    np.testing.assert_allclose(found, expected, atol=1e-3)
