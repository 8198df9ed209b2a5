"""Mixed precision, as far as it shows without a card: the choice of formats, and float16 with a scaler on the CPU."""

from __future__ import annotations

import pytest
import torch

from models.training.precision import Precision, precision_on


@pytest.mark.parametrize(
    ("kind", "native", "mixed", "expected"),
    [
        ("cpu", True, True, torch.float32),
        ("cuda", True, True, torch.bfloat16),
        ("cuda", False, True, torch.float16),
        ("mps", False, True, torch.float16),
        ("mps", False, False, torch.float32),
        ("cuda", True, False, torch.float32),
    ],
)
def test_each_device_gets_its_format(monkeypatch, kind, native, mixed, expected):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: native)
    precision = precision_on(torch.device(kind), mixed=mixed)
    assert precision == Precision(kind, expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_the_forward_pass_is_of_the_format(dtype):
    layer, x = torch.nn.Linear(4, 4), torch.randn(2, 4)
    with Precision("cpu", dtype).autocast():
        assert layer(x).dtype == dtype
    assert layer(x).dtype == torch.float32


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_only_float16_is_scaled(dtype):
    scaler = Precision("cpu", dtype).scaler()
    assert scaler.is_enabled() == (dtype == torch.float16)
    assert bool(scaler.state_dict()) == (dtype == torch.float16)
