"""Where a network's explained layer looks, measured on the network: which layer has the grid, and what its cells see.

In:  a torch network with convolutions, the number of channels and the side of its input.
Out: the dotted name of the last layer with a grid of cells; (first, step) as `gradcam.enlarge` takes them.

What a cell sees is measured by a gradient, in a copy of the network without preferences: every kernel averages, nothing
is normalised, and the picture is so faint that nothing saturates. The cell's squared slopes then fall off to all sides
alike, and their centre of mass is the pixel in the middle of what the cell sees. Gates over the whole picture add an
even floor, which is subtracted.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from gradcam import hooked_forward
from support import UserError

if TYPE_CHECKING:  # networks import this file
    from models.spec import ModelSpec

FEWEST_CELLS = 6  # a side, where the network has a layer with so many
MARGIN = 256  # pixels that are added to a side: a multiple of every stride
FAINT = 1e-9  # value of a pixel: whatever skips add up, ReLU6 and gates do not saturate


def find_grid(network: nn.Module, example: Tensor) -> str:
    """The name of the layer to explain: the last in a pass of `example` (N, C, h, w) that gives a grid.

    A grid is (N, C, a, b), in the proportion of the picture, of at least `FEWEST_CELLS` a side. Of modules inside each
    other that give the same tensor the outermost is named. Raises `UserError` where tokens, or channels that come last,
    follow on the grid: those are no convolutional networks.
    """
    outputs = outputs_of(network, example)
    sizes = [(name, output.shape) for name, output in outputs if name and len(output) == len(example)]
    side = example.shape[-1]
    grids = [
        place
        for place, (_, shape) in enumerate(sizes)
        if len(shape) == 4 and shape[2] == shape[3] and FEWEST_CELLS <= shape[2] <= side
    ]
    if not grids:
        raise UserError(
            "the network has no layer that gives a grid (N, C, h, w) of 6x6 cells or more to explain; name another."
        )
    name, _ = sizes[grids[-1]]
    for later, shape in sizes[grids[-1] + 1 :]:
        tokens = len(shape) == 3 and shape[1] > 1
        channels_last = len(shape) == 4 and 1 < shape[1] == shape[2] != shape[3]
        if tokens or channels_last:
            raise UserError(
                f"above the network's last grid (N, C, h, w), of {name}, {later} gives ({', '.join(map(str, shape))}): "
                "only convolutional networks, which keep their grid to the last, can be explained; name one."
            )
    return name


def outputs_of(network: nn.Module, example: Tensor) -> list[tuple[str, Tensor]]:
    """(name, output) of every module that gives one tensor, in the order in which they end; in eval mode."""
    outputs: list[tuple[str, Tensor]] = []

    def hook(name: str) -> Callable[..., None]:
        return lambda module, inputs, output: outputs.append((name, output)) if isinstance(output, Tensor) else None

    handles = [module.register_forward_hook(hook(name)) for name, module in network.named_modules()]
    try:
        with torch.no_grad():
            network.eval()(example)
    finally:
        for handle in handles:
            handle.remove()
    return outputs


def takes(build: Callable[[], nn.Module], channels: int, side: int) -> bool:
    """Does the network take square pictures of `side` pixels? Tried without numbers, on the meta device."""
    try:
        with torch.device("meta"):
            build().eval()(torch.empty(2, channels, side, side))
    except (RuntimeError, ValueError, AssertionError, IndexError):
        return False
    return True


def check_side(spec: ModelSpec, side: int, smaller: Iterable[int] = ()) -> None:
    """Raise `UserError` where the network cannot take pictures of `side` pixels, or of the sizes `smaller`.

    side: 0 is the network's own; smaller: sizes that training begins with. Also raised where the heatmap would be a
    single cell, or the network has no layer `spec.explain_layer` that can be explained.
    """
    preprocess = spec.preprocess_at(side)
    side, _ = preprocess.size_hw
    build, channels = partial(spec.build, 2), preprocess.channels
    wrong = [size for size in {side, *smaller} - {*spec.preprocess.size_hw} if not takes(build, channels, size)]
    if wrong:
        hint = "" if side in wrong else ", with which training begins unless --no-progressive-resizing is given"
        raise UserError(f"this network takes no pictures of {min(wrong)} pixels a side{hint}; give a larger --imgsz.")
    with torch.device("meta"):
        passed = hooked_forward(build(), spec.explain_layer, torch.empty(2, channels, side, side))
    if passed.activation.shape[3] < 2:
        raise UserError(f"this network's heatmap of {side} pixels a side is a single cell; give a larger --imgsz.")


def measure_cells(network: nn.Module, layer: str, *, channels: int, side: int) -> tuple[float, float]:
    """(first, step) of the cells of `layer`, in pixels: where cell 0 looks, and the distance to the next cell.

    side: pixels of the network's input. With `MARGIN` more the middle cell does not see the edges, and paddings that
    depend on the size stay the same. `network` stays as it is. Raises `UserError` where gradients vanish or overflow.
    """
    even = without_preferences(network)
    try:
        larger = side + MARGIN
        step = MARGIN / (cells_at(even, layer, channels, larger) - cells_at(even, layer, channels, side))
        side = larger
    except (RuntimeError, ValueError, AssertionError):  # only its own size fits
        step = side / cells_at(even, layer, channels, side)
    noise = torch.rand(1, channels, side, side, generator=torch.Generator().manual_seed(0))
    x = (FAINT * (1 + noise / 100)).requires_grad_()  # noise: max pooling that is no module, and so stays, has no ties
    grid = grid_at(even, layer, x)
    cell = grid.shape[3] // 2  # far from the edges
    (slope,) = torch.autograd.grad(grid[0, :, cell, cell].sum(), x)
    weight = slope.double().square().sum(dim=(0, 1, 2))  # by column
    weight = weight - weight.min()
    if not weight.isfinite().all() or weight.sum() <= 0:
        raise UserError(
            f"where the cells of {layer} look cannot be measured: gradients vanish or overflow below it; name another "
            "network."
        )
    middle = float((weight * torch.arange(len(weight))).sum() / weight.sum())
    return round(2 * (middle - cell * step)) / 2, step


def cells_at(network: nn.Module, layer: str, channels: int, side: int) -> int:
    """How many cells the layer has in a row, for pictures of `side` pixels; computed on the meta device."""
    shapes = copy.deepcopy(network).to("meta")
    return grid_at(shapes, layer, torch.empty(1, channels, side, side, device="meta")).shape[3]


def grid_at(network: nn.Module, layer: str, x: Tensor) -> Tensor:
    """The output of `layer` in a pass of x; what lies above need not be computed, nor fit the size."""
    seen: list[Tensor] = []

    def stop(module: nn.Module, inputs: tuple, output: Tensor) -> None:
        seen.append(output)
        raise StopIteration

    handle = network.get_submodule(layer).register_forward_hook(stop)
    try:
        network(x)
    except StopIteration:
        pass
    finally:
        handle.remove()
    return seen[0]


def without_preferences(network: nn.Module) -> nn.Module:
    """A copy in eval mode in which every convolution averages its window and all channels, and nothing is normalised.

    Kernels that standardise themselves have random weights instead, always the same, since even ones become zero.
    """
    generator = torch.Generator().manual_seed(0)
    network = copy.deepcopy(network).eval().requires_grad_(False)
    for path, module in list(network.named_modules()):
        kind = type(module).__name__
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            if "Std" in kind:
                nn.init.normal_(module.weight, generator=generator)
            else:
                nn.init.constant_(module.weight, 1 / module.weight[0].numel())
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, _BatchNorm):
            module.reset_parameters()
        elif isinstance(module, nn.MaxPool2d) and type(module) is nn.MaxPool2d:
            mean = nn.AvgPool2d(module.kernel_size, module.stride, module.padding, module.ceil_mode)
            network.set_submodule(path, mean)
        elif "Norm" in kind and not list(module.children()) and path:
            network.set_submodule(path, nn.Identity())
    return network
