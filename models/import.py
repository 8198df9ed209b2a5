"""A checkpoint of weights that another program trained: python -m models.import --weights X.pth --model NAME ...

In:  a state_dict (.pth, .pt, .bin, .safetensors) of one of the networks, its classes and what it was shown, e.g.
     --model resnet18 --classes angry happy neutral --imgsz 112 --mean 0.5 0.5 0.5 --std 0.5 0.5 0.5
Out: a checkpoint that everything here takes, as if it had been trained here. Every tensor must fit.
"""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

from models.checkpoint import Checkpoint, save_checkpoint
from models.preprocess import Preprocess
from models.spec import find_spec
from support import UserError, command, notify, run_and_exit, setting
from support.emotions import canonical_name


@dataclasses.dataclass
class Settings:
    """Flags of `python -m models.import`."""

    weights: str = setting("", "the state_dict: .pth, .pt, .bin or .safetensors", metavar="FILE")
    model: str = setting("", "network, a name from models/networks/ or timm/NAME")
    classes: list[str] = setting([], "names of its classes, in the order of its outputs", metavar="NAME")
    imgsz: int = setting(0, "pixels a side that it was trained on; 0: the network's own", within=(0, math.inf))
    mean: list[float] = setting(
        [], "mean of each channel, from 0 to 1; left out: the network's own", metavar="X", within=(0, 1)
    )
    std: list[float] = setting([], "standard deviation of each channel, likewise", metavar="X", within=(1e-6, 1))
    out: str = setting("", "the checkpoint; left out: beside the weights, NAME.checkpoint.safetensors", metavar="FILE")


def run(settings: Settings) -> None:
    """Read, check, write; the checkpoint's name goes to stdout."""
    missing = [f"--{name}" for name in ("weights", "model", "classes") if not getattr(settings, name)]
    if missing:
        raise UserError(f"{' and '.join(missing)} must be given; --help describes them.")
    checkpoint = import_checkpoint(settings)
    out = Path(settings.out or Path(settings.weights).with_suffix(".checkpoint.safetensors"))
    if out.resolve() == Path(settings.weights).resolve():
        raise UserError(f"--out {out} would overwrite the weights; name another file.")
    save_checkpoint(out, checkpoint)
    notify(f"python -m evaluation.classification --weights {out} scores it, python -m models.export exports it")
    print(out)


def import_checkpoint(settings: Settings) -> Checkpoint:
    """The checkpoint that the flags describe; `UserError` where its weights do not fit the network wholly."""
    from models.cells import check_side
    from models.state_dict import match, read_state_dict

    spec, names = find_spec(settings.model), tuple(map(canonical_name, settings.classes))
    check_side(spec, settings.imgsz)
    preprocess = preprocess_of(settings, spec.preprocess)
    found = read_state_dict(settings.weights)
    network = spec.build(len(names))
    fitting = match(network.state_dict(), found, heads=())
    if fitting.missing or fitting.reshaped or fitting.surplus:
        raise UserError(
            f"{settings.weights} is not all of a {settings.model} of {len(names)} classes: {fitting}. Name the network "
            "and the classes that it was trained with; train.py --init takes a part of one, too."
        )
    weights = network.state_dict() | fitting.weights
    about = {"imported_from": Path(settings.weights).name}
    checkpoint = Checkpoint(settings.model, names, preprocess, weights, settings=about)
    return Checkpoint.from_header(checkpoint.header(), weights, path="the command", remedy="correct the flags")


def preprocess_of(settings: Settings, own: Preprocess) -> Preprocess:
    """What the flags say of the network's input; what they do not say is as the network's own."""
    mean, std = tuple(settings.mean) or own.mean, tuple(settings.std) or own.std
    preprocess = dataclasses.replace(own, mean=mean, std=std)
    return preprocess.at_size(settings.imgsz) if settings.imgsz else preprocess


main = command(Settings, run, prog="python -m models.import", doc=__doc__)

if __name__ == "__main__":
    run_and_exit(main)
