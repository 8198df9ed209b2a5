"""Train an expression network on crowd votes: python train.py --dataset ferplus --data-path DIR

In:  a data set's folder (data/datasets/ lists the formats), the name of a network (models/networks/).
Out: a folder of the run, runs/NAME/: best.safetensors (the checkpoint that live.py takes), last.pt and previous.pt
     (to resume), metrics.csv, settings.json.

The target is a distribution: the shares of the crowd's votes. The loss is KL(votes || softmax(logits)), which for a
one-hot target is cross-entropy, so data sets with labels only train the same way.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import time
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that spin while they wait starve each other
os.environ.setdefault("GOMP_SPINCOUNT", "0")

from support import UserError, add_flags, note, pick_device, run_door, setting, written_whole


@dataclasses.dataclass
class Settings:
    """All that decides a run; `python train.py --help` shows it."""

    dataset: str = setting("", "format of the data set; recognised by its layout where left out")
    data_path: str = setting("data/raw", "the data set's folder", metavar="DIR")
    skip_bad: bool = setting(False, "leave faulty rows of the data set out instead of refusing it")
    model: str = setting("small_resnet18_w32", "network, a name from models/networks/")
    out: str = setting("runs/latest", "folder of this run", metavar="DIR")
    epochs: int = setting(50, "passes over the training faces")
    batch_size: int = setting(64, "faces a step")
    lr: float = setting(0.1, "highest learning rate")
    warmup: float = setting(0.06, "share of the run in which the learning rate rises from 0")
    weight_decay: float = setting(5e-4, "L2 decay of weights; norms and biases have none")
    momentum: float = setting(0.9, "Nesterov momentum of SGD")
    ema: float = setting(0.998, "decay of the running mean of the weights, which is what is validated and kept; 0: off")
    mixup: float = setting(0.0, "alpha of mixup on pictures and votes (Zhang et al. 2018); 0: off")
    label_smoothing: float = setting(0.0, "share of every target that is spread over all classes")
    clip_norm: float = setting(5.0, "largest norm of the gradient; 0: any")
    grow: bool = setting(True, "train the first 3/8 of the run at 3/4 of the picture size, the next 3/8 at 7/8")
    monitor: str = setting(
        "accuracy", "validation score that picks the kept epoch", choices=["accuracy", "macro_f1", "kl"]
    )
    seed: int = setting(0, "seed of weights, order and changes")
    threads: int = setting(0, "CPU threads of torch; 0: as many as torch likes")
    device: str = setting("auto", "auto, cpu, mps, cuda or cuda:N")
    resume: bool = setting(False, "carry on with the run in --out")


SAME_RUN = ("dataset", "model", "epochs", "batch_size", "lr", "seed", "mixup", "ema", "grow")  # must match to resume


def main(argv: list[str] | None = None) -> int:
    """Parse flags, build the parts, train; 0 when done, 130 when Ctrl-C stopped it (everything saved)."""
    parser = argparse.ArgumentParser(prog="train.py", description=__doc__.split("\n")[0])
    add_flags(parser, Settings)
    settings = Settings(**vars(parser.parse_args(argv)))

    import torch

    from data.datasets import load_faces
    from data.face_set import without_twins
    from models.spec import find_spec

    if settings.threads:
        torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.seed)
    spec, device = find_spec(settings.model), pick_device(settings.device)
    faces = {
        split: load_faces(settings.data_path, split, name=settings.dataset, skip_bad=settings.skip_bad)
        for split in ("train", "validation", "test")
    }
    if not faces["train"].has_votes:
        note(f"{settings.data_path} has no votes: training on labels, for which the loss is cross-entropy")
    faces["train"] = without_twins(faces["train"], faces["validation"], faces["test"])
    note(f"{settings.model} on {device}: {len(faces['train'])} faces, validating on {len(faces['validation'])}")
    return Trainer(settings, spec, faces, device).run()


class Trainer:
    """One run: the network, its running mean, the optimiser, and how far it has come."""

    def __init__(self, settings: Settings, spec, faces: dict, device) -> None:
        import torch

        from data.augment import Augment
        from data.loader import Batches
        from support.averaging import running_mean

        self.settings, self.spec, self.faces, self.device = settings, spec, faces, device
        self.out = Path(settings.out)
        network = spec.build(len(faces["train"].class_names))
        self.network = network.to(device, memory_format=torch.channels_last)
        self.ema = running_mean(self.network, settings.ema)
        self.optimiser = torch.optim.SGD(
            weight_groups(self.network, settings.weight_decay),
            lr=settings.lr,
            momentum=settings.momentum,
            nesterov=True,
        )
        self.batches = Batches(faces["train"], Augment(), batch_size=settings.batch_size, seed=settings.seed)
        self.steps = settings.epochs * len(self.batches)
        self.epoch, self.step, self.loss_sum = 0, 0, 0.0
        self.history: list[dict] = []
        if self.steps == 0:
            raise UserError(
                f"{len(faces['train'])} training faces make no batch of {settings.batch_size}; lower --batch-size."
            )

    def run(self) -> int:
        """Train to the end; a first Ctrl-C saves and returns 130."""
        self._resume_or_start()
        try:
            while self.epoch < self.settings.epochs:
                started = time.perf_counter()
                first = self.step
                self.train_epoch()
                rate = (len(self.batches) - first) * self.settings.batch_size / (time.perf_counter() - started)
                self._finish_epoch(rate)
        except KeyboardInterrupt:
            self.save_state()
            note(f"stopped in epoch {self.epoch + 1}; everything is saved, --resume carries on")
            return 130
        return 0

    def train_epoch(self) -> None:
        """The steps of this epoch that are still to do."""
        import torch

        size = self.picture_size()
        preprocess = self.spec.preprocess.at_size(size)
        self.network.train()
        for crops, votes in self.batches.epoch(self.epoch, size=size, first=self.step):
            self._set_lr()
            x = preprocess(crops, device=self.device).contiguous(memory_format=torch.channels_last)
            target = torch.from_numpy(votes).to(self.device)
            x, target = self._mix(x, target)
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
                logits = self.network(x)
            loss = kl_loss(logits.float(), target, smoothing=self.settings.label_smoothing)
            if not torch.isfinite(loss):
                raise UserError(
                    f"the loss is {loss.item()} in epoch {self.epoch + 1}; lower --lr and --resume.", exit_code=1
                )
            self.optimiser.zero_grad(set_to_none=True)
            loss.backward()
            if self.settings.clip_norm:
                torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.settings.clip_norm)
            self.optimiser.step()
            self.ema.update_parameters(self.network)
            self.step += 1
            self.loss_sum += loss.item()

    def picture_size(self) -> int:
        """Pixels a side in this epoch: small pictures first, the full size for the last quarter (EfficientNetV2)."""
        full, done = self.spec.preprocess.size_hw[0], self.epoch / self.settings.epochs
        if not self.settings.grow or self.spec.fixed_size:
            return full
        share = 3 / 4 if done < 3 / 8 else 7 / 8 if done < 3 / 4 else 1
        return round(full * share)

    def validate(self) -> tuple[dict, object, object]:
        """Scores of the kept weights on the validation faces, their logits (N, K), and the module that gave them."""
        from evaluation.metrics import score, softmax
        from models.classifier import predict_logits

        network = (self.ema.module if self.settings.ema else self.network).eval()
        faces = self.faces["validation"]
        logits = predict_logits(network, self.spec.preprocess, faces.images, device=self.device)
        return score(faces.labels, softmax(logits), faces.votes), logits, network

    def _finish_epoch(self, rate: float) -> None:
        from models.calibration import fit_temperature
        from models.checkpoint import Checkpoint, save_checkpoint

        scores, logits, network = self.validate()
        row = {"epoch": self.epoch + 1, "size": self.picture_size(), "lr": self._set_lr(),
               "train_loss": self.loss_sum / len(self.batches), "faces_per_s": rate, **scores}  # fmt: skip
        self.history.append({key: round(value, 5) for key, value in row.items()})
        note("  ".join(f"{key} {value:.4g}" for key, value in row.items() if key not in ("n", "correct")))
        self._write_history()
        sign = -1 if self.settings.monitor == "kl" else 1
        best = max(self.history, key=lambda past: sign * past[self.settings.monitor])
        if best is self.history[-1]:
            checkpoint = Checkpoint(
                network=self.settings.model,
                class_names=self.faces["train"].class_names,
                preprocess=self.spec.preprocess,
                weights=network.state_dict(),
                temperature=fit_temperature(logits, self.faces["validation"].labels),
                settings=dataclasses.asdict(self.settings),
                scores={"validation": scores, "epoch": self.epoch + 1},
            )
            save_checkpoint(self.out / "best.safetensors", checkpoint)
        self.epoch, self.step, self.loss_sum = self.epoch + 1, 0, 0.0
        self.save_state()

    def _mix(self, x, target):
        """Mixup: pictures and votes of the batch, each with a partner's, in one share (Zhang et al. 2018, eq. 1)."""
        import numpy as np

        if not self.settings.mixup:
            return x, target
        rng = np.random.default_rng((self.settings.seed, self.epoch, self.step))
        share = rng.beta(self.settings.mixup, self.settings.mixup)
        partner = rng.permutation(len(x))
        return share * x + (1 - share) * x[partner], share * target + (1 - share) * target[partner]

    def _set_lr(self) -> float:
        """Linear warm-up, then half a cosine down to 0 (Loshchilov & Hutter 2017, eq. 5)."""
        import math

        done = (self.epoch * len(self.batches) + self.step) / self.steps
        warmup = self.settings.warmup
        rise = done / warmup if done < warmup else 0.5 + 0.5 * math.cos(math.pi * (done - warmup) / (1 - warmup))
        for group in self.optimiser.param_groups:
            group["lr"] = self.settings.lr * rise
        return self.settings.lr * rise

    def save_state(self) -> None:
        """All that `--resume` needs, to the bit."""
        import torch

        from support.run_state import save_state

        state = {name: getattr(self, name).state_dict() for name in ("network", "ema", "optimiser")}
        state |= {"progress": (self.epoch, self.step, self.loss_sum), "history": self.history}
        state |= {"rng": torch.get_rng_state(), "settings": dataclasses.asdict(self.settings)}
        save_state(self.out, state)

    def _resume_or_start(self) -> None:
        import torch

        from support.run_state import newest_state, refuse_to_overwrite

        if not self.settings.resume:
            refuse_to_overwrite(self.out)
            with written_whole(self.out / "settings.json") as temporary:
                temporary.write_text(json.dumps(dataclasses.asdict(self.settings), indent=1))
            return
        state = newest_state(self.out)
        changed = [k for k in SAME_RUN if state["settings"].get(k) != getattr(self.settings, k)]
        if changed:
            raise UserError(
                f"{self.out} was started with other values of {', '.join(changed)}; give the same, or start anew."
            )
        for name in ("network", "ema", "optimiser"):
            getattr(self, name).load_state_dict(state[name])
        self.epoch, self.step, self.loss_sum = state["progress"]
        self.history = state["history"]
        torch.set_rng_state(state["rng"])

    def _write_history(self) -> None:
        import pandas as pd

        with written_whole(self.out / "metrics.csv") as temporary:
            pd.DataFrame(self.history).to_csv(temporary, index=False)


def weight_groups(network, weight_decay: float) -> list[dict]:
    """Two parameter groups: matrices and kernels decay, norms and biases do not."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]


def kl_loss(logits, votes, *, smoothing: float = 0.0):
    """Mean over the batch of KL(votes || softmax(logits)); logits and votes (N, K) float32, in nats."""
    import torch.nn.functional as F

    target = (1 - smoothing) * votes + smoothing / votes.shape[1]
    return F.kl_div(F.log_softmax(logits, dim=1), target, reduction="batchmean")


if __name__ == "__main__":
    run_door(main)
