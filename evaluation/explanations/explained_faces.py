"""What is tested: a network, the faces that it classifies, and heatmaps for them.

In:  a checkpoint, a `FaceSet`.
Out: `ExplainedFaces`, and the flags that name them; heatmaps (N, h, w) float32 in [0, 1] of an explainer, or of a
     baseline without the network.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from data.face_set import FaceSet
from evaluation.classification.scores import class_columns
from evaluation.commands import SplitSettings
from gradcam import EXPLAINERS, enlarge, hooked_forward, to_unit_range
from models.checkpoint import SHIPPED, Checkpoint, load_checkpoint
from models.spec import ModelSpec, find_spec
from support import UserError, setting

BATCH = 128  # faces a pass
CELLS = 6  # a side of a random map: as coarse as the explained layers, which have 6 to 9


@dataclass(frozen=True, eq=False)
class ExplainedFaces:
    """A network and the N faces on which its heatmaps are tested.

    images: N pictures (H, W, 3) uint8 RGB, which may differ in size. x: (N, C, h, w) float32, the same as the network's
    input.
    probabilities: (N, K) float32, the plain softmax. labels: (N,) int64. Columns and labels are in the order of
    `class_names`, the network's.
    """

    network: nn.Module
    spec: ModelSpec
    class_names: tuple[str, ...]
    images: Sequence[np.ndarray] | np.ndarray
    x: Tensor
    probabilities: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.x)

    @property
    def predicted(self) -> Tensor:
        """(N,) int64: the most probable class."""
        return self.probabilities.argmax(dim=1)

    def heatmaps(self, methods: Sequence[str]) -> dict[str, Tensor]:
        """(N, h, w) by explainer: the heatmaps of the faces for the predicted classes."""
        return self.explain(self.x, self.predicted, methods)

    def explain(self, x: Tensor, class_index: Tensor, methods: Sequence[str]) -> dict[str, Tensor]:
        """(M, h, w) float32 in [0, 1] by explainer: heatmaps of the input x (M, C, h, w) for the classes (M,) int64."""
        found: dict[str, list[Tensor]] = {method: [] for method in methods}
        spec = self.spec
        for some, classes in zip(x.split(BATCH), class_index.split(BATCH), strict=True):
            passed = hooked_forward(self.network, spec.explain_layer, some, cells=spec.cells, warp=spec.warp)
            for method in methods:
                found[method].append(torch.as_tensor(passed.heatmaps(classes, method)))
        return {method: torch.cat(maps) for method, maps in found.items()}

    def heatmaps_of_classes(self, class_names: Sequence[str] | None) -> dict[str, Tensor]:
        """(N, h, w) by class: the Grad-CAM heatmaps of the faces for each of these; None: the first two of the network.

        Raises `UserError` where the network does not know a class.
        """
        wanted = self.class_names[:2] if class_names is None else class_names
        if unknown := [name for name in wanted if name not in self.class_names]:
            raise UserError(
                f"the network has no class {', '.join(unknown)}; its classes are {', '.join(self.class_names)}."
            )
        indices = {name: torch.full_like(self.labels, self.class_names.index(name)) for name in wanted}
        return {name: self.explain(self.x, index, ["gradcam"])["gradcam"] for name, index in indices.items()}

    def rows(self, some: slice | np.ndarray) -> ExplainedFaces:
        """The same network with some of the faces: a slice, or their indices (M,) int."""
        tensors = {name: getattr(self, name)[some] for name in ("x", "probabilities", "labels")}
        return dataclasses.replace(self, images=[self.images[row] for row in np.arange(len(self))[some]], **tensors)

    def captions(self) -> list[str]:
        """What is predicted for each face, "fear 62 %"."""
        confidence, index = self.probabilities.max(dim=1)
        return [
            f"{self.class_names[i]} {100 * p:.0f} %" for p, i in zip(confidence.tolist(), index.tolist(), strict=True)
        ]


@dataclass
class ExplainSettings(SplitSettings):
    """Flags that name a network and the faces of a split."""

    weights: str | None = setting(None, "checkpoint (default: the shipped one)", metavar="FILE")

    def load_network(self, methods: Sequence[str]) -> tuple[Checkpoint, FaceSet, dict]:
        """The checkpoint, the faces, and what a report says of both; `UserError` where a method is no explainer."""
        unknown = [method for method in methods if method not in EXPLAINERS]
        if unknown:
            raise UserError(f"there is no explainer {', '.join(unknown)}; the explainers are {', '.join(EXPLAINERS)}.")
        path = self.weights or str(SHIPPED)
        checkpoint = load_checkpoint(path)
        layout, faces = self.load()
        about = {"network": checkpoint.network, "weights": path, "dataset": layout.NAME, "split": self.split}
        return checkpoint, faces, about


def load_explained_faces(
    checkpoint: Checkpoint, faces: FaceSet, *, device: torch.device | str = "cpu"
) -> ExplainedFaces:
    """The network of `checkpoint` on `device`, and what it predicts for `faces`, which may differ in size.

    Raises `UserError` where the network does not know a class of `faces`.
    """
    columns = class_columns(checkpoint.class_names, faces.class_names)
    network = checkpoint.build().to(device).to(memory_format=torch.channels_last).requires_grad_(False)
    x = torch.cat([checkpoint.preprocess(image[None], device=device) for image in faces.images])
    x = x.contiguous(memory_format=torch.channels_last)
    return ExplainedFaces(
        network=network,
        spec=find_spec(checkpoint.network),
        class_names=checkpoint.class_names,
        images=faces.images,
        x=x,
        probabilities=probabilities_of(network, x),
        labels=torch.as_tensor(np.array(columns)[faces.labels], device=x.device),
    )


@torch.inference_mode()
def probabilities_of(network: nn.Module, x: Tensor) -> Tensor:
    """(N, C, h, w) -> (N, K) float32: the plain softmax."""
    return torch.cat([network(some).float().softmax(dim=1) for some in x.split(BATCH)])


def baselines(x: Tensor, *, seed: int = 0) -> dict[str, Tensor]:
    """Maps (N, h, w) that do not depend on the network, by name, to compare explainers with."""
    return {"random": random_maps(x, seed=seed), "centre": centre_blobs(x)}


def random_maps(x: Tensor, *, seed: int = 0) -> Tensor:
    """(N, h, w): `CELLS` x `CELLS` uniform numbers a face, enlarged as tiles that fill the crop."""
    cells = np.random.default_rng(seed).random((len(x), CELLS, CELLS), np.float32)
    maps = enlarge(to_unit_range(torch.from_numpy(cells)), (x.shape[2], x.shape[3]))
    return torch.as_tensor(maps).to(x.device)


def centre_blobs(x: Tensor) -> Tensor:
    """(N, h, w): a Gaussian in the centre of every face, its standard deviation a quarter of the side."""
    down, across = (4 * (torch.arange(side, device=x.device) + 0.5) / side - 2 for side in x.shape[-2:])
    blob = torch.exp(-(down[:, None] ** 2 + across**2) / 2)
    return blob.expand(len(x), -1, -1)
