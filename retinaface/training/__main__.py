"""Train the detector: python -m retinaface.training --annotations A.jsonl --images DIR --out runs/detector

In:  annotated pictures (retinaface/training/annotations.py), optionally pseudo-labels that complete the annotations.
Out: the run's folder: weights.safetensors and weights.onnx (live.py takes them as --detector-weights), last.pt and
     previous.pt (to resume), metrics.csv, settings.json.

torchrun --nproc-per-node=2 -m retinaface.training ... splits the windows of each step evenly over two processes. Batch
norms are then those of the whole batch on cuda, and of each process's part elsewhere.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that spin while they wait slow each other down
os.environ.setdefault("GOMP_SPINCOUNT", "0")

import torch

from retinaface.training.annotations import Picture, read_annotations, read_pictures, split_of
from retinaface.training.pseudo_label import read_labels, with_pseudo_labels
from retinaface.training.trainer import Settings, Trainer
from support import UserError, command, notify, pick_device, run_and_exit
from support.training.distributed import process_group
from support.training.resuming import check_run, resumable


def run(settings: Settings) -> int:
    """Read the pictures, train; 0 when done, 130 when Ctrl-C or SIGTERM stopped it (everything saved)."""
    if settings.resume:
        check_run(settings.out)
    if not settings.annotations or len(settings.annotations) != len(settings.images):
        raise UserError("--annotations FILE.jsonl ... and --images DIR ... are both needed, one folder for each file.")
    if settings.labels and len(settings.labels) != len(settings.annotations):
        raise UserError("--labels FILE.jsonl ... takes one file for each of --annotations.")
    if settings.threads:
        torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.seed)
    with process_group(pick_device(settings.device)) as distributed:
        train, val = load_pictures(settings)
        if distributed.is_main:
            notify(f"training on {distributed.device}: {len(train)} pictures, validating on {len(val)}")
        return Trainer(settings, train, val, distributed).run()


def load_pictures(settings: Settings) -> tuple[list[Picture], list[Picture]]:
    """The training pictures, with pseudo-labels where they are given, and the validation pictures as annotated.

    Pictures that are not complete and have no pseudo-labels are left out: a face without a box would count as
    background.
    """
    train: list[Picture] = []
    val: list[Picture] = []
    for number, (file, images) in enumerate(zip(settings.annotations, settings.images, strict=True)):
        labels = dict(read_labels(settings.labels[number])) if settings.labels else {}
        rows = read_annotations(file)
        for row, picture in zip(rows, read_pictures(rows, images), strict=True):
            if split_of(row) == "val":
                val.append(picture)
            elif picture.name in labels:
                train.append(with_pseudo_labels(picture, labels[picture.name]))
            elif picture.complete:
                train.append(picture)
    files = ", ".join(settings.annotations)
    if all(len(picture.boxes) for picture in train) or not any(len(picture.boxes) for picture in train):
        raise UserError(f"{files}: wanted pictures with faces and pictures without one; add the missing kind.")
    return train, val


main = resumable(command(Settings, run, prog="python -m retinaface.training", doc=__doc__), out="runs/detector")

if __name__ == "__main__":
    run_and_exit(main)
