"""Train an expression network on crowd votes: python train.py --dataset ferplus --data-path DIR

In:  a data set's folder (data/datasets/ lists the formats), the name of a network (models/networks/).
Out: a folder of the run, runs/NAME/: best.safetensors and best.onnx (live.py takes either), last.pt and previous.pt
     (to resume), settings.json (--config takes it), metrics.csv and curves.png (models/training/run_log.py).

The target is a distribution: the shares of the crowd's votes. The loss is KL(votes || softmax(logits)), which for a
one-hot target is cross-entropy, so data sets with labels only train the same way.

On several cards or machines: torchrun --nproc-per-node=N train.py ... A step still has --batch-size faces, split over
the processes. Different from one process are dropout masks, batch norm on the CPU, which is per process, and, where
--batch-size is no multiple of twice the processes, who is mixed with whom (data/mixing.py).
"""

from __future__ import annotations

import signal

if __name__ == "__main__" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C in the imports ends them without a traceback

import dataclasses
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # which python -I and -P leave out
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that spin while they wait slow each other down
os.environ.setdefault("GOMP_SPINCOUNT", "0")

from models.training.settings import Settings, check, check_batches, epoch_sizes
from support import command, count, notify, pick_device, run_and_exit
from support.training.resuming import holds_run, resumable

if TYPE_CHECKING:  # imported where it is used, so that --help answers at once
    from data.face_set import FaceSet
    from models.spec import ModelSpec
    from support.training.distributed import Distributed
    from support.training.run_log import RunLog


def run(settings: Settings) -> int:
    """Load the data, train; 0 when done, 130 when Ctrl-C stopped it (everything saved)."""
    check(settings)
    if int(os.environ.get("RANK", 0)) == 0:
        notify(f"{settings.model} into {settings.out}, {count(settings.epochs, 'epoch')}: reading {settings.data_path}")

    import torch

    from data.datasets import load_faces, load_for_training
    from data.pictures.store import training_storage
    from models.cells import check_side
    from models.spec import find_spec
    from support.training.distributed import process_group

    torch.backends.cudnn.deterministic = True  # a resumed run ends with the same weights
    if settings.threads:
        torch.set_num_threads(settings.threads)
    spec = find_spec(settings.model)
    side = max(spec.preprocess_at(settings.imgsz).size_hw)
    check_side(spec, side, epoch_sizes(settings, side, fixed=spec.fixed_size))
    with process_group(pick_device(settings.device)) as distributed:
        source: dict[str, Any] = {
            "name": settings.dataset,
            "skip_bad": settings.skip_bad,
            "classes": settings.classes,
            "storage": training_storage(settings.memory, side=side),
        }
        if settings.folds:
            return run_folds(settings, spec, load_faces(settings.data_path, "all", **source), distributed)
        train, validation = load_for_training(
            settings.data_path, labels_only=settings.loss == "cross_entropy", accept=settings.accept, **source
        )
        if distributed.is_main:
            place = f"{distributed.device}" + f", {distributed.world_size} processes" * (distributed.world_size > 1)
            notify(f"{settings.model} on {place}: {len(train)} faces, validating on {len(validation)}")
            if not train.has_votes:
                notify("training on labels, for which the loss is cross-entropy")
        return Trainer(settings, spec, train, validation, distributed).run()


def run_folds(settings: Settings, spec: ModelSpec, faces: FaceSet, distributed: Distributed) -> int:
    """Train a run for each fold of `faces`, in folders in --out, and summarise the scores; 0, or 130 when stopped."""
    from data.datasets import prepare_for_training
    from data.doubts import find_doubts, refuse_doubts
    from data.splits import fold_splits, make_folds
    from models.training.cross_validation import cross_validate, scores_on

    refuse_doubts(find_doubts(faces, {}), settings.accept)
    folds = make_folds(faces, settings.folds)

    def train_fold(number: int, out: Path) -> dict[str, float] | None:
        train, validation, test = fold_splits(faces, folds, number)
        train = prepare_for_training(train, validation, test, labels_only=settings.loss == "cross_entropy")
        own = dataclasses.replace(settings, out=str(out), resume=settings.resume and holds_run(out))
        if Trainer(own, spec, train, validation, distributed).run():
            return None
        distributed.mean(0.0)  # all wait here until the main process has written the file
        return scores_on(out / "best.safetensors", test.images, test.labels, test.votes, device=distributed.device)

    return cross_validate(settings.out, settings.folds, train_fold, silent=not distributed.is_main)


class Trainer:
    """One run: the batches, the learner, and how far it has come."""

    def __init__(
        self, settings: Settings, spec: ModelSpec, train: FaceSet, validation: FaceSet, distributed: Distributed
    ) -> None:
        import torch

        from data.augment import Augment
        from data.loader import EpochLoader
        from models.training.distillation import Teachers, identity_of, soft_votes
        from models.training.learner import Losses, make_learner, weights_of_classes
        from models.training.transfer import freeze_layers, head_tensors, initial_network
        from support.training.run_state import RunFolder

        s, rank, world_size = settings, distributed.rank, distributed.world_size
        self.settings, self.spec, self.distributed = settings, spec, distributed
        self.class_names, self.validation = train.class_names, validation
        others = {"validation faces, by a digest": validation.digest()} | identity_of([*s.teacher, s.soft])
        self.folder = RunFolder(s.out, s, distributed, data=train.identity() | others)
        self.preprocess = spec.preprocess_at(s.imgsz)
        self.sizes = epoch_sizes(s, self.preprocess.size_hw[0], fixed=spec.fixed_size)
        if s.soft:
            votes = soft_votes(s.soft, train.names, train.class_names, train.votes, share=s.distill)
            train = dataclasses.replace(train, votes=votes)
        self.loader = EpochLoader(
            train, Augment.of_strength(s.augment, light=s.light, noise=s.noise), s.batch_size, seed=s.seed,
            balance=s.balance, rank=rank, world_size=world_size, threads=s.workers,
        )  # fmt: skip
        self.steps = s.epochs * len(self.loader)
        check_batches(s, faces=len(train), batches=len(self.loader), world_size=world_size)
        torch.manual_seed(s.seed)
        init, pretrained = ("", False) if s.resume else (s.init, s.pretrained)
        network = initial_network(s.model, train.class_names, self.preprocess, init=init, pretrained=pretrained)
        freeze_layers(network, s.freeze, heads=head_tensors(spec))
        self.learner = make_learner(s, network, distributed)
        weights = weights_of_classes(train.votes, s.class_weights, shown=self.loader.class_shares())
        self.class_weights = torch.from_numpy(weights).to(distributed.device) if s.class_weights else None
        self.teachers = Teachers(s.teacher, train.class_names, device=distributed.device)
        self.epoch, self.step, self.losses, self.faces_per_s = 0, 0, Losses(distributed), 0.0
        self.history: list[dict[str, float]] = []

    def run(self) -> int:
        """Train to the end, or until Ctrl-C; 0 or 130, everything saved. `UserError` where memory runs out."""
        from models.training.computing import too_large
        from support.device.card import is_out_of_memory

        try:
            return self.train()
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
        # after the except block, where the memory that the training held is free again for the probe
        raise too_large(self.settings, self.distributed, self.shape(), self.learner.probe)

    def train(self) -> int:
        """As `run`."""
        from models.training.run_log import HIDDEN_COLUMNS, TRAINING_COLUMNS, progress_of, training_curves
        from models.training.validation import export_best
        from support.process import stop_requests
        from support.training.run_log import RunLog
        from support.training.run_state import STOPPING

        if state := self.folder.begin():
            progress = progress_of(state, epochs=self.settings.epochs, steps=len(self.loader))
            (self.epoch, self.step, self.losses.sum), self.history = progress
        self.choose_computing(state.get("computing"))
        if state:
            self.learner.load_state(state)
        else:
            self.save_state()
        growth = sum(size**2 for size in self.sizes) / len(self.sizes) / self.sizes[0] ** 2
        log = RunLog(
            self.folder.path, steps=self.steps, done=self.steps_done(), silent=not self.distributed.is_main,
            training=TRAINING_COLUMNS, hidden=HIDDEN_COLUMNS, tensorboard=self.settings.tensorboard,
            figure=training_curves, growth=1.0 if self.steps_done() else growth,
        )  # fmt: skip
        with stop_requests(STOPPING) as stop_requested:
            while not self.finished() and self.train_epoch(stop_requested, log):
                self.finish_epoch()
                log.row(self.history)
            if not self.finished():
                self.save_state()
                log.close(self.history, f"stopped in epoch {self.epoch + 1}; everything is saved, --resume continues")
                return 130
        early = f"no better macro-F1 for {count(self.settings.patience, 'epoch')}: done"
        log.close(self.history, early if self.epoch < self.settings.epochs else "done")
        self.folder.export(export_best, "best.safetensors")
        return 0

    def choose_computing(self, saved: object) -> None:
        """Fix how this run computes, say so, and make the loader and the learner do it."""
        from data.device.loader import DeviceLoader
        from models.training.computing import choose

        s, distributed, left = self.settings, self.distributed, self.steps - self.steps_done()
        self.computing, why = choose(s, self.learner.network, self.shape(), distributed, steps=left, saved=saved)
        self.learner.compute_as(self.computing)
        if self.computing.augment_on == "device":
            memory = s.memory / distributed.sharing
            self.loader = DeviceLoader.of(self.loader, distributed.device, memory=memory)
        if distributed.is_main:
            notify("; ".join(filter(None, [f"computing in {self.computing}", why, self.loader.place])))

    def shape(self) -> tuple[int, ...]:
        """(B, C, h, w) of the largest pass of this process."""
        passes = self.distributed.world_size * self.settings.accumulate
        return (self.settings.batch_size // passes, self.preprocess.channels, *self.preprocess.size_hw)

    def train_epoch(self, stop_requested: Callable[[], bool], log: RunLog) -> bool:
        """The steps of this epoch that are still to do; False where a stop was requested before its end."""
        from data.device.loader import upload
        from data.mixing import mix

        s, size, device = self.settings, self.sizes[self.epoch], self.distributed.device
        preprocess, started, first = self.preprocess.at_size(size), time.perf_counter(), self.step
        for crops, votes in self.loader.epoch(self.epoch, size=size, first=self.step):
            if self.distributed.mean(stop_requested()) > 0:  # on any process: all stop at the same step
                return False
            x = preprocess.of_tensor(upload(crops, device)).contiguous(memory_format=self.computing.memory_format)
            target = upload(votes, device)
            if s.teacher:
                target = (1 - s.distill) * target + s.distill * upload(self.teachers(crops), device)
            key = (s.seed, self.epoch, self.step)  # seeds what is random in a step, so that a run can be resumed
            x, target = mix(x, target, key=key, mixup_alpha=s.mixup, cutmix_alpha=s.cutmix)
            loss = self.learner.step(
                x, target, lr=self.lr(), key=key, smoothing=s.label_smoothing, sam=s.sam, parts=s.accumulate,
                class_weights=self.class_weights,
            )  # fmt: skip
            self.step += 1
            self.losses.add(loss)
            log.step(self.losses.last)
        self.losses.read()
        self.faces_per_s = (self.step - first) * s.batch_size / (time.perf_counter() - started)
        return True

    def lr(self) -> float:
        """The learning rate of this step."""
        from support.training.learner import lr_factor

        s = self.settings
        return s.highest_lr() * lr_factor(self.steps_done() / self.steps, warmup=s.warmup, schedule=s.schedule)

    def steps_done(self) -> int:
        """Steps since the run began."""
        return self.epoch * len(self.loader) + self.step

    def finished(self) -> bool:
        """Are all epochs done, or was there no better macro-F1 in the last --patience of them?"""
        from models.training.run_log import epochs_since_best

        stale = 0 < self.settings.patience <= epochs_since_best(self.history, "macro_f1")
        return stale or self.epoch == self.settings.epochs

    def finish_epoch(self) -> None:
        """Validate, save the network if it is the best so far, save the state."""
        from models.training.run_log import epochs_since_best
        from models.training.validation import save_best, validate

        network, faces = self.learner.averaged(), self.validation
        scores, logits = validate(network, self.preprocess, faces.images, faces.labels, faces.votes, self.distributed)
        row = {"epoch": self.epoch + 1, "size": self.sizes[self.epoch], "lr": self.lr(),
               "train_loss": self.losses.sum / len(self.loader), "faces_per_s": self.faces_per_s, **scores}  # fmt: skip
        self.history.append({key: round(value, 5) for key, value in row.items()} | {"lr": float(f"{self.lr():.6g}")})
        if epochs_since_best(self.history, self.settings.monitor) == 0 and self.distributed.is_main:
            save_best(
                self.folder.path / "best.safetensors", network, settings=self.settings, preprocess=self.preprocess,
                class_names=self.class_names, scores=scores, epoch=self.epoch + 1, logits=logits, labels=faces.labels,
                votes=faces.votes, class_shares=self.loader.class_shares(),
            )  # fmt: skip
        self.epoch, self.step, self.losses.sum = self.epoch + 1, 0, 0.0
        self.save_state()

    def save_state(self) -> None:
        """All that --resume needs to repeat the run exactly."""
        self.losses.read()  # which refuses to save what is not finite
        values = {"progress": (self.epoch, self.step, self.losses.sum), "history": self.history}
        self.folder.save(values | {"computing": dataclasses.asdict(self.computing)} | self.learner.state())


main = resumable(command(Settings, run, prog="train.py", doc=__doc__), out="runs/latest")

if __name__ == "__main__":
    run_and_exit(main)
