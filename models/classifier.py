"""Classifier: crops in, probabilities of expressions out.

In:  crops (N, S, S, 3) uint8 RGB.
Out: a `NetworkPrediction`: probabilities (N, K) float32, K in the order of `class_names`; heatmaps on request.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models.checkpoint import ONNX_FORMAT, SHIPPED, UNEXPLAINED, Checkpoint, load_checkpoint
from models.engines import Engine, OnnxEngine, TorchEngine
from models.header import matrix, number, numbers
from models.prediction import NetworkPrediction
from models.preprocess import CROP_TEMPLATE, Preprocess
from models.spec import find_spec
from support import UserError, notify
from support.metrics import softmax
from support.onnx.session import open_session

if TYPE_CHECKING:  # torch is imported where it is used: a start with ONNX Runtime needs none
    import torch
    from torch import nn

    from gradcam import Cells

BATCH = 256  # faces a forward pass, where a whole split is classified
CONFIDENCES, PRIORS = ("crowd", "label"), ("dataset", "balanced")
EXPORT = "python -m models.export --weights"
CALIBRATE = "python -m evaluation.classification.calibrate, with the data set of the training, writes it into the file"


class Classifier:
    """A trained network with its preprocessing and its class names, on one device.

    A network trained by KL divergence on votes says which share of a crowd would name each class, and is right about
    that (confidence="crowd"). Asked how likely the crowd's majority label is, the same numbers are too cautious:
    confidence="label" applies what was fitted for that question on validation data (models/training/calibration.py).

    Both answer for faces among which classes are as frequent as in the training: prior="dataset", for which a data
    set's figures are given. One disgusted face in a hundred there is not one in a hundred before a webcam: with
    prior="balanced" that prior is taken out as far as validation's balanced accuracy says (`Checkpoint.prior_bias`).

    checkpoint: it runs in torch on `device`, unless another `engine` is given.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        device: torch.device | str = "cpu",
        confidence: str = "crowd",
        prior: str = "dataset",
        engine: Engine | None = None,
    ) -> None:
        if confidence not in CONFIDENCES:
            raise UserError(f"--confidence takes {' or '.join(CONFIDENCES)}, not {confidence!r}.")
        if prior not in PRIORS:
            raise UserError(f"--prior takes {' or '.join(PRIORS)}, not {prior!r}.")
        self.preprocess = checkpoint.preprocess
        self.class_names = checkpoint.class_names
        self.confidence, self.prior = confidence, prior
        crowd_bias, label_bias = np.zeros(len(self.class_names)), np.array(checkpoint.class_bias)
        if prior == "balanced":
            crowd_bias = label_bias = checkpoint.prior_bias
        self.bias_and_temperature = {  # by confidence, of its softmax; the bias is (K,)
            "crowd": (np.array(crowd_bias, np.float32), checkpoint.crowd_temperature),
            "label": (np.array(label_bias, np.float32), checkpoint.temperature),
        }
        self.name, self.device, self.settings = checkpoint.network, device, checkpoint.settings
        self.engine = engine or torch_engine(checkpoint, device)

    @classmethod
    def from_file(
        cls,
        path: str | Path | None = None,
        *,
        device: torch.device | str = "cpu",
        confidence: str = "crowd",
        prior: str = "dataset",
        engine: str = "auto",
        threads: int = 2,
    ) -> Classifier:
        """The classifier in the file at `path`, X.safetensors or X.onnx; the shipped one where `path` is left out.

        prior: "balanced" becomes "dataset", with a notice, where the file does not say what of the training's class
            prior is to be taken out.
        engine, threads: as for `support.onnx.session.open_session`.
        """
        path = SHIPPED if path is None else Path(path)
        session, advice = open_session(
            path, wanted_format=ONNX_FORMAT, engine=engine, device=device, threads=threads, command=EXPORT
        )
        if session is not None:
            checkpoint = Checkpoint.from_header(session.metadata, {}, path=path)
            check_crop(session.metadata, path=path)
            head, cells = explanation_of(session.metadata, len(checkpoint.class_names), path=path)
            if head is not None:
                blank = checkpoint.preprocess.array(np.zeros((1, 8, 8, 3), np.uint8))
                session.check_outputs(blank, [(1, len(head)), (1, head.shape[1], -1, -1)], path=path)
                onnx_engine = OnnxEngine(session, checkpoint.preprocess, head, cells=cells)
                known = known_prior(prior, checkpoint, path)
                return cls(checkpoint, confidence=confidence, prior=known, engine=onnx_engine)
            if engine == "onnx" or path.suffix == ".onnx":
                weights, without = path.with_suffix(".safetensors"), ", without --engine onnx" * (engine == "onnx")
                raise UserError(f"ONNX Runtime cannot explain {path.name}: {UNEXPLAINED}; give --weights {weights}, "
                                f"which torch explains{without}.")  # fmt: skip
        checkpoint = load_checkpoint(path)
        if advice:
            notify(advice)
        return cls(checkpoint, device=device, confidence=confidence, prior=known_prior(prior, checkpoint, path))

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width in pixels of what the network sees, and of heatmaps."""
        return self.preprocess.size_hw

    @property
    def computing(self) -> str:
        """As that of `TorchEngine`."""
        return self.engine.computing

    def warm_up(self, *, amp: bool = True) -> None:
        """On a device, prepare fast passes for any number of crops of `size_hw`, in a thread.

        amp: as for `TorchEngine.warm_up`.
        """
        self.engine.warm_up(self.size_hw[0], amp=amp)

    def forward(self, crops: np.ndarray, *, tta: bool = False) -> NetworkPrediction:
        """One pass of crops (N, S, S, 3) uint8 RGB; N may be 0. With `tta` each goes in with its mirror image."""
        both = np.concatenate([crops, crops[:, :, ::-1]]) if tta else crops
        return NetworkPrediction(self.engine.forward(both), self.to_probabilities, tta=tta)

    def to_probabilities(self, logits: np.ndarray, *, confidence: str = "") -> np.ndarray:
        """(N, K) logits -> (N, K), the same dtype, whose rows sum to 1, as `confidence` asks; "": the constructor's."""
        if not np.isfinite(logits).all():
            raise UserError(f"{self.name} gives numbers that are not finite; name other --weights.")
        bias, temperature = self.bias_and_temperature[confidence or self.confidence]
        return softmax((logits + bias) / temperature)

    def logits(self, crops: Iterable[np.ndarray]) -> np.ndarray:
        """(N, K) float32 of square uint8 RGB crops, which may differ in size; N may be 0. Each is asked for once."""
        return in_batches(self.engine.logits, crops)

    def probabilities(self, crops: np.ndarray | Sequence[np.ndarray], *, tta: bool = False) -> np.ndarray:
        """(N, K) float32 of crops as for `logits`; with `tta` the mean over each crop and its mirror image."""
        probabilities = self.to_probabilities(self.logits(crops))
        if tta:
            mirrored = self.to_probabilities(self.logits(crop[:, ::-1] for crop in crops))
            probabilities = (probabilities + mirrored) / 2
        return probabilities


def known_prior(prior: str, checkpoint: Checkpoint, path: Path) -> str:
    """`prior`, but "dataset", with a notice, where it is "balanced" and the file at `path` does not say how much."""
    doubts = checkpoint.scores.get("not_calibrated")
    if prior != "balanced" or (checkpoint.class_prior and (checkpoint.prior_tau or not doubts)):
        return prior
    why = "does not know how often its training showed each class"
    if checkpoint.class_prior:
        why = f"is not calibrated ({doubts[0]})" if isinstance(doubts, list) else "is not calibrated"
    notify(f"{path.name} {why}, so that prior stays in; {CALIBRATE}.")
    return "dataset"


def check_crop(metadata: Mapping[str, Any], *, path: Path) -> None:
    """`UserError` where an .onnx file's network wants crops by another template than `CROP_TEMPLATE`."""
    if metadata.get("crop_template", CROP_TEMPLATE.tolist()) != CROP_TEMPLATE.tolist():
        raise UserError(f"{path} was exported for faces that are cropped in another way; export it again.")


def explanation_of(metadata: Mapping[str, Any], classes: int, *, path: Path) -> tuple[np.ndarray | None, Cells]:
    """`head` (K, C) float32 or None, and `cells`, of an .onnx file's metadata (`models.export.metadata_of`)."""
    head, cells = metadata.get("head"), metadata.get("cells")
    try:
        rows = None if head is None else np.array(matrix(head, what="head", rows=classes), np.float32)
        first, step = numbers(cells, 2, what="cells") if cells is not None else (0, 1)
        number(step, what="the step of cells", above=0)
    except ValueError as error:
        raise UserError(f"{path} does not describe its network: {error}; export it again.") from error
    return rows, None if cells is None else (first, step)


def torch_engine(checkpoint: Checkpoint, device: torch.device | str) -> TorchEngine:
    """The checkpoint's network in torch on `device`."""
    import torch

    network = checkpoint.build().to(device).to(memory_format=torch.channels_last).requires_grad_(False)
    spec = find_spec(checkpoint.network)
    layer = spec.explain_layer
    return TorchEngine(network, checkpoint.preprocess, device=device, layer=layer, cells=spec.cells, warp=spec.warp)


def predict_logits(
    network: nn.Module, preprocess: Preprocess, crops: np.ndarray | Sequence[np.ndarray], *, device: torch.device | str
) -> np.ndarray:
    """(N, K) float32 logits of a torch network, which is left in eval mode, as `Classifier.logits` gives them."""
    return in_batches(TorchEngine(network, preprocess, device=device).logits, crops)


def in_batches(logits_of: Callable[[np.ndarray], np.ndarray], crops: Iterable[np.ndarray]) -> np.ndarray:
    """What `logits_of` gives for up to `BATCH` crops of one size, (N, K), for any number of crops of any size.

    Each crop is asked for once, and no more than `BATCH` are held: they may be decoded only then. Those of one size
    that follow one another share a pass.
    """
    rows = []
    for _, of_one_size in itertools.groupby(crops, key=np.shape):
        while batch := list(itertools.islice(of_one_size, BATCH)):
            rows.append(logits_of(np.stack(batch)))
    return np.concatenate(rows) if rows else logits_of(np.empty((0, 8, 8, 3), np.uint8))
