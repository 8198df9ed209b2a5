"""What is asked of every film and picture of an archive: the settings that decide the numbers.

In:  flags.
Out: `Analysis`, which goes to every process; its digest, by which a folder of results knows what it holds.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from models.checkpoint import SHIPPED as SHIPPED_CLASSIFIER
from pipeline.options import PredictOptions
from pipeline.run import EmotionPipeline
from retinaface.defaults import CONF, IMGSZ
from retinaface.detector import SHIPPED as SHIPPED_DETECTOR
from support import UserError
from support.onnx.session import file_sha256

FORMAT = "archive/1"  # of a folder of results
BATCH = {"cpu": 1, "mps": 16, "cuda": 32}  # frames a pass; on a CPU a frame's numbers owe nothing to its neighbours


@dataclass(frozen=True)
class Analysis:
    """Names are those of the flags.

    weights, detector_weights: empty for the shipped ones. imgsz: None: 640 for films, pictures at their own size; 0:
    all at their own. heatmaps: an explainer, or None. columns: names of own columns. device: does not decide numbers.
    """

    weights: tuple[str, ...] = ()
    detector_weights: str = ""
    imgsz: int | None = None
    conf: float = CONF
    max_faces: int = 20
    confidence: str = "crowd"
    prior: str = "balanced"
    tta: bool = False
    smooth_s: float = PredictOptions.smooth_s
    step: int = 1
    stretch_s: float = 120.0
    heatmaps: str | None = None
    crops: bool = False
    columns: tuple[str, ...] = ()
    device: str = "cpu"

    def described(self) -> dict[str, object]:
        """All that decides the numbers, as JSON values; weights by their SHA-256."""
        values = dataclasses.asdict(self) | {"format": FORMAT, "columns": list(self.columns)}
        del values["device"]
        values["weights"] = [_sha256(path) for path in self.weights or (str(SHIPPED_CLASSIFIER),)]
        values["detector_weights"] = _sha256(self.detector_weights or str(SHIPPED_DETECTOR))
        return values

    def pipeline(self) -> EmotionPipeline:
        """The networks, with one thread each."""
        return EmotionPipeline.from_files(
            weights=self.weights,
            detector_weights=self.detector_weights or None,
            device=self.device,
            threads=1,
            conf=self.conf,
            max_faces=self.max_faces,
            imgsz=IMGSZ if self.imgsz is None else self.imgsz or None,
            confidence=self.confidence,
            prior=self.prior,
            options=PredictOptions(self.heatmaps, None, self.tta, self.smooth_s),
        )

    @property
    def batch_size(self) -> int:
        """Frames a pass."""
        return BATCH[self.device.partition(":")[0]]


def digest_of(described: dict[str, object]) -> str:
    """16 hexadecimal digits."""
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:16]


def _sha256(path: str) -> str:
    if not Path(path).is_file():
        raise UserError(f"there is no file {path}; name existing weights.")
    return file_sha256(path)
