"""RetinaFace: frames in, faces out.

In:  frames (H, W, 3) uint8 RGB, which may differ in size.
Out: for each frame its faces, best score first, in pixels of that frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from retinaface.anchors import anchors_for, decode_boxes, decode_landmarks, non_maximum_suppression
from retinaface.face import Face
from retinaface.network import RetinaFaceNetwork, read_public_names, to_input
from support import UserError
from support.weights import finite, load_strictly, load_tensors

FORMAT = "retinaface-weights/1"
SHIPPED = Path(__file__).parent / "weights" / "retinaface.safetensors"
CANDIDATES = 1000  # anchors a frame that go into the suppression, best first


class RetinaFace:
    """A detector on one device.

    score_threshold: faces scored lower are not reported, 0 to 1.
    overlap: of two boxes with a higher IoU the better one stays.
    max_faces: the best so many of a frame; None: all.
    longest_side: frames are reduced to so many pixels on their longer side for the search (None: never); faces come
        back in pixels of the frame as given.
    """

    def __init__(
        self,
        network: RetinaFaceNetwork,
        *,
        score_threshold: float = 0.5,
        overlap: float = 0.4,
        max_faces: int | None = None,
        longest_side: int | None = 640,
    ) -> None:
        self.network = network.eval().requires_grad_(False)
        self.score_threshold = score_threshold
        self.overlap = overlap
        self.max_faces = max_faces
        self.longest_side = longest_side

    @classmethod
    def from_file(
        cls, path: str | Path | None = None, *, device: torch.device | str = "cpu", **options: object
    ) -> RetinaFace:
        """The detector with the weights at `path` (ours, or the public .pth); the shipped ones without `path`."""
        network = RetinaFaceNetwork()
        load_strictly(network, read_weights(path or SHIPPED), what=f"{path or SHIPPED}")
        return cls(network.to(device, memory_format=torch.channels_last), **options)

    def __call__(self, frames: Sequence[np.ndarray]) -> list[list[Face]]:
        """Faces of every frame; frames of one size go through the network together. No frames, no faces."""
        found: list[list[Face]] = [[] for _ in frames]
        sizes = [frame.shape[:2] for frame in frames]
        for size_hw in dict.fromkeys(sizes):
            rows = [row for row, other in enumerate(sizes) if other == size_hw]
            for row, faces in zip(rows, self._detect(np.stack([frames[row] for row in rows])), strict=True):
                found[row] = faces
        return found

    @torch.inference_mode()
    def _detect(self, frames: np.ndarray) -> list[list[Face]]:
        """(N, H, W, 3) uint8 RGB of one size."""
        height, width = frames.shape[1:3]
        shrink = min(1.0, self.longest_side / max(height, width)) if self.longest_side else 1.0
        size_hw = (max(1, round(height * shrink)), max(1, round(width * shrink)))
        if size_hw != (height, width):
            frames = np.stack([cv2.resize(frame, size_hw[::-1], interpolation=cv2.INTER_AREA) for frame in frames])
        device = next(self.network.parameters()).device
        logits, boxes, landmarks = self.network(to_input(torch.from_numpy(frames).to(device)))
        scores = logits.softmax(dim=-1)[..., 1]
        scale = np.array([width / size_hw[1], height / size_hw[0]], np.float32)
        return [
            self._faces(*(values[row].cpu().numpy() for values in (scores, boxes, landmarks)), size_hw, scale)
            for row in range(len(frames))
        ]

    def _faces(
        self, scores: np.ndarray, boxes: np.ndarray, landmarks: np.ndarray, size_hw: tuple[int, int], scale: np.ndarray
    ) -> list[Face]:
        """The faces among the anchors of one frame; only anchors above the threshold are decoded."""
        rows = np.flatnonzero(scores >= self.score_threshold)
        rows = rows[np.argsort(-scores[rows], kind="stable")[:CANDIDATES]]
        anchors = anchors_for(size_hw)[rows]
        boxes_xyxy = decode_boxes(boxes[rows], anchors)
        kept = non_maximum_suppression(boxes_xyxy, scores[rows], threshold=self.overlap)[: self.max_faces]
        landmarks_xy = decode_landmarks(landmarks[rows[kept]], anchors[kept]) * scale
        return [
            Face(box_xyxy=box * np.tile(scale, 2), landmarks_xy=points, score=float(score))
            for box, points, score in zip(boxes_xyxy[kept], landmarks_xy, scores[rows[kept]], strict=True)
        ]


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """Tensors by name from our .safetensors or the public .pth; `UserError` where neither can be read."""
    path = Path(path)
    if path.suffix not in (".pth", ".pt"):
        return load_tensors(path, wanted_format=FORMAT)[0]
    if not path.is_file():
        raise UserError(f"there is no file {path}; name existing detector weights.")
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)  # refuses pickled code
    except Exception as error:  # what is no pickle may fail in any way inside the unpickler
        raise UserError(f"{path} does not hold plain weights that torch can read; fetch it again.") from error
    return finite(read_public_names(weights), path)
