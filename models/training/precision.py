"""Mixed precision: which number format a device trains in.

In:  a device.
Out: a context for the forward pass, and a scaler for the backward pass.

bfloat16 has the range of float32, so its gradients need no scaling; float16 loses small ones, which the loss is scaled
against (Micikevicius et al. 2018, arXiv 1710.03740, section 3.2). A CPU computes in float32: autocast is slower there.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Precision:
    """The format of a forward pass on `device_type`; torch.float32 means no mixing."""

    device_type: str
    dtype: torch.dtype

    def autocast(self) -> torch.autocast:
        """A context in which convolutions and matrix products are of `dtype`."""
        # torch warns of float32 even where autocast is off
        mixed = self.dtype != torch.float32
        return torch.autocast(self.device_type, self.dtype if mixed else torch.bfloat16, enabled=mixed)

    def scaler(self) -> torch.amp.GradScaler:
        """What scales the loss of a float16 pass; for other formats it passes everything through."""
        return torch.amp.GradScaler(self.device_type, enabled=self.dtype == torch.float16)


def precision_on(device: torch.device, *, mixed: bool) -> Precision:
    """bfloat16 on cuda from Ampere on, float16 on older cards and on mps, float32 on the CPU or unless `mixed`."""
    if not mixed or device.type == "cpu":
        return Precision(device.type, torch.float32)
    native = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return Precision(device.type, torch.bfloat16 if native else torch.float16)
