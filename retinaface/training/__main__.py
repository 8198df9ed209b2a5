"""Train the detector: python -m retinaface.training --annotations A.jsonl --images DIR --out runs/detector

In:  annotated pictures (retinaface/training/annotations.py), optionally teacher weights that complete the annotations.
Out: the run's folder: weights.safetensors and weights.onnx (live.py takes them as --detector-weights), last.pt and
     previous.pt (to resume), metrics.csv, settings.json.

torchrun --nproc-per-node=2 -m retinaface.training ... splits the scenes of each step evenly over two processes. Batch
norms are then those of the whole batch on cuda, and of each process's part elsewhere.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that spin while they wait slow each other down
os.environ.setdefault("GOMP_SPINCOUNT", "0")

import torch

from retinaface.detector import RetinaFace
from retinaface.training.annotations import Picture, read_annotations, read_pictures, split_of
from retinaface.training.scenes import SceneMaker
from retinaface.training.teacher import UNSURE_SCORE, add_pseudo_labels, measure_landmark_bias
from retinaface.training.trainer import Settings, Trainer
from support import UserError, command, notify, pick_device, run_and_exit
from support.training.distributed import process_group


def run(settings: Settings) -> int:
    """Read the pictures, train; 0 when done, 130 when Ctrl-C or SIGTERM stopped it (everything saved)."""
    if not settings.annotations or len(settings.annotations) != len(settings.images):
        raise UserError("--annotations FILE.jsonl ... and --images DIR ... are both needed, one folder for each file.")
    if settings.distill and not settings.teacher:
        raise UserError("--distill needs --teacher FILE, the weights of the teacher.")
    if settings.threads:
        torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.seed)
    with process_group(pick_device(settings.device)) as distributed:
        train, val = load_pictures(settings, distributed.device)
        if distributed.is_main:
            notify(f"training on {distributed.device}: {len(train)} pictures, validating on {len(val)}")
        return Trainer(settings, train, val, distributed).run()


def load_pictures(settings: Settings, device: torch.device) -> tuple[list[Picture], list[Picture]]:
    """The training pictures, with the teacher's pseudo-labels where one is given, and the validation pictures."""
    train: list[Picture] = []
    val: list[Picture] = []
    for file, images in zip(settings.annotations, settings.images, strict=True):
        for row in read_annotations(file):
            (train if split_of(row) == "train" else val).extend(read_pictures([row], images))
    if settings.teacher:
        threads = settings.threads or 2
        teacher = RetinaFace.from_file(settings.teacher, device=device, threads=threads, conf=UNSURE_SCORE, imgsz=None)
        bias = measure_landmark_bias(teacher, train)
        train = [add_pseudo_labels(p, teacher, landmark_bias=bias) if len(p.boxes) else p for p in train]
        teacher.close()
    maker = SceneMaker(train)
    if not maker.backgrounds or not maker.portraits:
        files = ", ".join(settings.annotations)
        raise UserError(f"{files}: wanted pictures without a face and portraits with landmarks; one kind is missing.")
    return train, val


main = command(Settings, run, prog="python -m retinaface.training", doc=__doc__)

if __name__ == "__main__":
    run_and_exit(main)
