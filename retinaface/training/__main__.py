"""Train the detector from scratch: python -m retinaface.training --annotations A.jsonl --images DIR --out runs/detector

In:  annotated pictures (see retinaface/training/annotations.py), optionally teacher weights that complete the annotations.
Out: weights.safetensors (what live.py takes as --detector-weights), last.pt (to resume), metrics.csv, settings.json.

torchrun --nproc-per-node=2 -m retinaface.training.__main__ ... shares each step's scenes, as many for each, among two processes;
batch norms are those of all of them on cuda, and of each one's share elsewhere.
"""

from __future__ import annotations

import dataclasses
import math
import os
import signal
import time
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that spin while they wait starve each other
os.environ.setdefault("GOMP_SPINCOUNT", "0")

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from retinaface.anchors import anchors_for
from retinaface.detector import FORMAT, RetinaFace, read_weights
from retinaface.metrics import LOWEST_SCORE, match_pictures, scores_of
from retinaface.network import RetinaFaceNetwork, to_input, with_folded_norms
from retinaface.training.annotations import (
    DOUBTFUL,
    Picture,
    landmark_bias_of,
    read_annotations,
    read_pictures,
    split_of,
    taught,
)
from retinaface.training.distillation import distillation_loss
from retinaface.training.loss import match, multi_task_loss
from retinaface.training.scenes import SceneMaker
from support import UserError, atomic_write, command, notify, pick_device, run_and_exit, setting
from support.training.distributed import Distributed, distributed_on
from support.training.ema import running_mean
from support.training.run_state import begin_run, newest_state, save_state
from support.training.stopping import stop_requests
from support.weights import load_strictly, save_tensors

LANDMARK_WEIGHT = 3.0  # beside 1 for class and boxes: crops are aligned by them


@dataclasses.dataclass
class Settings:
    """All that decides a run."""

    annotations: list[str] = setting([], "annotations, one JSON object a line", metavar="FILE.jsonl")
    images: list[str] = setting([], "for each of them the folder that its picture names start from", metavar="DIR")
    teacher: str = setting("", "detector weights that mark faces nobody boxed, and missing landmarks", metavar="FILE")
    init: str = setting("", "detector weights to start from", metavar="FILE")
    follow: float = setting(0.0, "weight of learning what the teacher sees on each scene, and what it says")
    out: str = setting("runs/detector", "folder of this run", metavar="DIR")
    steps: int = setting(10000, "steps of the optimiser")
    pixels: int = setting(16 * 320 * 320, "pixels a step; how many scenes depends on their size")
    sizes: list[int] = setting([256, 320, 448, 576], "sides of the scenes, one drawn a step")
    lr: float = setting(3e-3, "highest learning rate of AdamW")
    warmup: int = setting(300, "steps in which the learning rate rises from 0")
    weight_decay: float = setting(0.02, "decay of weights; norms and biases have none")
    ema: float = setting(0.999, "decay of the running mean of the weights, which is what is kept")
    save_every: int = setting(500, "steps between validations, each of which saves everything")
    seed: int = setting(0, "seed of weights and scenes")
    workers: int = setting(1, "processes that make scenes")
    threads: int = setting(0, "CPU threads of torch; 0: as many as torch likes")
    device: str = setting("auto", "auto, cpu, mps, cuda or cuda:N")
    resume: bool = setting(False, "carry on with the run in --out")


class SceneBatches(Dataset):
    """Item `step` is that step's batch, always the same for a seed: (images uint8, kind, boxes, landmarks).

    Of its scenes this process, number `rank` of `ranks`, makes every `ranks`-th.
    """

    def __init__(self, maker: SceneMaker, settings: Settings, *, first: int, rank: int = 0, ranks: int = 1) -> None:
        self.maker, self.settings, self.first, self.rank, self.ranks = maker, settings, first, rank, ranks

    def __len__(self) -> int:
        return self.settings.steps - self.first

    def __getitem__(self, item: int) -> tuple[torch.Tensor, ...]:
        step = self.first + item
        size = int(np.random.default_rng((self.settings.seed, step)).choice(self.settings.sizes))
        count = self.ranks * max(1, round(self.settings.pixels / size**2 / self.ranks))
        mine = range(self.rank, count, self.ranks)
        scenes = [self.maker(np.random.default_rng((self.settings.seed, step, i)), size) for i in mine]
        anchors = anchors_for((size, size))
        targets = [match(anchors, scene.boxes, scene.landmarks, scene.ignore) for scene in scenes]
        columns = [[s.image for s in scenes]] + [
            [getattr(t, n) for t in targets] for n in ("kind", "boxes", "landmarks")
        ]
        return tuple(torch.from_numpy(np.stack(column)) for column in columns)


def run(settings: Settings) -> int:
    """Parse flags, read pictures, train; 0 when done, 130 when Ctrl-C or SIGTERM stopped it (everything saved)."""
    if not settings.annotations or len(settings.annotations) != len(settings.images):
        raise UserError("--annotations FILE.jsonl ... and --images DIR ... are both needed, one folder for each file.")
    if settings.follow and not settings.teacher:
        raise UserError("--follow needs --teacher FILE: the weights to follow.")
    if settings.threads:
        torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.seed)
    with distributed_on(pick_device(settings.device)) as ranks:
        train, val = load_pictures(settings, ranks.device)
        if ranks.first:
            notify(f"training on {ranks.device}: {len(train)} pictures, validating on {len(val)}")
        return Trainer(settings, train, val, ranks).run()


def load_pictures(settings: Settings, device: torch.device) -> tuple[list[Picture], list[Picture]]:
    """The training pictures, completed by the teacher where one is given, and the validation pictures as they are."""
    train, val = [], []
    for file, images in zip(settings.annotations, settings.images, strict=True):
        rows = read_annotations(file)
        train += read_pictures([row for row in rows if split_of(row) == "train"], images)
        val += read_pictures([row for row in rows if split_of(row) == "val"], images)
    if settings.teacher:
        teacher = RetinaFace.from_file(
            settings.teacher,
            device=device,
            threads=settings.threads or 2,
            score_threshold=DOUBTFUL,
            longest_side=None,
        )
        habit = landmark_bias_of(teacher, train)
        train = [taught(p, teacher, habit) if len(p.boxes) else p for p in train]
    maker = SceneMaker(train)
    if not maker.grounds or not maker.portraits:
        files = ", ".join(settings.annotations)
        raise UserError(f"{files}: wanted pictures without a face and portraits with landmarks; one kind is missing.")
    return train, val


def network_with(weights: str) -> RetinaFaceNetwork:
    """The network with the weights in a file, or untrained where none is named."""
    network = RetinaFaceNetwork()
    if weights:
        load_strictly(network, read_weights(weights), what=weights)
    return network


def leave_ctrl_c(worker: int) -> None:
    """A terminal sends Ctrl-C to the workers too; only the trainer shall act on it, and save."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


class Viewed(nn.Module):
    """A detector network, called for what it sees together with what it says."""

    def __init__(self, network: RetinaFaceNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> tuple[list[Tensor], tuple[Tensor, ...]]:
        """The three activations of the backbone and the three that the heads look at; the heads' answers."""
        stages = self.network.body(x)
        levels = self.network.context(stages)
        return [*stages, *levels], self.network.answers(levels)


class Trainer:
    """One run: the network, its running mean, the optimiser, and how far it has come."""

    def __init__(self, settings: Settings, train: list[Picture], val: list[Picture], ranks: Distributed) -> None:
        self.settings, self.val, self.ranks, self.out = settings, val, ranks, Path(settings.out)
        self.maker = SceneMaker(train)
        network = network_with(settings.init)
        self.network = network.to(ranks.device, memory_format=torch.channels_last)
        self.ema = running_mean(self.network, settings.ema)
        self.parallel = ranks.parallel(Viewed(self.network))
        if settings.follow:
            teacher = network_with(settings.teacher).to(ranks.device, memory_format=torch.channels_last)
            self.teacher = Viewed(with_folded_norms(teacher.eval().requires_grad_(False)))
        matrices, vectors = ([p for p in network.parameters() if (p.ndim > 1) == wide] for wide in (True, False))
        self.optimiser = torch.optim.AdamW(
            [{"params": matrices, "weight_decay": settings.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
        )
        self.step, self.history = 0, []

    def run(self) -> int:
        """Train to the end; Ctrl-C and SIGTERM save and return 130."""
        self._resume_or_start()
        data = SceneBatches(self.maker, self.settings, first=self.step, rank=self.ranks.rank, ranks=self.ranks.size)
        loader = DataLoader(data, batch_size=None, num_workers=self.settings.workers, worker_init_fn=leave_ctrl_c)
        since, started = [], time.perf_counter()
        with stop_requests() as asked:
            for batch in loader:
                if self.ranks.mean(asked()) > 0:  # whichever process was asked: all stop at the same step
                    break
                since.append(self.train_step(*(part.to(self.ranks.device, non_blocking=True) for part in batch)))
                self.step += 1
                if self.step % self.settings.save_every == 0 or self.step == self.settings.steps:
                    self._report(np.mean(since, axis=0), (time.perf_counter() - started) / len(since))
                    since, started = [], time.perf_counter()
            if self.step < self.settings.steps:
                self.save()
                if self.ranks.first:
                    notify(f"stopped after step {self.step}; everything is saved, --resume carries on")
                return 130
        return 0

    def train_step(self, images, kind, boxes, landmarks) -> tuple[float, float, float]:
        """One step of the optimiser; the class, box and landmark loss before it."""
        self.network.train()
        for group in self.optimiser.param_groups:
            group["lr"] = self.settings.lr * self._lr_share()
        x = to_input(images)
        features, outputs = self.parallel(x)
        losses = multi_task_loss(outputs, kind, boxes, landmarks, mean=self.ranks.mean)
        loss = losses[0] + losses[1] + LANDMARK_WEIGHT * losses[2]
        if self.settings.follow:
            teacher_features, teacher_outputs = self.teacher(x)
            following = distillation_loss(features, outputs, teacher_features, teacher_outputs, kind)
            loss = loss + self.settings.follow * following
        if not torch.isfinite(loss):
            raise UserError(f"the loss is {loss.item()} at step {self.step}; lower --lr and --resume.", exit_code=1)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 10.0)
        self.optimiser.step()
        self.ema.update_parameters(self.network)
        return tuple(part.item() for part in losses)

    def _lr_share(self) -> float:
        """Linear warm-up, then half a cosine down to 0."""
        if self.step < self.settings.warmup:
            return (self.step + 1) / self.settings.warmup
        done = (self.step - self.settings.warmup) / max(1, self.settings.steps - self.settings.warmup)
        return 0.5 + 0.5 * math.cos(math.pi * done)

    def validate(self) -> dict[str, float | None]:
        """AP and landmark error by source of the validation pictures, and false faces on pictures without one."""
        detector = RetinaFace(self.ema.module, score_threshold=LOWEST_SCORE, longest_side=None)
        row: dict[str, float | None] = {}
        for source in sorted({picture.name.split("/")[0] for picture in self.val}):
            scores = scores_of(match_pictures([p for p in self.val if p.name.startswith(source + "/")], detector))
            row |= {f"{source}_ap": scores.ap, f"{source}_landmark_error": scores.landmark_error,
                    f"{source}_false": scores.false_positives, f"{source}_images": scores.images}  # fmt: skip
        return {name: value for name, value in row.items() if value is not None}

    def _report(self, losses: np.ndarray, step_s: float) -> None:
        if not self.ranks.first:
            return
        row = {"step": self.step, "class": losses[0], "box": losses[1], "landmark": losses[2], "step_s": step_s}
        self.history.append({name: round(float(value), 4) for name, value in (row | self.validate()).items()})
        notify("  ".join(f"{name} {value:g}" for name, value in self.history[-1].items()))
        self.save()

    def save(self) -> None:
        """The weights to use, the state to resume, the history; each whole or not at all."""
        import pandas as pd

        if not self.ranks.first:
            return
        header = {"format": FORMAT, "settings": dataclasses.asdict(self.settings), "scores": self.history[-1:]}
        save_tensors(self.out / "weights.safetensors", self.ema.module.state_dict(), header=header)
        with atomic_write(self.out / "metrics.csv") as temporary:
            pd.DataFrame(self.history).to_csv(temporary, index=False)
        state = {name: getattr(self, name).state_dict() for name in ("network", "ema", "optimiser")}
        save_state(self.out, state | {"step": self.step, "history": self.history})

    def _resume_or_start(self) -> None:
        if self.settings.resume:
            state = newest_state(self.out)
            for name in ("network", "ema", "optimiser"):
                getattr(self, name).load_state_dict(state[name])
            self.step, self.history = state["step"], state["history"]
            return
        if self.ranks.first:
            begin_run(self.out, self.settings)


main = command(Settings, run, prog="python -m retinaface.training", doc=__doc__)

if __name__ == "__main__":
    run_and_exit(main)
