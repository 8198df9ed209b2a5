"""Time the loop as most projects write it: python -m evaluation.speed.baseline_loop --detector-weights PUBLIC.pth

In:  synthetic videos (synthetic_video.py).
Out: on stdout, as JSON, how long its frames took: a list with one entry a size and number of faces.

batch-face detects faces on the whole frame; each is cut out, resized to 224 pixels and classified by a ResNet-18 alone;
Grad-CAM comes from a backward pass through the whole network. The ResNet is untrained: only its speed counts.
`python -m evaluation.speed --compare PUBLIC.pth` runs this as a process of its own, with torch's own settings.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torchvision.models import resnet18
from torchvision.transforms.functional import normalize

from evaluation.speed.synthetic_video import parse_size, synthetic_video
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
    """Flags of `python -m evaluation.speed.baseline_loop`; those of `python -m evaluation.speed` mean the same."""

    detector_weights: str = setting("", "the public RetinaFace MobileNet-0.25 weights", metavar="FILE.pth")
    faces: list[int] = setting([1, 5, 20], "how many faces a frame shows", metavar="N", within=(0, 1000))
    sizes: list[str] = setting(["640x480"], "sizes of the frames", metavar="WxH")
    device: str = setting("auto", "auto, cpu, mps, cuda or cuda:N")
    seconds: float = setting(2.0, "how long each measurement takes", within=(0.01, 86400))


def run(settings: Settings) -> int:
    """Measure, print."""
    loop = BaselineLoop(settings.detector_weights or None, device=pick_device(settings.device))
    rows = []
    for size in settings.sizes:
        for faces in settings.faces:
            video = synthetic_video(faces, parse_size(size))
            rows.append({"size": size, "faces": faces} | frame_times(loop, video, seconds=settings.seconds))
    write_json(rows)
    return 0


class BaselineLoop:
    """Detection, classification, heatmap and drawing, one face after the other; `took_ms` is of the last frame."""

    def __init__(self, detector_weights: str | Path | None, *, device: torch.device | str = "cpu") -> None:
        self.detector = BatchFaceDetector.from_file(detector_weights, device=device, imgsz=None)
        self.network = resnet18(weights=None, num_classes=CLASSES).to(device).eval()
        self.network.layer4.register_forward_hook(self._keep_activation)
        self.device = device
        self.activation = torch.empty(0)
        self.took_ms: dict[str, float] = {}

    def _keep_activation(self, module: torch.nn.Module, inputs: tuple, output: Tensor) -> None:
        output.retain_grad()
        self.activation = output

    def __call__(self, frame_rgb: np.ndarray) -> tuple[np.ndarray, int]:
        """The frame with boxes, labels and heatmaps, a new array, and how many faces were detected."""
        started = time.perf_counter()
        (faces,) = self.detector([frame_rgb])
        detected = time.perf_counter()
        annotated = frame_rgb.copy()
        for face in faces:
            self._annotate(frame_rgb, annotated, face)
        done = time.perf_counter()
        self.took_ms = {"detect": 1000 * (detected - started), "faces": 1000 * (done - detected)}
        return annotated, len(faces)

    def _annotate(self, frame_rgb: np.ndarray, annotated: np.ndarray, face: Face) -> None:
        """Classify and explain one face, and draw the result into `annotated`, in place."""
        height, width = frame_rgb.shape[:2]
        left, top, right, bottom = np.clip(face.box_xyxy.round(), 0, [width, height] * 2).astype(int).tolist()
        if right - left < 2 or bottom - top < 2:
            return
        crop = cv2.resize(frame_rgb[top:bottom, left:right], (SIDE, SIDE))
        x = normalize(torch.from_numpy(crop).to(self.device).permute(2, 0, 1) / 255, MEAN, STD)
        logits = self.network(x[None])
        index = int(logits.argmax())
        heatmap = cv2.resize(self._grad_cam(logits[0, index]), (right - left, bottom - top))
        colour_rgb = cv2.applyColorMap((255 * heatmap).astype(np.uint8), cv2.COLORMAP_JET)[..., ::-1]
        region = annotated[top:bottom, left:right]
        region[:] = cv2.addWeighted(region, 0.5, colour_rgb, 0.5, 0)
        confidence = float(logits.detach()[0].softmax(dim=0)[index])
        cv2.rectangle(annotated, (left, top), (right, bottom), (0, 255, 0), 2)
        cv2.putText(annotated, f"{index} {confidence:.2f}", (left, top - 6), 0, 0.6, (0, 255, 0), 2)

    def _grad_cam(self, score: Tensor) -> np.ndarray:
        """(h, w) float32 in [0, 1], by a backward pass through the whole network."""
        self.network.zero_grad()
        score.backward()
        gradient = self.activation.grad
        assert gradient is not None, "retain_grad keeps it"
        weights = gradient.mean(dim=(2, 3), keepdim=True)
        heatmap = (weights * self.activation).sum(dim=1)[0].relu().detach().cpu().numpy()
        return heatmap / max(float(heatmap.max()), 1e-7)


def frame_times(
    loop: BaselineLoop,
    video: Sequence[np.ndarray],
    *,
    seconds: float,
    clock: Callable[[], float] = time.perf_counter,
) -> dict:
    """`frame_ms` and `detect_ms` as spreads, `fps`, and the fewest and the most faces `detected` in a frame."""
    loop(video[0])
    rows: list[tuple[float, float, int]] = []
    started = clock()
    while len(rows) < FEWEST or clock() - started < seconds:
        _, faces = loop(video[len(rows) % len(video)])
        rows.append((sum(loop.took_ms.values()), loop.took_ms["detect"], faces))
    frame_ms, detect_ms, detected = zip(*rows, strict=True)
    return {
        "fps": 1000 * len(frame_ms) / sum(frame_ms),
        "frame_ms": spread(frame_ms),
        "detect_ms": spread(detect_ms),
        "detected": {"fewest": min(detected), "most": max(detected)},
    }


main = command(Settings, run, prog="python -m evaluation.speed.baseline_loop", doc=__doc__)

if __name__ == "__main__":
    run_and_exit(main)
