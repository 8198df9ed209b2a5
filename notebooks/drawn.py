"""What the notebooks run on where no data is given: drawn faces, a network that learns them, a film of them.

In:  the parameters of a notebook.
Out: a data set and checkpoints; frames and a pipeline for them; where the heat of drawn faces lies.

The detector was trained on photographs and does not see drawings. In the drawn film it is known where the faces are.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import train
from data.cartoon_faces import EXPRESSIONS, EYES, MOUTH, MOUTH_HALF, NOSE, REGIONS, Expression, Look, cartoon_face
from data.datasets.ferplus import FOLDERS
from data.sample_set import write_sample_set
from data.sources.frame import Frame
from data.sources.open_source import open_source, source_files
from models.ensemble import classifier_from_files
from pipeline.run import EmotionPipeline
from pipeline.tracking import Tracker
from retinaface.face import Face, Faces
from support import UserError, notify

FACES, NETWORK = "../runs/drawn_faces", "../runs/drawn_network"
EPOCHS = 12
RECIPE = [
    *("--model", "tiny_cnn", "--optimiser", "adamw", "--lr", "0.01", "--weight-decay", "0.01", "--batch-size", "16"),
    *("--ema", "0.9", "--augment", "0.5", "--no-progressive-resizing"),
]
PEOPLE = (  # who is in the film: how they look, where, and which expressions follow each other
    (Look(skin=215, hair=45, hairline=0.16), (60, 70), ("neutral", "happiness", "surprise", "sadness")),
    (Look(skin=140, hair=25, hairline=0.22), (350, 60), ("anger", "neutral", "fear", "happiness")),
    (Look(skin=185, hair=150, hairline=0.12), (210, 230), ("surprise", "sadness", "neutral", "anger")),
)
SIDE, FPS, HOLD_S, CHANGE_S = 200, 10, 1.4, 0.6  # of a face in pixels; of the film; of an expression, and to the next


def data_and_weights(data_path: str, weights: list[str] | None, *, epochs: int = EPOCHS) -> tuple[str, list[str]]:
    """The data set's folder and the checkpoints: what is given; without data drawn faces, and the network for them.

    With data of your own and no weights: the shipped ones, [].
    """
    if data_path:
        return data_path, weights or []
    return drawn_faces(), weights or [drawn_network(epochs=epochs)]


def drawn_faces() -> str:
    """The folder of the drawn faces, which are made unless they are there."""
    if not Path(FACES, FOLDERS["test"], "label.csv").is_file():  # the last file of a set
        write_sample_set(FACES)
    return FACES


def drawn_network(*, epochs: int = EPOCHS) -> str:
    """A small network, trained on drawn faces in a minute; one that is there already is taken as it is, which is said.

    A training that was stopped goes on. Raises `UserError` where it is stopped.
    """
    folder = Path(NETWORK)
    if (folder / "best.onnx").is_file():  # the last file of a run
        notify(f"the network in {NETWORK} is taken as it is; to train it anew, remove that folder.")
    else:
        resume = ["--resume"] * (folder / "last.pt").is_file()
        flags = ["--data-path", drawn_faces(), "--out", NETWORK, "--epochs", str(epochs), *RECIPE, *resume]
        if train.main(flags):
            raise UserError("the training was stopped; run this cell again, and it goes on.")
    return str(folder / "best.safetensors")


def frames_and_pipeline(
    source: str, weights: list[str] | None, *, count: int, epochs: int = EPOCHS
) -> tuple[list[Frame], EmotionPipeline]:
    """The first frames of a source and a pipeline with a tracker; without a source the drawn film."""
    if source:
        with open_source(source, max_frames=count) as opened:
            if opened.stills or len(source_files(source)) > 1:
                raise UserError(
                    f"{source} holds pictures or several films, through which nobody can be followed; "
                    "name one film or a camera."
                )
            return list(opened), EmotionPipeline.from_files(weights=weights or [], tracker=Tracker())
    frames, faces = drawn_film(count)
    classifier = classifier_from_files(weights or [drawn_network(epochs=epochs)])
    return frames, EmotionPipeline(KnownFaces(faces), classifier, tracker=Tracker())


def region_shares(heatmaps: np.ndarray) -> dict[str, tuple[float, float]]:
    """Of heatmaps (N, S, S) of drawn faces: the share of their heat in each region, and the region's of the picture."""
    side, total = heatmaps.shape[1], heatmaps.sum()
    shares = {}
    for name, ((top, bottom), (left, right)) in REGIONS.items():
        rows, columns = slice(round(top * side), round(bottom * side)), slice(round(left * side), round(right * side))
        part = heatmaps[:, rows, columns]
        shares[name] = (round(float(part.sum() / total), 2), round(part[0].size / side**2, 2))
    return shares


def drawn_film(count: int) -> tuple[list[Frame], list[Faces]]:
    """Three drawn people whose expressions change: `count` frames of 640 x 480 pixels, and the faces of each."""
    frames, faces = [], []
    for index in range(count):
        image = np.full((480, 640, 3), 150, np.uint8)
        seen = []
        for number, (look, (left, top), names) in enumerate(PEOPLE):
            time_s = index / FPS + 0.7 * number
            x, y = left + round(12 * np.sin(time_s)), top + round(6 * np.cos(1.3 * time_s))
            image[y : y + SIDE, x : x + SIDE] = cartoon_face(expression_at(names, time_s), look, size=SIDE)
            seen.append(face_at(x, y))
        frames.append(Frame(image, index / FPS, index, "drawn film"))
        faces.append(Faces(seen))
    return frames, faces


def expression_at(names: Sequence[str], time_s: float) -> Expression:
    """Each of the expressions is held, and then becomes the next, in turn."""
    turn, passed_s = divmod(time_s, HOLD_S + CHANGE_S)
    now, following = (EXPRESSIONS[names[int(turn + step) % len(names)]] for step in (0, 1))
    return now.mixed(following, max(0.0, passed_s - HOLD_S) / CHANGE_S)


def face_at(left: int, top: int) -> Face:
    """The face that is drawn with its corner there."""
    mouth = [(MOUTH[0] + side * MOUTH_HALF, MOUTH[1]) for side in (-1, 1)]
    landmarks = np.array([*EYES, NOSE, *mouth]) * SIDE - 0.5 + (left, top)
    box = np.array([0.1, 0.15, 0.9, 1.0]) * SIDE + (left, top, left, top)
    return Face(box.astype(np.float32), landmarks.astype(np.float32), 1.0)


class KnownFaces:
    """A detector of the drawn film, that is asked for its frames in their order."""

    def __init__(self, faces: Sequence[Faces]) -> None:
        self._faces = iter(faces)

    def __call__(self, frames: Sequence[np.ndarray], *, imgsz: Sequence[int | None] | None = None) -> list[Faces]:
        """The faces of the next frames."""
        return list(itertools.islice(self._faces, len(frames)))

    def close(self) -> None:
        """There is nothing to end."""
