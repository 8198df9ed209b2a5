"""RetinaFace: frames in, faces out.

In:  frames (H, W, 3) uint8 RGB, which may differ in size.
Out: for each frame its faces, best score first, in pixels of that frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from retinaface.anchors import anchors_for, decode_boxes, decode_landmarks, iou, non_maximum_suppression
from retinaface.face import Face, resized
from retinaface.onnx_engine import OnnxEngine
from support import UserError
from support.onnx.graph import Graph, find_graph
from support.onnx.session import takes_onnx
from support.weights import finite, load_arrays, load_strictly

if TYPE_CHECKING:  # torch is imported where it is used: a start with ONNX Runtime needs none
    import torch
    from torch import Tensor

    from retinaface.network import RetinaFaceNetwork

FORMAT = "retinaface-weights/1"
SHIPPED = Path(__file__).parent / "weights" / "retinaface.safetensors"
CANDIDATES = 1000  # anchors a frame that go into the suppression, best first
CONTAINMENT = (
    0.9  # share of a box within a surer one from which on it is a part of that face: a mouth and nose, very near
)
VOTING_IOU = 0.6  # IoU with the best box of a face from which another anchor speaks of the same face


class RetinaFace:
    """A detector on one device.

    network: in torch, or as an engine of ONNX Runtime.
    score_threshold: faces scored lower are not reported, 0 to 1.
    overlap: of two boxes with a higher IoU the better one stays; a box that lies inside a better one goes, too.
    max_faces: the best so many of a frame; None: all.
    longest_side: frames are reduced to so many pixels on their longer side for the search (None: never); faces come
        back in pixels of the frame as given.
    mean_landmarks: landmarks are the mean over the anchors above the threshold that agree on a face, weighted by score,
        not the best one's: their errors differ, and the mean is nearer.
    """

    def __init__(
        self,
        network: RetinaFaceNetwork | OnnxEngine,
        *,
        score_threshold: float = 0.5,
        overlap: float = 0.4,
        max_faces: int | None = None,
        longest_side: int | None = 640,
        mean_landmarks: bool = True,
    ) -> None:
        if not isinstance(network, OnnxEngine):
            from retinaface.torch_engine import TorchEngine

            network = TorchEngine(network)
        self.engine = network
        self.score_threshold = score_threshold
        self.overlap = overlap
        self.max_faces = max_faces
        self.longest_side = longest_side
        self.mean_landmarks = mean_landmarks

    @classmethod
    def from_file(
        cls,
        path: str | Path | None = None,
        *,
        device: torch.device | str = "cpu",
        engine: str = "auto",
        threads: int = 2,
        **options: object,
    ) -> RetinaFace:
        """The detector with the weights at `path` (ours, or the public .pth); the shipped ones without `path`.

        engine: "onnx" is ONNX Runtime on the CPU, with so many `threads`; "torch" runs on any device, with the threads
            that torch has; "auto" is the first where it can be. Raises `UserError` where "onnx" is asked and cannot be.
        """
        path = path or SHIPPED
        if takes_onnx(engine, device):
            weights = read_arrays(path)
            return cls(OnnxEngine(detector_graph(), weights, threads=threads, what=f"{path}"), **options)
        import torch

        from retinaface.network import RetinaFaceNetwork

        network = RetinaFaceNetwork()
        load_strictly(network, read_weights(path), what=f"{path}")
        return cls(network.to(device, memory_format=torch.channels_last), **options)

    def __call__(self, frames: Sequence[np.ndarray]) -> list[list[Face]]:
        """Faces of every frame; frames of one size go through the network together. No frames, no faces."""
        found: list[list[Face]] = [[] for _ in frames]
        sizes = [frame.shape[:2] for frame in frames]
        for size_hw in dict.fromkeys(sizes):
            rows = [row for row, other in enumerate(sizes) if other == size_hw]
            for row, faces in zip(rows, self._detect([frames[row] for row in rows]), strict=True):
                found[row] = faces
        return found

    def _detect(self, frames: Sequence[np.ndarray]) -> list[list[Face]]:
        """(H, W, 3) uint8 RGB each, all of one size."""
        height, width = frames[0].shape[:2]
        shrink = min(1.0, self.longest_side / max(height, width)) if self.longest_side else 1.0
        size_hw = (max(1, round(height * shrink)), max(1, round(width * shrink)))
        if size_hw != (height, width):
            frames = [cv2.resize(frame, size_hw[::-1], interpolation=cv2.INTER_AREA) for frame in frames]
        batch = np.stack(frames) if len(frames) > 1 else np.ascontiguousarray(frames[0])[None]
        scale = np.array([width / size_hw[1], height / size_hw[0]], np.float32)
        return [self._faces(*values, size_hw, scale) for values in zip(*self.engine(batch), strict=True)]

    def _faces(
        self, scores: np.ndarray, boxes: np.ndarray, landmarks: np.ndarray, size_hw: tuple[int, int], scale: np.ndarray
    ) -> list[Face]:
        """The faces among the anchors of one frame; only anchors above the threshold are decoded."""
        rows = np.flatnonzero(scores >= self.score_threshold)
        rows = rows[np.argsort(-scores[rows], kind="stable")[:CANDIDATES]]
        anchors = anchors_for(size_hw)[rows]
        boxes_xyxy = decode_boxes(boxes[rows], anchors)
        kept = non_maximum_suppression(boxes_xyxy, scores[rows], threshold=self.overlap, inside=CONTAINMENT)
        kept = kept[: self.max_faces]
        if self.mean_landmarks:
            landmarks_xy = vote_landmarks(decode_landmarks(landmarks[rows], anchors), boxes_xyxy, scores[rows], kept)
        else:
            landmarks_xy = decode_landmarks(landmarks[rows[kept]], anchors[kept])
        return [
            Face(box_xyxy=resized(box, np.tile(scale, 2)), landmarks_xy=resized(points, scale), score=float(score))
            for box, points, score in zip(boxes_xyxy[kept], landmarks_xy, scores[rows[kept]], strict=True)
        ]


def vote_landmarks(landmarks: np.ndarray, boxes: np.ndarray, scores: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """(K, 5, 2) float32: the mean landmarks of the anchors whose box agrees with each `kept` one (K,), by score.

    landmarks (A, 5, 2), boxes (A, 4) xyxy and scores (A,) of all candidates; `kept` are rows of them.
    """
    agrees = iou(boxes[kept], boxes) >= VOTING_IOU  # (K, A)
    agrees[np.arange(len(kept)), kept] = True  # also a box too small to have an area
    weight = agrees * np.maximum(scores, np.finfo(np.float32).tiny)
    weight /= weight.sum(axis=1, keepdims=True)
    return np.einsum("ka,apx->kpx", weight, landmarks).astype(np.float32)


def detector_graph() -> Graph:
    """The graph of the network as its code is now: the shipped one, where that has not fallen behind."""

    def make() -> Graph:
        from retinaface.graph import make_graph

        return make_graph()

    return find_graph("retinaface", shipped=SHIPPED.parent, make=make)


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """Tensors by name from our .safetensors or the public .pth; `UserError` where neither can be read."""
    import torch

    return {name: torch.from_numpy(array) for name, array in read_arrays(path).items()}


def read_arrays(path: str | Path) -> dict[str, np.ndarray]:
    """As `read_weights`, but arrays; torch is imported for a .pth only."""
    path = Path(path)
    if path.suffix not in (".pth", ".pt"):
        return load_arrays(path, wanted_format=FORMAT)[0]
    if not path.is_file():
        raise UserError(f"there is no file {path}; name existing detector weights.")
    import torch

    from retinaface.network import read_public_names

    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)  # refuses pickled code
    except Exception as error:  # what is no pickle may fail in any way inside the unpickler
        raise UserError(f"{path} does not hold plain weights that torch can read; fetch it again.") from error
    return finite({name: tensor.float().numpy() for name, tensor in read_public_names(weights).items()}, path)
