"""The training of the detector: a step of the optimiser, validation, saving and resuming.

In:  the settings of a run, annotated pictures for training and for validation.
Out: the run's folder, see retinaface/training/__main__.py.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
import multiprocessing
import time
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from retinaface.checkpoint import FORMAT, load_network
from retinaface.detector import RetinaFace
from retinaface.export import export_weights
from retinaface.metrics import LOWEST_SCORE, match_pictures, scores_of
from retinaface.network import RetinaFaceNetwork
from retinaface.training.annotations import Picture
from retinaface.training.loss import WEIGHTS, Targets, multi_task_loss
from retinaface.training.windows import WindowBatches, WindowMaker
from support import FAILED, UserError, setting
from support.process import ignore_stop_signals, stop_requests
from support.training.distributed import Distributed
from support.training.learner import BaseLearner, lr_factor
from support.training.run_log import RunLog
from support.training.run_state import STOPPING, RunFolder
from support.training.state_check import check_count, check_history
from support.weights import save_tensors

CLIP_NORM = 10.0
TRAINING_COLUMNS = ("quality", "box", "landmark", "step_s")  # of metrics.csv; the others are validation scores


@dataclasses.dataclass
class Settings:
    """All that decides a run; `python -m retinaface.training --help` shows it."""

    annotations: list[str] = setting([], "annotations, one JSON object a line", metavar="FILE.jsonl")
    images: list[str] = setting([], "for each of them the folder that its picture names start from", metavar="DIR")
    labels: list[str] = setting(
        [], "for each of them pseudo-labels: faces nobody boxed, landmarks nobody set", metavar="FILE.jsonl"
    )
    init: str = setting("", "detector weights to start from", metavar="FILE")
    out: str = setting("runs/detector", "folder of this run", metavar="DIR")
    steps: int = setting(10000, "steps of the optimiser", within=(1, math.inf))
    pixels: int = setting(16 * 448 * 448, "pixels a step; how many windows depends on their size", within=(1, math.inf))
    sizes: list[int] = setting(
        [320, 448, 640],
        "sides of the windows in pixels, one of them at random a step",
        within=(32, 4096),
        nargs="+",
    )
    lr: float = setting(3e-3, "highest learning rate of AdamW", within=(0, 1e3))
    warmup: float = setting(0.03, "share of the run in which the learning rate rises from 0", within=(0, 1))
    weight_decay: float = setting(0.02, "decay of weights; norms and biases have none", within=(0, 1))
    ema: float = setting(0.999, "decay of the weights' moving average, which is what is saved", within=(0, 0.99999))
    save_every: int = setting(500, "steps between validations, each of which saves everything", within=(1, math.inf))
    seed: int = setting(0, "seed of weights and windows", within=(0, math.inf))
    workers: int = setting(1, "processes that make windows", within=(0, 1000))
    bfloat16: bool = setting(False, "compute in bfloat16: faster on cuda, and on processors that have it")
    threads: int = setting(0, "CPU threads of torch; 0: torch's default", within=(0, math.inf))
    device: str = setting("auto", "auto, cpu, mps, cuda or cuda:N")
    tensorboard: bool = setting(False, "also write events for `tensorboard --logdir DIR`")
    resume: bool = setting(False, "continue the run in --out, which then has the same settings")


class Trainer:
    """One run: the windows, the learner, and how far it has come."""

    def __init__(self, settings: Settings, train: list[Picture], val: list[Picture], distributed: Distributed) -> None:
        s = settings
        self.settings, self.val, self.distributed = settings, val, distributed
        self.maker = WindowMaker(train)
        self.folder = RunFolder(s.out, s, distributed, data=digests(train=train, validation=val))
        network = load_network(s.init) if s.init and not s.resume else RetinaFaceNetwork()
        if not isinstance(network, RetinaFaceNetwork):
            raise UserError(f"--init takes weights that this command trained, not the public ones in {s.init}.")
        self.learner = BaseLearner(
            network,
            distributed,
            optimiser="adamw",
            weight_decay=s.weight_decay,
            ema=s.ema,
            clip_norm=CLIP_NORM,
            mixed=False,
        )
        self.parallel = distributed.parallel(network)
        self.step = 0
        self.losses: list[tuple[float, float, float]] = []  # of the steps since the last validation
        self.history: list[dict[str, float]] = []

    def run(self) -> int:
        """Train to the end; 0, or 130 where Ctrl-C or SIGTERM stopped it (everything saved)."""
        s, distributed = self.settings, self.distributed
        state = self.folder.begin()
        if state:
            self.learner.load_state(state)
            check_count(state.get("step"), s.steps, what="step")
            check_history(state.get("history"), rows=None, columns=["step"])
            self.step, self.history = state["step"], state["history"]
            self.losses = [tuple(row) for row in state.get("losses", torch.empty(0, 3)).tolist()]
        batches = WindowBatches(
            self.maker,
            steps=s.steps,
            pixels=s.pixels,
            sizes=s.sizes,
            seed=s.seed,
            first=self.step,
            rank=distributed.rank,
            world_size=distributed.world_size,
        )
        loader = DataLoader(batches, batch_size=None, num_workers=s.workers, worker_init_fn=ignore_stop_signals)
        log = RunLog(
            self.folder.path,
            steps=s.steps,
            done=self.step,
            silent=not distributed.is_main,
            training=TRAINING_COLUMNS,
            tensorboard=s.tensorboard,
        )
        with stop_requests(STOPPING) as stop_requested:
            try:
                self.train(loader, log, stop_requested)
            except BaseException as error:
                for process in multiprocessing.active_children():
                    process.kill()  # they ignore the signal by which Python would end them
                if not lost_a_worker(error):
                    raise
                raise UserError(
                    "a process that makes windows has ended; was the memory full? --resume continues.", exit_code=FAILED
                ) from error
            if self.step < s.steps:
                self.save(self.learner.averaged())
                log.close(self.history, f"stopped after step {self.step}; everything is saved, --resume continues")
                return 130
        log.close(self.history, "done")
        self.folder.export(export_weights, "weights.safetensors")
        return 0

    def train(
        self, loader: Iterable[tuple[Tensor, ...] | UserError], log: RunLog, stop_requested: Callable[[], bool]
    ) -> None:
        """The steps that are still to do, or until a stop is requested; validates and saves every `save_every`."""
        s, started, resumed = self.settings, time.perf_counter(), len(self.losses)
        for batch in loader:
            if isinstance(batch, UserError):
                raise batch
            if self.distributed.mean(stop_requested()) > 0:  # on any process: all stop at the same step
                return
            images, *targets = (part.to(self.distributed.device, non_blocking=True) for part in batch)
            self.losses.append(self.train_step(images, Targets(*targets)))
            self.step += 1
            log.step(sum(self.losses[-1]))
            if self.step % s.save_every == 0 or self.step == s.steps:
                step_s = (time.perf_counter() - started) / (len(self.losses) - resumed)
                losses, self.losses = np.mean(self.losses, axis=0), []
                self.validate_and_save(losses, step_s, log)
                started, resumed = time.perf_counter(), 0

    def train_step(self, images: Tensor, targets: Targets) -> tuple[float, float, float]:
        """One step of the optimiser; the quality, box and landmark loss before it. images: (N, S, S, 3) uint8 RGB."""
        self.parallel.train()
        with torch.autocast(images.device.type, torch.bfloat16, enabled=self.settings.bfloat16):
            outputs = self.parallel(RetinaFaceNetwork.to_input(images))
        losses = multi_task_loss(outputs, targets, side=images.shape[1], mean=self.distributed.mean)
        loss = torch.stack([weight * part for weight, part in zip(WEIGHTS, losses, strict=True)]).sum()
        if not torch.isfinite(loss):
            raise UserError(f"the loss is {loss.item()}; start a new run with a lower --lr.", exit_code=FAILED)
        self.learner.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        s = self.settings
        self.learner.update(lr=s.lr * lr_factor(self.step / s.steps, warmup=s.warmup))
        quality, box, landmark = self.distributed.means([loss.item() for loss in losses])
        return quality, box, landmark

    def validate_and_save(self, losses: np.ndarray, step_s: float, log: RunLog) -> None:
        """A row of scores, and the weights and the state of this step; all processes must call it."""
        network = self.learner.averaged()
        if not self.distributed.is_main:
            return
        row = {"step": self.step, "quality": losses[0], "box": losses[1], "landmark": losses[2], "step_s": step_s}
        self.history.append({name: round(float(value), 4) for name, value in (row | self.validate(network)).items()})
        log.row(self.history)
        self.save(network)

    def validate(self, network: RetinaFaceNetwork) -> dict[str, float]:
        """AP, landmark error and false positives for each source of validation pictures, where they are defined."""
        detector = RetinaFace(network, conf=LOWEST_SCORE, imgsz=None)
        row: dict[str, float | None] = {}
        for source in sorted({source_of(picture.name) for picture in self.val}):
            scores = scores_of(match_pictures([p for p in self.val if source_of(p.name) == source], detector))
            row |= {f"{source}_ap": scores.ap, f"{source}_landmark_error": scores.landmark_error,
                    f"{source}_false": scores.false_positives, f"{source}_images": scores.images}  # fmt: skip
        return {name: value for name, value in row.items() if value is not None}

    def save(self, network: RetinaFaceNetwork) -> None:
        """The weights of `network`, the moving average, and all that --resume needs; one process writes them."""
        if not self.distributed.is_main:
            return
        header = {"format": FORMAT, "settings": dataclasses.asdict(self.settings), "scores": self.history[-1:]}
        save_tensors(self.folder.path / "weights.safetensors", network.state_dict(), header=header)
        losses = torch.tensor(self.losses, dtype=torch.float64).reshape(-1, 3)
        self.folder.save({"step": self.step, "history": self.history, "losses": losses} | self.learner.state())


def digests(**pictures: Sequence[Picture]) -> dict[str, str]:
    """For each set of pictures a digest of their names and annotations, by which a run knows them again."""
    found = {}
    for name, some in pictures.items():
        digest = hashlib.sha256()
        for picture in some:
            digest.update(picture.name.encode())
            for values in (picture.boxes, picture.landmarks, picture.ignore):
                digest.update(values.tobytes())
            flags = (picture.complete, picture.boxes_by_hand, picture.landmarks_by_hand, picture.false_score)
            digest.update(repr(flags).encode())
        found[f"{name} pictures"] = digest.hexdigest()[:16]
    return found


def source_of(name: str) -> str:
    """The folder that a picture's name begins with, else "all"."""
    folder, slash, _ = name.partition("/")
    return folder if slash else "all"


def lost_a_worker(error: BaseException) -> bool:
    """Is it what torch, or Python while a batch is handed over, raises where a process of a loader has been killed?"""
    if isinstance(error, ConnectionError | EOFError):
        return not str(error).startswith("Caught ")  # a mistake in what runs there
    return isinstance(error, RuntimeError) and "DataLoader worker (pid" in str(error)
