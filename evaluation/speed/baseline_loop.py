"""The loop as most projects write it, to compare with: python -m evaluation.speed.baseline_loop --faces 1 5 --sizes 640x480

In:  crowds (`evaluation/speed/synthetic_video.py`).
Out: on stdout, as JSON, how long its frames took: a list with one entry a size and number of faces.

batch-face finds the faces on the whole frame; each is cut out, brought to 224 pixels and read by a ResNet-18 by
itself; Grad-CAM comes from a backward pass through the whole network. The ResNet is untrained: only its speed counts.
`python -m evaluation.speed --compare batch-face` runs this as a process of its own, with torch as it comes.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor
from torchvision.models import resnet18

from evaluation.speed.synthetic_video import crowd_film, size_of
from evaluation.speed.timing import spread
from retinaface.batch_face import BatchFaceDetector
from retinaface.face import Face
from support import command, pick_device, run_and_exit, setting, write_json

SIDE = 224
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, as torchvision's networks want them
CLASSES = 7
FEWEST = 3  # frames that are measured whatever time they take


@dataclass
class Settings:
    """Flags of `python -m evaluation.speed.baseline_loop`; those of `evaluation.speed.__main__` are the same."""

    faces: list[int] = setting([1, 5, 20], "how many faces a frame shows", metavar="N")
    sizes: list[str] = setting(["640x480"], "sizes of the frames", metavar="WxH")
    device: str = setting("auto", "auto, cpu, mps, cuda or cuda:N")
    seconds: float = setting(2.0, "how long each measurement takes")


def run(settings: Settings) -> int:
    """Parse flags, measure, print."""
    loop = PlainLoop(device=pick_device(settings.device))
    rows = []
    for size in settings.sizes:
        for faces in settings.faces:
            film = crowd_film(faces, size_of(size))
            rows.append({"size": size, "faces": faces} | frame_times(loop, film, seconds=settings.seconds))
    write_json(rows)
    return 0


def frame_times(loop: PlainLoop, film: Sequence[np.ndarray], *, seconds: float) -> dict:
    """`frame_ms` and `detect_ms` as spreads, `fps`, and the fewest and the most faces `found` in a frame."""
    loop(film[0])
    frame_ms, detect_ms, found = [], [], []
    started = time.perf_counter()
    while len(frame_ms) < FEWEST or time.perf_counter() - started < seconds:
        _, faces = loop(film[len(frame_ms) % len(film)])
        frame_ms.append(sum(loop.took_ms.values()))
        detect_ms.append(loop.took_ms["detect"])
        found.append(faces)
    return {
        "fps": 1000 * len(frame_ms) / sum(frame_ms),
        "frame_ms": spread(frame_ms),
        "detect_ms": spread(detect_ms),
        "found": {"fewest": min(found), "most": max(found)},
    }


class PlainLoop:
    """Detection, classification, heatmap and drawing, one face after the other; `took_ms` tells of the last frame."""

    def __init__(self, *, device: torch.device | str = "cpu") -> None:
        self.detector = BatchFaceDetector.from_file(device=device, longest_side=None)
        self.network = resnet18(weights=None, num_classes=CLASSES).to(device).eval()
        self.network.layer4.register_forward_hook(self._keep)
        self.device = device
        self.took_ms: dict[str, float] = {}

    def _keep(self, module: torch.nn.Module, inputs: tuple, output: Tensor) -> None:
        output.retain_grad()
        self.activation = output

    def __call__(self, frame_rgb: np.ndarray) -> tuple[np.ndarray, int]:
        """The frame with boxes, labels and heat, a new array, and how many faces it shows."""
        started = time.perf_counter()
        (faces,) = self.detector([frame_rgb])
        found = time.perf_counter()
        annotated = frame_rgb.copy()
        for face in faces:
            self._explain(frame_rgb, annotated, face)
        done = time.perf_counter()
        self.took_ms = {"detect": 1000 * (found - started), "faces": 1000 * (done - found)}
        return annotated, len(faces)

    def _explain(self, frame_rgb: np.ndarray, annotated: np.ndarray, face: Face) -> None:
        height, width = frame_rgb.shape[:2]
        left, top, right, bottom = np.clip(face.box_xyxy.round(), 0, [width, height] * 2).astype(int)
        if right - left < 2 or bottom - top < 2:
            return
        crop = cv2.resize(frame_rgb[top:bottom, left:right], (SIDE, SIDE))
        x = (torch.from_numpy(crop).to(self.device).float() / 255 - self._per_channel(MEAN)) / self._per_channel(STD)
        logits = self.network(x.permute(2, 0, 1)[None])
        index = int(logits.argmax())
        self.network.zero_grad()
        logits[0, index].backward()
        weights = self.activation.grad.mean(dim=(2, 3), keepdim=True)
        heat = (weights * self.activation).sum(dim=1)[0].relu().detach().cpu().numpy()
        heat = cv2.resize(heat / max(float(heat.max()), 1e-7), (int(right - left), int(bottom - top)))
        colour = cv2.applyColorMap((255 * heat).astype(np.uint8), cv2.COLORMAP_JET)[..., ::-1]
        ground = annotated[top:bottom, left:right]
        ground[:] = cv2.addWeighted(ground, 0.5, colour, 0.5, 0)
        share = float(logits.detach()[0].softmax(dim=0)[index])
        cv2.rectangle(annotated, (int(left), int(top)), (int(right), int(bottom)), (0, 255, 0), 2)
        cv2.putText(annotated, f"{index} {share:.2f}", (int(left), int(top) - 6), 0, 0.6, (0, 255, 0), 2)

    def _per_channel(self, values: tuple[float, ...]) -> Tensor:
        return torch.tensor(values, device=self.device)


main = command(Settings, run, prog="python -m evaluation.speed.baseline_loop", doc=__doc__)

if __name__ == "__main__":
    run_and_exit(main)
