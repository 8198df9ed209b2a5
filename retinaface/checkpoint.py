"""Detector weights in files: ours as safetensors, and the public ones.

In:  the name of a .safetensors file, or of the public RetinaFace MobileNet-0.25 .pth file.
Out: the network that they belong to, with them, on the CPU.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from retinaface.mobilenet import MobileNetRetinaFace
from retinaface.network import RetinaFaceNetwork
from support import UserError
from support.weights import as_float32, load_strictly, load_tensors, tensors_in

FORMAT = "retinaface-weights/2"

Network = RetinaFaceNetwork | MobileNetRetinaFace


def load_network(path: str | Path) -> Network:
    """The network with the weights at `path`; `UserError` where they cannot be read or do not fit exactly."""
    path = Path(path)
    public = path.suffix in (".pth", ".pt")
    network = MobileNetRetinaFace() if public else RetinaFaceNetwork()
    weights = read_public(path) if public else load_tensors(path, wanted_format=FORMAT)[0]
    load_strictly(network, weights, what=f"{path}")
    return network


def read_public(path: Path) -> dict[str, Tensor]:
    """Float32 tensors by name from the public .pth; `UserError` where it cannot be read."""
    if not path.is_file():
        raise UserError(f"there is no file {path}; name existing detector weights.")
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)  # refuses pickled code
    except Exception as error:  # what is no pickle may fail in any way inside the unpickler
        raise UserError(f"{path} does not hold plain weights that torch can read; fetch it again.") from error
    public = {name.removeprefix("module."): tensor for name, tensor in tensors_in(weights).items()}  # DataParallel's
    return as_float32(public, path)


class FramesToFaces(nn.Module):
    """A network with what stands before and behind it, for export."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(N, H, W, 3) uint8 RGB -> scores (N, A), boxes (N, A, 4) and landmarks (N, A, 5, 2) in pixels."""
        logits, boxes, landmarks = self.network(self.network.to_input(frames))
        return logits.sigmoid(), boxes, landmarks
