"""What runs a classifier's network: torch on any device, or ONNX Runtime on the CPU, without torch.

In:  crops (N, S, S, 3) uint8 RGB.
Out: logits (N, K) float32, or a `gradcam.ForwardPass` that can be explained afterwards. N may be 0.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from gradcam import Cells, ForwardPass, HookedPass, PooledPass, Warp, hooked_forward
from models.all_maps import AllMaps, all_maps
from models.preprocess import Preprocess
from support.device.card import enough_memory, lock_of, mixed_format
from support.device.replay import SIZES, Function, Replay
from support.onnx.session import OnnxSession

if TYPE_CHECKING:  # torch is imported where it is used: a start with ONNX Runtime needs none
    import torch
    from torch import Tensor, nn

    from support.device.card import CudaCard
    from support.device.precision import Precision
    from support.device.ways import Ways


class TorchEngine:
    """A network in eval mode, on a device, with its preprocessing.

    layer, cells, warp: the layer to explain and where it looks (`ModelSpec`); left out: the engine gives only logits.
    card: as for `support.device.replay.Replay`, by which passes that can be explained run on a device. A network that
        warps its input runs there as on a CPU.
    `logits` are computed in float32 whatever `warm_up` finds to be faster.
    """

    def __init__(
        self,
        network: nn.Module,
        preprocess: Preprocess,
        *,
        device: torch.device | str,
        layer: str = "",
        cells: Cells = None,
        warp: Warp | None = None,
        card: CudaCard | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        import torch

        self.network, self.preprocess, self.device = network.eval(), preprocess, torch.device(device)
        self.layer, self.cells, self.warp = layer, cells, warp
        self._hooked = lock_of(self.device)  # another thread's pass would run into the hooks
        self._replay = Replay(self._explained, self.device, card=card, clock=clock)

    def prepare(self, crops: np.ndarray) -> Tensor:
        """The network's input (N, C, h, w) float32 on the device."""
        import torch

        return self.preprocess(crops, device=self.device).contiguous(memory_format=torch.channels_last)

    def logits(self, crops: np.ndarray) -> np.ndarray:
        """(N, K) float32."""
        import torch

        with torch.inference_mode(), self._hooked, enough_memory(self.device):
            return self.network(self.prepare(crops)).float().cpu().numpy()

    def forward(self, crops: np.ndarray) -> ForwardPass:
        """One pass that can be explained afterwards: on a CPU of tensors, on a device of arrays."""
        if self._replay.padded and self.warp is None:
            logits, maps = self._replay(crops)
            return AllMaps(logits, maps, self.preprocess.size_hw, self.cells)
        with self._hooked, enough_memory(self.device):
            return self._hooked_forward(self.prepare(crops))

    @property
    def computing(self) -> str:
        """The number format and memory layout that `warm_up` found to be the fastest on a card; "" until then."""
        return self._replay.way

    def warm_up(self, crop_size: int, *, amp: bool) -> None:
        """Prepare fast passes for any number of crops of so many pixels a side, in a thread.

        amp: on cuda in fewer bits than float32's, where that is faster and results agree (`models.precision.agree`).
        """
        if self.warp is None:
            shapes = [(rows, crop_size, crop_size, 3) for rows in SIZES]
            self._replay.warm_up(shapes, functools.partial(self._ways, crop_size, amp))

    def _ways(self, crop_size: int, amp: bool) -> Ways[Function]:
        """How else passes can be computed."""
        from models.precision import agree, trial_pictures
        from support.device.precision import Precision, alternatives
        from support.device.ways import Ways

        with self._hooked:  # copies are to have no hooks
            others = alternatives(self.network, (None, mixed_format(self.device)) if amp else (None,))
        functions: dict[str, Function] = {str(one): functools.partial(self._explained, how=one) for one in others}
        what, first = f"the expression network on {self.device}", str(Precision(self.network))
        return Ways(what, first, functions, trial_pictures(crop_size), agree)

    def _explained(self, crops: Tensor, how: Precision | None = None) -> tuple[Tensor, Tensor]:
        """Logits (N, K) and all maps (N, E, K, h, w) of crops on the device; kernels only, nothing for the host."""
        import torch

        x = self.preprocess.of_tensor(crops)
        if how is None:
            passed = self._hooked_forward(x.contiguous(memory_format=torch.channels_last))
        else:
            with torch.autocast(x.device.type, how.dtype, enabled=how.dtype is not None, cache_enabled=False):
                passed = self._hooked_forward(x.contiguous(memory_format=how.memory_format), how.network)
        return passed.logits, all_maps(passed)

    def _hooked_forward(self, x: Tensor, network: nn.Module | None = None) -> HookedPass:
        with self._hooked:
            return hooked_forward(network or self.network, self.layer, x, cells=self.cells, warp=self.warp)


class OnnxEngine:
    """A session with its preprocessing, for networks that end in a mean over the grid and one linear layer.

    head: (K, C) float32, the linear layer's weight. cells: where the explained layer looks (`ModelSpec.cells`).
    """

    computing = ""  # in float32, with nothing to choose

    def __init__(self, session: OnnxSession, preprocess: Preprocess, head: np.ndarray, *, cells: Cells = None) -> None:
        self.session, self.preprocess, self.head, self.cells = session, preprocess, head, cells

    def logits(self, crops: np.ndarray) -> np.ndarray:
        """(N, K) float32."""
        return np.asarray(self.forward(crops).logits)

    def forward(self, crops: np.ndarray) -> ForwardPass:
        """One pass that can be explained afterwards, of arrays."""
        if len(crops):
            logits, activation = self.session(self.preprocess.array(crops))
        else:  # not every operator takes an empty batch
            classes, channels = self.head.shape
            logits, activation = np.empty((0, classes), np.float32), np.empty((0, channels, 1, 1), np.float32)
        return PooledPass(logits, activation, self.preprocess.size_hw, self.cells, self.head)

    def warm_up(self, crop_size: int, *, amp: bool) -> None:
        """There is nothing to capture."""


Engine = TorchEngine | OnnxEngine
