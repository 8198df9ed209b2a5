"""Train an expression network on crowd votes: python train.py --dataset ferplus --data-path DIR

In:  a data set's folder (data/datasets/ lists the formats), the name of a network (models/networks/).
Out: a folder of the run, runs/NAME/: best.safetensors (the checkpoint that live.py takes), last.pt and previous.pt
     (to resume), settings.json (what --config takes), metrics.csv and curves.png (models/training/run_log.py).

The target is a distribution: the shares of the crowd's votes. The loss is KL(votes || softmax(logits)), which for a
one-hot target is cross-entropy, so data sets with labels only train the same way.

On several cards or machines: torchrun --nproc-per-node=N train.py ... A step is then of the same --batch-size faces,
split over the processes. What differs from one process: dropout's masks; and without cuda, where torch has no batch
norm over processes, each normalises its own share of the batch.
"""

from __future__ import annotations

import dataclasses
import math
import os
import time
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that spin while they wait starve each other
os.environ.setdefault("GOMP_SPINCOUNT", "0")

from support import UserError, command, notify, pick_device, run_and_exit, setting

MAY_CHANGE = ("data_path", "out", "threads", "device", "tensorboard", "resume")  # between a run and its resuming
ANY, FROM_1, SHARE = (0, math.inf), (1, math.inf), (0, 1)  # what numbers may be
SCORES = ["accuracy", "macro_f1", "kl"]


@dataclasses.dataclass
class Settings:
    """All that decides a run; `python train.py --help` shows it."""

    dataset: str = setting("", "format of the data set; recognised by its layout where left out")
    data_path: str = setting("data/raw", "the data set's folder", metavar="DIR")
    skip_bad: bool = setting(False, "leave faulty rows of the data set out instead of refusing it")
    model: str = setting("small_resnet18_w32", "network, a name from models/networks/")
    init: str = setting("", "checkpoint of the same network to start from; class rows go by name", metavar="FILE")
    pretrained: bool = setting(False, "start from ImageNet weights, which torchvision downloads the first time")
    out: str = setting("runs/latest", "folder of this run", metavar="DIR")
    epochs: int = setting(50, "passes over the training faces", within=FROM_1)
    batch_size: int = setting(64, "faces a step, over all processes", within=FROM_1)
    loss: str = setting("kl", "kl to the votes, or cross_entropy to the label", choices=["kl", "cross_entropy"])
    label_smoothing: float = setting(0.0, "share of every target that is spread over all classes", within=SHARE)
    teacher: list[str] = setting([], "checkpoints whose mean the network learns beside the votes", metavar="FILE")
    distill: float = setting(
        0.0, "share of the teachers in the target, see models/training/distillation.py", within=SHARE
    )
    balance: float = setting(0.0, "show a class of n faces in proportion to n to the power 1 - this", within=SHARE)
    mixup: float = setting(0.0, "alpha of mixup on pictures and votes (Zhang et al. 2018); 0: off", within=ANY)
    cutmix: float = setting(0.0, "alpha of cutmix, likewise (Yun et al. 2019); 0: off", within=ANY)
    grow: bool = setting(True, "train the first 3/8 of the run at 3/4 of the picture size, the next 3/8 at 7/8")
    optimiser: str = setting("sgd", "what moves the weights", choices=["sgd", "adamw", "adam"])
    lr: float = setting(0.1, "highest learning rate", within=ANY)
    schedule: str = setting("cosine", "learning rate after the warm-up", choices=["cosine", "constant"])
    warmup: float = setting(0.06, "share of the run in which the learning rate rises from 0", within=SHARE)
    weight_decay: float = setting(5e-4, "L2 decay of weights; norms and biases have none", within=ANY)
    momentum: float = setting(0.9, "Nesterov momentum of sgd", within=SHARE)
    sam: float = setting(0.0, "radius of sharpness-aware steps, twice the cost (Foret et al. 2021); 0: off", within=ANY)
    clip_norm: float = setting(5.0, "largest norm of the gradient; 0: any", within=ANY)
    ema: float = setting(0.998, "decay of the weights' running mean, which is what is kept; 0: off", within=SHARE)
    monitor: str = setting("accuracy", "validation score that picks the kept epoch", choices=SCORES)
    patience: int = setting(0, "stop after so many epochs without a better validation macro-F1; 0: never", within=ANY)
    seed: int = setting(0, "seed of weights, order and changes", within=ANY)
    amp: bool = setting(True, "mixed precision on cuda and mps; a CPU has none")
    threads: int = setting(0, "CPU threads of torch; 0: as many as torch likes", within=ANY)
    device: str = setting("auto", "auto, cpu, mps, cuda or cuda:N")
    tensorboard: bool = setting(False, "write events for `tensorboard --logdir DIR`, too")
    resume: bool = setting(False, "carry on with the run in --out, which then has the same settings")


def run(settings: Settings) -> int:
    """Parse flags, build the parts, train; 0 when done, 130 when Ctrl-C stopped it (everything saved)."""
    if settings.init and settings.pretrained:
        raise UserError("--init and --pretrained are two beginnings; give one.")
    if bool(settings.teacher) != (settings.distill > 0):
        raise UserError("--teacher FILE and --distill SHARE, above 0, go together; give both or none.")

    import torch

    from data.datasets import load_for_training
    from models.spec import find_spec
    from support.training.distributed import distributed_on

    if settings.threads:
        torch.set_num_threads(settings.threads)
    spec = find_spec(settings.model)
    with distributed_on(pick_device(settings.device)) as ranks:
        train, validation = load_for_training(
            settings.data_path,
            name=settings.dataset,
            skip_bad=settings.skip_bad,
            labels_only=settings.loss == "cross_entropy",
        )
        if ranks.first:
            where = f"{ranks.device}" + f", {ranks.size} processes" * (ranks.size > 1)
            notify(f"{settings.model} on {where}: {len(train)} faces, validating on {len(validation)}")
            if not train.has_votes:
                notify("training on labels, for which the loss is cross-entropy")
        return Trainer(settings, spec, train, validation, ranks).run()


class Trainer:
    """One run: the batches, the learner, and how far it has come."""

    def __init__(self, settings: Settings, spec, train, validation, ranks) -> None:
        import torch

        from data.augment import Augment
        from data.loader import Batches
        from models.training.distillation import Teachers
        from models.training.learner import Learner
        from models.training.transfer import first_weights

        self.settings, self.spec, self.ranks, self.out, s = settings, spec, ranks, Path(settings.out), settings
        self.train, self.validation = train, validation
        self.batches = Batches(
            train, Augment(), s.batch_size, seed=s.seed, balance=s.balance, rank=ranks.rank, ranks=ranks.size
        )
        self.steps = s.epochs * len(self.batches)
        if self.steps == 0:
            raise UserError(f"{len(train)} faces make no batch of {s.batch_size}; lower --batch-size.")
        if s.batch_size % ranks.size:
            raise UserError(f"--batch-size {s.batch_size} cannot be split evenly over {ranks.size} processes.")
        torch.manual_seed(s.seed)
        begin = {} if s.resume else {"init": s.init, "pretrained": s.pretrained}
        self.learner = Learner(
            first_weights(spec, train.class_names, name=s.model, **begin),
            ranks,
            optimiser=s.optimiser,
            weight_decay=s.weight_decay,
            momentum=s.momentum,
            ema=s.ema,
            sam=s.sam,
            clip_norm=s.clip_norm,
            smoothing=s.label_smoothing,
            mixed=s.amp,
        )
        self.teachers = Teachers(s.teacher, train.class_names, device=ranks.device)
        self.epoch, self.step, self.loss_sum = 0, 0, 0.0
        self.history: list[dict] = []

    def run(self) -> int:
        """Train to the end, or until Ctrl-C; 0 or 130, everything saved."""
        from models.training.run_log import RunLog
        from support.training.stopping import stop_requests

        self.start_or_resume()
        silent, events = not self.ranks.first, self.settings.tensorboard
        log = RunLog(self.out, steps=self.steps, done=self.steps_done(), tensorboard=events, silent=silent)
        with stop_requests() as asked:
            while not self.finished() and self.train_epoch(asked, log):
                self.finish_epoch()
                log.epoch(self.history)
            if not self.finished():
                self.save_state()
        if not self.finished():
            log.close(self.history, f"stopped in epoch {self.epoch + 1}; everything is saved, --resume carries on")
            return 130
        early = self.epoch < self.settings.epochs
        log.close(self.history, f"no better macro-F1 for {self.settings.patience} epochs: done" if early else "done")
        return 0

    def train_epoch(self, asked, log) -> bool:
        """The steps of this epoch that are still to do; False where someone asked to stop before its end."""
        import torch

        from data.mixing import mix

        s, size, device = self.settings, self.picture_size(), self.ranks.device
        preprocess = self.spec.preprocess.at_size(size)
        started, first = time.perf_counter(), self.step
        for crops, votes in self.batches.epoch(self.epoch, size=size, first=self.step):
            if self.ranks.mean(asked()) > 0:  # whichever process was asked: all stop at the same step
                return False
            x = preprocess(crops, device=device).contiguous(memory_format=torch.channels_last)
            target = torch.from_numpy(votes).to(device)
            if s.teacher:
                target = (1 - s.distill) * target + s.distill * self.teachers(crops)
            key = (s.seed, self.epoch, self.step)  # what chance hangs on, so that a run can be resumed
            x, target = mix(x, target, key=key, mixup=s.mixup, cutmix=s.cutmix)
            loss = self.learner.step(x, target, lr=self.lr(), key=key)
            self.step += 1
            self.loss_sum += loss
            log.step(loss)
        self.faces_per_s = (self.step - first) * s.batch_size / (time.perf_counter() - started)
        return True

    def lr(self) -> float:
        """The learning rate of this step."""
        from support.training.optimisers import lr_share

        s = self.settings
        return s.lr * lr_share(self.steps_done() / self.steps, warmup=s.warmup, schedule=s.schedule)

    def picture_size(self) -> int:
        """Pixels a side in this epoch."""
        from data.augment import progressive_size

        full = self.spec.preprocess.size_hw[0]
        grows = self.settings.grow and not self.spec.fixed_size
        return progressive_size(full, self.epoch / self.settings.epochs) if grows else full

    def steps_done(self) -> int:
        """Steps since the run began."""
        return self.epoch * len(self.batches) + self.step

    def finished(self) -> bool:
        """Are all epochs done, or did the last --patience of them bring no better macro-F1?"""
        from models.training.run_log import epochs_since_best

        if self.epoch == self.settings.epochs or not self.settings.patience:
            return self.epoch == self.settings.epochs
        return epochs_since_best(self.history, "macro_f1") >= self.settings.patience

    def finish_epoch(self) -> None:
        """Validate, keep the best, save everything."""
        from models.training.run_log import epochs_since_best

        network = self.learner.kept()
        scores, logits = self.validate(network)
        row = {"epoch": self.epoch + 1, "size": self.picture_size(), "lr": self.lr(),
               "train_loss": self.loss_sum / len(self.batches), "faces_per_s": self.faces_per_s, **scores}  # fmt: skip
        self.history.append({key: round(value, 5) for key, value in row.items()})
        if epochs_since_best(self.history, self.settings.monitor) == 0 and self.ranks.first:
            self.keep(network, scores, logits)
        self.epoch, self.step, self.loss_sum = self.epoch + 1, 0, 0.0
        self.save_state()

    def validate(self, network) -> tuple[dict, object]:
        """Scores of `network` on all validation faces, and their logits (N, K)."""
        from models.classifier import predict_logits
        from support.metrics import score, softmax

        faces, ranks = self.validation, self.ranks
        mine = faces.images[ranks.rank :: ranks.size]
        logits = ranks.gather(predict_logits(network, self.spec.preprocess, mine, device=ranks.device))
        scores = score(faces.labels, softmax(logits), faces.votes)
        scores["ece_uncalibrated"] = scores.pop("ece")
        return scores, logits

    def keep(self, network, scores: dict, logits) -> None:
        """Write best.safetensors, calibrated on the validation's logits (N, K)."""
        from models.checkpoint import Checkpoint, save_checkpoint
        from models.training.calibration import calibrated

        checkpoint = Checkpoint(
            network=self.settings.model,
            class_names=self.train.class_names,
            preprocess=self.spec.preprocess,
            weights=network.state_dict(),
            settings=dataclasses.asdict(self.settings),
            scores={"validation": scores, "epoch": self.epoch + 1},
        )
        labels, shares = self.validation.labels, self.batches.class_shares()
        save_checkpoint(self.out / "best.safetensors", calibrated(checkpoint, logits, labels, class_shares=shares))

    def save_state(self) -> None:
        """All that --resume needs, to the bit; one process writes it."""
        from support.training.run_state import save_state

        if self.ranks.first:
            state = {"progress": (self.epoch, self.step, self.loss_sum), "history": self.history}
            save_state(self.out, state | {"settings": self.identity()} | self.learner.state())

    def identity(self) -> dict:
        """What makes the run what it is: it may not change when it is resumed."""
        settings = dataclasses.asdict(self.settings) | {"training faces": len(self.train)}
        return {name: value for name, value in settings.items() if name not in MAY_CHANGE}

    def start_or_resume(self) -> None:
        """A new folder with the settings and a first state, or what such a folder holds by now."""
        from support.training.run_state import begin_run, newest_state, refuse_changes

        if self.settings.resume:
            state = newest_state(self.out)
            refuse_changes(dataclasses.asdict(Settings()) | state["settings"], self.identity())
            self.learner.load_state(state)
            self.epoch, self.step, self.loss_sum = state["progress"]
            self.history = state["history"]
        elif self.ranks.first:
            begin_run(self.out, self.settings)
            self.save_state()


main = command(Settings, run, prog="train.py", doc=__doc__)

if __name__ == "__main__":
    run_and_exit(main)
