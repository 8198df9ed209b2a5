"""The settings of a classifier's training: its flags, and what can be refused before any data is loaded.

In:  flags, or a settings.json.
Out: `Settings`; `check`, which raises `UserError` where they contradict each other or name files that are not there.
"""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

from support import UserError, setting
from support.training.resuming import check_run, holds_run

ANY, FROM_1, SHARE = (0, math.inf), (1, math.inf), (0, 1)  # ranges of numbers
LR = (1e-9, 100)
HIGHEST_OF_ADAM = 0.05  # learning rate; sgd's usual 0.1 destroys weights
DECAY = (0, 0.999999)  # at 1 an average would never move
THREADS = 1024  # more than a machine has
SCORES = ["accuracy", "macro_f1", "kl"]
SWITCH = ["auto", "on", "off"]


@dataclasses.dataclass
class Settings:
    """All that decides a run; `python train.py --help` shows it."""

    dataset: str = setting("", "format of the data set; recognised by its layout where left out")
    data_path: str = setting("data/raw", "the data set's folder", metavar="DIR")
    skip_bad: bool = setting(False, "leave faulty rows of the data set out instead of refusing it")
    classes: str = setting("", "file of `name,class` rows that maps class names to others", metavar="FILE")
    accept: list[str] = setting([], "doubts about the data set, as data.check names them, that are no obstacle")
    folds: int = setting(0, "cross-validate in so many parts, by person where people are known; 0: off", within=ANY)
    memory: float = setting(
        0.5, "share of the free memory, of the machine and of a card, that decoded pictures may take", within=SHARE
    )
    model: str = setting("small_resnet18_w32", "network, a name from models/networks/, or timm/NAME")
    init: str = setting(
        "", "weights of the same network to start from: a checkpoint, or any state_dict", metavar="FILE"
    )
    pretrained: bool = setting(False, "start from ImageNet weights, which torchvision or timm downloads the first time")
    freeze: list[str] = setting(
        [], "layers that are not trained, by the beginnings of their names; backbone: all but the last", metavar="LAYER"
    )
    out: str = setting("runs/latest", "folder of this run", metavar="DIR")
    epochs: int = setting(50, "passes over the training faces", within=(1, 1e6))
    batch_size: int = setting(64, "faces a step, over all processes", within=FROM_1)
    accumulate: int = setting(1, "parts in which a step's gradient is summed, to need less memory", within=FROM_1)
    imgsz: int = setting(0, "pixels a side that the network sees; 0: its own size", metavar="PX", within=ANY)
    loss: str = setting("kl", "kl to the votes, or cross_entropy to the label", choices=["kl", "cross_entropy"])
    label_smoothing: float = setting(0.0, "share of every target that is spread over all classes", within=(0, 0.99))
    teacher: list[str] = setting([], "checkpoints whose mean prediction joins the target", metavar="FILE")
    distill: float = setting(
        0.0, "share of the teachers, or of --soft, in the target; votes have the rest", within=SHARE
    )
    soft: str = setting(
        "", "csv of soft targets by file name (name, a column a class), which join the target as teachers do",
        metavar="FILE",
    )  # fmt: skip
    balance: float = setting(0.0, "show a class of n faces in proportion to n ** (1 - balance)", within=SHARE)
    class_weights: float = setting(
        0.0, "weigh the loss of a class with n of the votes in proportion to n ** -class_weights", within=SHARE
    )
    augment: float = setting(1.0, "strength of the augmentation but for --light and --noise; 0: none", within=(0, 4))
    light: float = setting(0.0, "largest share by which light from one side changes a picture; 0: none", within=SHARE)
    noise: float = setting(0.0, "largest deviation of noise on a picture, grey levels; 0: none", within=(0, 64))
    mixup: float = setting(0.0, "alpha of mixup on pictures and votes (Zhang et al. 2018); 0: off", within=(0, 1000))
    cutmix: float = setting(0.0, "alpha of cutmix, likewise (Yun et al. 2019); 0: off", within=(0, 1000))
    progressive_resizing: bool = setting(
        True, "train the first 3/8 of the run at 3/4 of the picture size, the next 3/8 at 7/8"
    )
    optimiser: str = setting("sgd", "optimiser", choices=["sgd", "adamw", "adam"])
    lr: float = setting(0.1, "highest learning rate", within=LR)
    lr_batch: int = setting(
        0, "--lr is for steps of so many faces, and scaled linearly to --batch-size (Goyal et al. 2017); 0: not scaled",
        metavar="N", within=ANY,
    )  # fmt: skip
    schedule: str = setting("cosine", "learning rate after the warm-up", choices=["cosine", "constant"])
    warmup: float = setting(0.06, "share of the run in which the learning rate rises from 0", within=SHARE)
    weight_decay: float = setting(5e-4, "L2 decay of weights; norms and biases have none", within=SHARE)
    momentum: float = setting(0.9, "Nesterov momentum of sgd", within=DECAY)
    sam: float = setting(
        0.0, "radius of sharpness-aware steps, twice the cost (Foret et al. 2021); 0: off", within=(0, 100)
    )
    clip_norm: float = setting(5.0, "largest norm of the gradient; 0: any", within=ANY)
    ema: float = setting(0.998, "decay of the weights' moving average, which is what is saved; 0: off", within=DECAY)
    monitor: str = setting("accuracy", "validation score that picks the best epoch", choices=SCORES)
    patience: int = setting(0, "stop after so many epochs without a better validation macro-F1; 0: never", within=ANY)
    seed: int = setting(0, "seed of weights, order and augmentation", within=ANY)
    amp: bool = setting(True, "mixed precision on mps, and on cuda where it measures faster; a CPU computes in float32")
    channels_last: str = setting("auto", "memory layout; auto: the faster one on cuda, else on", choices=SWITCH)
    compile: str = setting("auto", "torch.compile; auto: on cuda, in runs that it makes shorter", choices=SWITCH)
    augment_on: str = setting(
        "auto", "where pictures are changed; auto: on cuda the device", choices=["auto", "cpu", "device"]
    )
    threads: int = setting(0, "CPU threads of torch; 0: torch's default", within=(0, THREADS))
    workers: int = setting(
        2, "threads that decode and augment pictures, processes that draw changes for a device", within=(1, THREADS)
    )
    device: str = setting("auto", "auto, cpu, mps, cuda or cuda:N")
    tensorboard: bool = setting(False, "also write events for `tensorboard --logdir DIR`")
    resume: bool = setting(False, "continue the run in --out, which then has the same settings")

    def highest_lr(self) -> float:
        """`lr`, scaled linearly from steps of `lr_batch` faces to those of this run (Goyal et al. 2017)."""
        return self.lr * (self.batch_size / self.lr_batch if self.lr_batch else 1)


def check(settings: Settings) -> None:
    """Refuse what cannot work whatever the data are."""
    s = settings
    if s.init and s.pretrained:
        raise UserError("--init and --pretrained are two beginnings; give one.")
    if s.teacher and s.soft:
        raise UserError("--teacher and --soft are two sources of the same targets; give one.")
    if bool(s.teacher or s.soft) != (s.distill > 0):
        raise UserError("--teacher FILE or --soft FILE, and --distill SHARE above 0, go together; give both or none.")
    if s.batch_size % s.accumulate:
        raise UserError(f"--batch-size {s.batch_size} cannot be split into {s.accumulate} parts; lower --accumulate.")
    if not LR[0] <= s.highest_lr() <= LR[1]:
        raise UserError(
            f"--lr {s.lr:g} for steps of {s.lr_batch} faces is {s.highest_lr():g} for steps of {s.batch_size}; give "
            "another --lr-batch."
        )
    if s.optimiser != "sgd" and s.highest_lr() > HIGHEST_OF_ADAM:
        raise UserError(
            f"--lr {s.lr:g} is for sgd: {s.optimiser} moves each weight by about that much a step; give --lr 0.003, "
            f"or another one up to {HIGHEST_OF_ADAM:g}."
        )
    if 0 < s.folds < 3:
        raise UserError(
            f"--folds {s.folds} leaves no face to train on: each fold is the test once, and the next one the "
            "validation; give 3 or more."
        )
    _check_paths(s)


def _check_paths(s: Settings) -> None:
    from support.weights import refuse_onnx  # with numpy, which --help does without

    if Path(s.out).exists() and not Path(s.out).is_dir():
        raise UserError(f"--out names {s.out}, which is no folder; name another place.")
    if s.folds and holds_run(s.out):
        raise UserError(
            f"{s.out} holds one run, perhaps one fold, and --folds makes a folder a fold in --out; name the folder "
            "above the folds, or another."
        )
    if s.resume:
        check_run(next(iter(sorted(Path(s.out).glob("fold*"))), s.out) if s.folds else s.out)
    for path in (s.init, *s.teacher):
        refuse_onnx(path)
    for flag, paths in (("--init", [s.init] if s.init and not s.resume else []), ("--teacher", s.teacher),
                        ("--soft", [s.soft] if s.soft else [])):  # fmt: skip
        for path in paths:
            if not Path(path).is_file():
                raise UserError(f"{flag} names {path}, but there is no such file; name one that is there.")


def check_batches(settings: Settings, *, faces: int, batches: int, world_size: int) -> None:
    """Refuse a batch that the training `faces` do not fill (no `batches` an epoch), or that processes cannot share."""
    size, parts = settings.batch_size, world_size * settings.accumulate
    if not batches:
        raise UserError(f"{faces} faces make no batch of {size}; lower --batch-size.")
    if size % parts:
        shares = f"{world_size} processes, {settings.accumulate} part(s) each"
        raise UserError(f"--batch-size {size} cannot be split evenly over {shares}; give a multiple of {parts}.")


def progressive_size(full: int, done: float) -> int:
    """Pixels a side when the share `done` of the run is over: 3/4 of `full` in its first 3/8, 7/8 in the next.

    Smaller pictures cost less, and suffice early in a training (Tan & Le 2021, arXiv 2104.00298, section 4.2).
    """
    return round(full * (3 / 4 if done < 3 / 8 else 7 / 8 if done < 3 / 4 else 1))


def epoch_sizes(settings: Settings, full: int, *, fixed: bool) -> list[int]:
    """Pixels a side in each epoch of a run (`progressive_size` of its middle, the last in full); `fixed`: no other."""
    if fixed or not settings.progressive_resizing:
        return [full] * settings.epochs
    return [*(progressive_size(full, (epoch + 0.5) / settings.epochs) for epoch in range(settings.epochs - 1)), full]
