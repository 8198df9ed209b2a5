"""Mixed precision: which number format a device trains in.

In:  a device.
Out: a context for the forward pass, and a scaler for the backward pass.

bfloat16 has the range of float32, so its gradients need no scaling. In float16 small gradients become 0 unless the
loss is scaled (Micikevicius et al. 2018, arXiv 1710.03740, section 3.2). On a CPU autocast is slower than float32.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Precision:
    """The number format of a forward pass on `device_type`; torch.float32: no mixed precision."""

    device_type: str
    dtype: torch.dtype

    def autocast(self) -> torch.autocast:
        """A context in which convolutions and matrix products are of `dtype`."""
        mixed = self.dtype != torch.float32  # torch warns of float32 even where autocast is off
        return torch.autocast(self.device_type, self.dtype if mixed else torch.bfloat16, enabled=mixed)

    def scaler(self) -> torch.amp.GradScaler:
        """Scales the loss of a float16 pass; for other formats it changes nothing."""
        return torch.amp.GradScaler(self.device_type, enabled=self.dtype == torch.float16)


def precision_on(device: torch.device, *, mixed: bool) -> Precision:
    """bfloat16 on cuda from Ampere on, float16 on older cards and on mps, float32 on the CPU or unless `mixed`."""
    if not mixed or device.type == "cpu":
        return Precision(device.type, torch.float32)
    native = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return Precision(device.type, torch.bfloat16 if native else torch.float16)
