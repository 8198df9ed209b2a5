"""The way to compute: the fastest one measured on cuda, the old one elsewhere, kept by a resumed run; out of memory."""

from __future__ import annotations

import contextlib
import dataclasses

import pytest
import torch
from torch import nn

from models.training.computing import Computing, about_card, choose, compile_or_refuse, pass_s, too_large
from models.training.settings import Settings
from support import UserError
from support.training.distributed import Distributed

CPU, CARD = Distributed(torch.device("cpu")), Distributed(torch.device("cuda:0"))
SHAPE = (8, 1, 48, 48)
NETWORK = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(72, 3))


@pytest.fixture(autouse=True)
def card(monkeypatch):
    """One that has bfloat16, 80 GB, and nobody else on it."""
    monkeypatch.setattr(torch.cuda, "device", contextlib.nullcontext)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (79 * 10**9, 80 * 10**9))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 0)


def seconds(way: Computing) -> float:
    """bfloat16 halves, channels-last halves, compiling halves."""
    return 0.08 / (1 + way.mixed) / (1 + way.channels_last) / (1 + way.compiled)


def test_a_cpu_computes_as_ever_without_a_measurement():
    way, why = choose(Settings(), NETWORK, SHAPE, CPU, steps=10**6)
    assert way == Computing("cpu", "cpu", mixed=False, channels_last=True, compiled=False)
    assert (str(way), why) == ("float32, channels-last, not compiled", "")
    way, _ = choose(Settings(augment_on="device", channels_last="off"), NETWORK, SHAPE, CPU, steps=1)
    assert (way.augment_on, way.memory_format) == ("device", torch.contiguous_format)


@pytest.mark.parametrize(
    ("settings", "steps", "expected"),
    [
        ({}, 100, "bfloat16, channels-last, not compiled"),
        ({}, 10**6, "bfloat16, channels-last, compiled"),  # the run is long enough
        ({"compile": "off"}, 10**6, "bfloat16, channels-last, not compiled"),
        ({"compile": "on"}, 1, "bfloat16, channels-last, compiled"),
        ({"amp": False, "channels_last": "off"}, 1, "float32, channels-first, not compiled"),
    ],
)
def test_on_cuda_the_fastest_of_what_is_allowed_is_taken_and_said(settings, steps, expected):
    way, why = choose(Settings(**settings), NETWORK, SHAPE, CARD, steps=steps, measure=seconds)
    assert str(way) == expected
    assert way.augment_on == "device"
    assert f"{1000 * seconds(way):.2f} ms in {expected}" in why


def test_what_is_slower_is_not_taken():
    def slower(way: Computing) -> float:
        return 1 / seconds(way)

    way, _ = choose(Settings(), NETWORK, SHAPE, CARD, steps=10**6, measure=slower)
    assert str(way) == "float32, channels-first, not compiled"


def test_without_a_compiler_the_run_goes_on_unless_it_was_asked_for():
    def measure(way: Computing) -> float:
        if way.compiled:
            raise RuntimeError("no compiler\nin many lines")
        return seconds(way)

    way, why = choose(Settings(), NETWORK, SHAPE, CARD, steps=10**6, measure=measure)
    assert not way.compiled
    assert "not possible: bfloat16, channels-last, compiled" in why
    for device in (CARD, CPU):
        with pytest.raises(UserError, match=r"--compile on: torch cannot compile here \(no compiler\)") as error:
            choose(Settings(compile="on"), NETWORK, SHAPE, device, steps=1, measure=measure)
        assert error.value.exit_code == 1
    with pytest.raises(torch.OutOfMemoryError):
        compile_or_refuse(way, lambda way: (_ for _ in ()).throw(torch.OutOfMemoryError()))


def test_a_resumed_run_keeps_its_choice_on_the_same_kind_of_device():
    saved = Computing("cuda", "cpu", mixed=False, channels_last=False, compiled=True)
    way, why = choose(Settings(), NETWORK, SHAPE, CARD, steps=1, saved=dataclasses.asdict(saved), measure=seconds)
    assert way == saved
    assert why == "as when the run began"
    way, _ = choose(Settings(), NETWORK, SHAPE, CPU, steps=1, saved=dataclasses.asdict(saved))
    assert way == Computing("cpu", "cpu", mixed=False)
    with pytest.raises(UserError, match="way to compute"):
        choose(Settings(), NETWORK, SHAPE, CARD, steps=1, saved={"device": "cuda"})


def test_another_program_on_the_card_is_told(monkeypatch):
    assert about_card(CPU.device) == about_card(CARD.device) == ""
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (30 * 10**9, 80 * 10**9))
    assert about_card(CARD.device).startswith("30 of 80 GB of the card are free: another program")
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 49 * 10**9)  # it was this one
    assert about_card(CARD.device) == ""


def test_a_pass_is_timed_after_its_warm_up_and_leaves_the_network():
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(72, 3))
    before = {key: value.clone() for key, value in network.state_dict().items()}
    passes: list[int] = []

    def counted(module, args) -> None:
        passes.append(len(args[0]))

    network.register_forward_pre_hook(counted)
    took = pass_s(
        Computing("cpu", "cpu", mixed=False), network, (4, 1, 8, 8), CPU.device, clock=lambda: float(len(passes))
    )
    assert took == 1  # by a clock that counts passes
    assert len(passes) == 3 + 8
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert network[0].weight.grad is None


@pytest.mark.parametrize(
    ("capacity", "settings", "world_size", "advice"),
    [
        (100, {"batch_size": 256}, 1, "--batch-size 64 fits, or the same batch with --accumulate 4"),
        (64, {"batch_size": 96}, 1, "--batch-size 64 fits, or the same batch with --accumulate 2"),
        (5, {"batch_size": 48, "accumulate": 2}, 2, "--batch-size 16 fits, or the same batch with --accumulate 6"),
        (0, {"batch_size": 64}, 1, "nor one; end what else uses it"),
    ],
)
def test_out_of_memory_names_the_largest_power_of_two_that_fits(capacity, settings, world_size, advice):
    def probe(shape: tuple[int, ...]) -> None:
        if shape[0] > capacity:
            raise torch.OutOfMemoryError

    chosen = Settings(**settings)
    shape = (chosen.batch_size // world_size // chosen.accumulate, 1, 48, 48)
    error = too_large(chosen, Distributed(torch.device("cuda:0"), 0, world_size), shape, probe)
    assert advice in str(error)
    assert f"cuda:0 does not hold {chosen.batch_size} faces a step at 48 pixels" in str(error)
    assert error.exit_code == 1
