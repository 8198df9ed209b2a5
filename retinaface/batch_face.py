"""batch-face as the detector: a second opinion on the public RetinaFace MobileNet-0.25 weights.

In:  frames (H, W, 3) uint8 RGB.
Out: for each frame its faces, as `retinaface.detector.RetinaFace` gives them; landmarks are the best anchor's alone.

batch-face downloads weights where it is given none, loads them loosely, and silently runs on the CPU where only a
device's name is given; so it gets a file of known weights and a device number. Frames go in one by one: its lists pass
through a square letterbox that moves boxes.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import torch

from retinaface.checkpoint import load_network
from retinaface.defaults import CONF, IMGSZ
from retinaface.face import Face, Faces, best_faces
from retinaface.mobilenet import MobileNetRetinaFace
from support import UserError


class BatchFaceDetector:
    """The same call and the same thresholds as `RetinaFace`, another implementation."""

    def __init__(self, detector: Callable, *, conf: float, max_faces: int | None, imgsz: int | None) -> None:
        self.detector = detector
        self.conf, self.max_faces, self.imgsz = conf, max_faces, imgsz

    @classmethod
    def from_file(
        cls,
        path: str | Path | None,
        *,
        device: torch.device | str = "cpu",
        conf: float = CONF,
        max_faces: int | None = None,
        imgsz: int | None = IMGSZ,
    ) -> BatchFaceDetector:
        """batch-face's detector with the public weights at `path`; `UserError` where there are none, or others."""
        if path is None:
            raise UserError(
                "batch-face runs the public RetinaFace weights; name them with --detector-weights FILE.pth."
            )
        try:
            import batch_face  # takes seconds: only who asks for it waits
        except ImportError as error:
            raise UserError("this needs the package batch-face; pip install batch-face.") from error
        network = load_network(path)  # strictly: batch-face would take half of them
        if not isinstance(network, MobileNetRetinaFace):
            raise UserError(
                f"batch-face runs the public RetinaFace MobileNet-0.25 weights, not those in {path}; name that .pth."
            )
        device = torch.device(device)
        number = -1 if device.type == "cpu" else device.index or 0
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
            file = Path(folder) / "weights.pth"
            torch.save(network.state_dict(), file)
            detector = batch_face.RetinaFace(
                gpu_id=number, device=device.type, model_path=str(file), network="mobilenet"
            )
        return cls(detector, conf=conf, max_faces=max_faces, imgsz=imgsz)

    def warm_up(
        self, sizes_hw: Iterable[tuple[int, int]], *, amp: bool = True, trial: Callable[[], np.ndarray] | None = None
    ) -> None:
        """It cannot be prepared."""

    def close(self) -> None:
        """It has no threads of its own."""

    def __call__(self, frames: Sequence[np.ndarray], *, imgsz: Sequence[int | None] | None = None) -> list[Faces]:
        """As `retinaface.face.Detector`."""
        sizes = [self.imgsz] * len(frames) if imgsz is None else imgsz
        return [self._detect(frame, size) for frame, size in zip(frames, sizes, strict=True)]

    def _detect(self, frame_rgb: np.ndarray, imgsz: int | None) -> Faces:
        frame_bgr = np.ascontiguousarray(frame_rgb[..., ::-1])  # what the weights were trained on
        reduced = max(1.0, max(frame_bgr.shape[:2]) / imgsz) if imgsz else 1.0
        found = self.detector(frame_bgr, threshold=self.conf, max_size=imgsz if reduced > 1 else -1, return_dict=False)
        faces = [
            Face(np.asarray(box, np.float32), np.asarray(points, np.float32).reshape(5, 2), float(score))
            for box, points, score in found
        ]
        faces.sort(key=lambda face: -face.score)
        return best_faces(faces, self.max_faces, reduced=reduced)
