"""How a run computes: number format, memory layout, compiled or not. Chosen at its start by what is faster there.

In:  the settings, the network on its device; a saved choice, which a resumed run keeps.
Out: `Computing`, and a sentence about it. Where memory runs out: a sentence that names a batch that fits.

On a CPU and on mps nothing is measured: pictures are changed by OpenCV, the layout is channels-last, nothing is
compiled, and mps mixes precision. On cuda each way computes a few passes of a copy of the network, and the fastest is
taken.
"""

from __future__ import annotations

import copy
import dataclasses
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from models.training.settings import Settings
from support import FAILED, UserError
from support.device.card import is_out_of_memory, mixed_format
from support.training.distributed import Distributed
from support.training.state_check import check_part

WARM_UP, PASSES = 3, 8
COMPILING_PAYS_S = 600  # a run this long is worth the minutes that compiling takes, once a picture size
CHOICE = {"auto": (True, False), "on": (True,), "off": (False,)}  # what a setting leaves to be measured
Measure = Callable[["Computing"], float]


@dataclass(frozen=True)
class Computing:
    """device: type of the device that this was chosen for. augment_on: cpu or device. mixed: see `mixed_format`."""

    device: str
    augment_on: str
    mixed: bool
    channels_last: bool = True
    compiled: bool = False

    @property
    def memory_format(self) -> torch.memory_format:
        """That of pictures and of weights."""
        return torch.channels_last if self.channels_last else torch.contiguous_format

    def __str__(self) -> str:
        form = mixed_format(torch.device(self.device)) if self.mixed else None
        layout = "channels-last" if self.channels_last else "channels-first"
        return f"{str(form or torch.float32)[6:]}, {layout}, {'compiled' if self.compiled else 'not compiled'}"


def choose(
    settings: Settings,
    network: nn.Module,
    shape: tuple[int, ...],
    distributed: Distributed,
    *,
    steps: int,
    saved: Any = None,
    measure: Measure | None = None,
) -> tuple[Computing, str]:
    """How to compute, the same in all processes, and what there is to say of it, perhaps nothing.

    shape: (B, C, h, w) of a pass. steps: how many are to come.
    saved: the choice of the run that is resumed; None: it has none. On another kind of device it is made anew.
    measure: seconds of a pass; left out: those of `pass_s`, as a mean over the processes.
    """
    device = distributed.device
    way, why = _chosen(
        settings, device, steps, saved,
        measure or (lambda way: distributed.mean(pass_s(way, network, shape, device))),
    )  # fmt: skip
    return way, "; ".join(filter(None, [why, about_card(device)]))


def _chosen(
    settings: Settings, device: torch.device, steps: int, saved: Any, measure: Measure
) -> tuple[Computing, str]:
    on_cuda = device.type == "cuda"
    auto = "device" if on_cuda else "cpu"
    first = Computing(
        device.type,
        auto if settings.augment_on == "auto" else settings.augment_on,
        mixed=settings.amp and device.type != "cpu",
        channels_last=settings.channels_last != "off",
        compiled=settings.compile == "on",
    )
    if saved is not None:
        check_part(saved, dataclasses.asdict(first), what="way to compute")
        kept = Computing(**saved)
        if kept.device == device.type:
            return kept, "as when the run began"
    if not on_cuda:
        if first.compiled:
            compile_or_refuse(first, measure)
        return first, ""
    layouts, formats = CHOICE[settings.channels_last], (True, False) if settings.amp else (False,)
    ways = [
        dataclasses.replace(first, mixed=mixed, channels_last=last, compiled=False)
        for mixed, last in itertools.product(formats, layouts)
    ]
    seconds = {way: measure(way) for way in ways}
    best = min(ways, key=seconds.__getitem__)
    compiled, failed = dataclasses.replace(best, compiled=True), ""
    if settings.compile == "on":
        seconds[compiled], best = compile_or_refuse(compiled, measure), compiled
    elif settings.compile == "auto" and steps * seconds[best] > COMPILING_PAYS_S:
        try:
            seconds[compiled] = measure(compiled)
            best = min(best, compiled, key=seconds.__getitem__)
        except Exception:  # whatever the compiler lacks: the run goes on without
            failed = f"; not possible: {compiled}"
    measured = ", ".join(f"{1000 * taken:.2f} ms in {way}" for way, taken in seconds.items())
    return best, f"a pass takes {measured}{failed}"


def compile_or_refuse(way: Computing, measure: Measure) -> float:
    """As `measure`; `UserError` where torch cannot compile here."""
    try:
        return measure(way)
    except (torch.OutOfMemoryError, UserError):
        raise
    except Exception as error:  # of torch's compiler, or of the one that it calls
        first_line = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise UserError(
            f"--compile on: torch cannot compile here ({first_line:.200}); leave it out.", exit_code=FAILED
        ) from error


def pass_s(
    way: Computing,
    network: nn.Module,
    shape: tuple[int, ...],
    device: torch.device,
    *,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Seconds of a forward and a backward pass of a copy of `network` on a batch of `shape` (B, C, h, w)."""
    copied = copy.deepcopy(network).train().to(memory_format=way.memory_format)
    x = torch.randn(shape, device=device).contiguous(memory_format=way.memory_format)
    dtype = mixed_format(device) if way.mixed else None
    compute = torch.compile(copied) if way.compiled else copied
    started = 0.0
    for number in range(WARM_UP + PASSES):
        if number == WARM_UP:
            synchronise(device)
            started = clock()
        with torch.autocast(device.type, dtype, enabled=dtype is not None):
            logits = compute_logits(compute, x)
        logits.float().square().mean().backward()
    synchronise(device)
    return (clock() - started) / PASSES


def compute_logits(network: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """`network(x)` in training; `UserError` where a batch norm, over vectors, has one face to compute a variance of."""
    try:
        return network(x)
    except (ValueError, RuntimeError) as error:
        if "more than 1 value per channel" not in str(error):  # torch's words
            raise
        raise UserError(
            "a batch norm of this network cannot be trained on one face at a time; raise --batch-size, or lower "
            "--accumulate."
        ) from error


def synchronise(device: torch.device) -> None:
    """Wait for all that `device` has to do."""
    if device.type != "cpu":
        getattr(torch, device.type).synchronize(device)


def about_card(device: torch.device) -> str:
    """A sentence where other programs hold some of a card's memory; else nothing."""
    if device.type != "cuda":
        return ""
    free, total = torch.cuda.mem_get_info(device)
    own = torch.cuda.memory_reserved(device)
    if total - free - own < total / 16:  # what a driver and a context take
        return ""
    return (
        f"{free / 1e9:.0f} of {total / 1e9:.0f} GB of the card are free: another program uses it, and both are slower"
    )


def too_large(
    settings: Settings, distributed: Distributed, shape: tuple[int, ...], probe: Callable[[tuple[int, ...]], object]
) -> UserError:
    """Out of memory, as a sentence. shape: (B, C, h, w) of a pass. probe: computes a pass of such a shape."""
    faces, rest = shape[0], shape[1:]
    passes = settings.batch_size // faces  # of all processes together
    fitting = 1 << (faces - 1).bit_length() - 1 if faces > 1 else 0  # the largest power of two below
    while fitting:
        try:
            probe((fitting, *rest))
            break
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            fitting //= 2
    here = f"the memory of {distributed.device} does not hold {settings.batch_size} faces a step at {rest[-1]} pixels"
    if not fitting:
        advice = "nor one; end what else uses it, or take a smaller --model or --imgsz"
    else:
        parts = -(-settings.batch_size // (fitting * distributed.world_size))
        while settings.batch_size % (parts * distributed.world_size):
            parts += 1
        advice = f"--batch-size {fitting * passes} fits, or the same batch with --accumulate {parts}, in another --out"
    return UserError(f"{here}; {advice}. What was saved before is whole.", exit_code=FAILED)
