"""What the page has to know: every number, name and colour that Python has too, so that nothing is written twice.

In:  the two .onnx files with their metadata; constants of the pipeline.
Out: `about()`, plain JSON values, which the page reads as about.json (`web/page/types.js` says what is in it).
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from data.sources import pictures, sample
from gradcam import EXPLAINERS, TINY, TURBO_RGB
from models.checkpoint import ONNX_FORMAT as CLASSIFIER_FORMAT
from models.checkpoint import SHIPPED as CLASSIFIER
from models.classifier import Classifier
from models.preprocess import LUMA_BT601, STANDARD_DEVIATION_FLOOR
from pipeline import appearance, motion, scene, tracking
from pipeline.crops import FINEST
from pipeline.drawing import labels, layout, overlay, primitives, status_line, text
from pipeline.live.keys import KEYS, PRIOR_WORDS
from pipeline.live.session import AWAY_S, MESSAGE_S
from pipeline.motion import OneEuroFilter
from pipeline.options import AnalysisOptions, PredictOptions, SessionOptions
from pipeline.output.log import COLUMNS, LAST_COLUMNS
from pipeline.run import REDUCED_SAID
from retinaface.defaults import CANDIDATES, IMGSZ
from retinaface.detector import FARTHEST
from retinaface.detector import ONNX_FORMAT as DETECTOR_FORMAT
from retinaface.detector import SHIPPED as DETECTOR
from support import UserError
from support.csv_cells import FORMULA
from support.onnx.session import load_session

MAX_FACES = 20  # as live.py
SMALL_IMGSZ = 320  # where the full search is too slow
STILL_IMGSZ = 1280  # pictures may take longer, but a phone's memory is small
LONGEST_SIDE = 2048  # of a picture or film; larger ones are reduced as they are opened
WANTED_FPS = 10.0
SENTENCE_S = 4.0  # seconds between two sentences for a screen reader
PERCENTAGES = {"crowd": "the share of a crowd's votes that an expression would get", "label": "how likely the label is"}
# Keys of the page: live.py's, with its words where there are none here.
PAGE_KEYS = {
    "q / Esc": "close the camera or film",
    "space": "pause",
    **dict.fromkeys("hbexsrm", ""),
    "c": "save a table of predictions",
    "?": "",
}
DRAWING = {
    labels: "LONGEST_NAME BAR_LENGTH ROW PALETTE OTHER_CLASS TRACK",
    layout: "CROWD SMALLEST_FACE OWN_SHARE",
    overlay: "ARM CORNER_RADIUS SHADOW",
    primitives: "OPACITY RED DARK",
    status_line: "LARGEST_SHARE LINE",
    text: "SMALLEST WHITE DIM REGULAR BOLD CAP_HEIGHT",
}
ICONS = {"heat": status_line.HEATMAP, "pause": status_line.PAUSE, "record": status_line.RECORD}
TRACKING = {
    tracking: "MEMORY_S MEMORY_FRAMES REACH REACH_PER_S FARTHEST SIZE_RATIO SIZE_RATIO_PER_S LARGEST_RATIO UNSEEN_COST"
    " RESTART_FRAMES RESTART_S ALIKE ALIKE_S INTERVALS",
    motion: "VELOCITY_S COAST_S",
}
ANIMATION = {pictures: "SHORTEST_S USUAL_S"}
APPEARANCE = {appearance: "PATCH MIDDLE AROUND SMALLEST STRUCTURE WHITE BLEACHED"}
SCENE = {scene: "LONGER BLOCK REACH STRUCTURE SAME FOUND CUT WHITE BLEACHED FEWEST PATIENCE"}


def about() -> dict:
    """JSON values for the page, from the shipped networks.

    Raises `UserError` where a file is missing or damaged, or the page could not run or explain its network.
    """
    detector = load_session(DETECTOR.with_suffix(".onnx"), wanted_format=DETECTOR_FORMAT, threads=1).metadata
    classifier = load_session(CLASSIFIER.with_suffix(".onnx"), wanted_format=CLASSIFIER_FORMAT, threads=1).metadata
    height, width = classifier["preprocess"]["size_hw"]
    if not classifier["head"] or height != width:
        raise UserError(
            f"the page explains networks in closed form, which {classifier['network']} does not allow; ship weights of "
            "one that sees square crops and ends in a mean and one linear layer."
        )
    asked = {"confidence": AnalysisOptions.confidence, "prior": AnalysisOptions.prior}
    shipped = Classifier.from_file(CLASSIFIER.with_suffix(".onnx"), engine="onnx", threads=1, **asked)
    bias, temperature = shipped.bias_and_temperature[shipped.confidence]
    tracker = OneEuroFilter()
    return {
        "versions": {"onnxruntime_web": wanted_runtime(), "network": classifier["network"]},
        "notice": status_line.NOTICE,
        "percentages": f"Percentages: {PERCENTAGES[shipped.confidence]}; {PRIOR_WORDS[shipped.prior]}.",
        "keys": [[key, words or dict(KEYS)[key]] for key, words in PAGE_KEYS.items()],
        "detector": detector
        | {"file": "retinaface.onnx", "candidates": CANDIDATES, "max_faces": MAX_FACES, "farthest": FARTHEST},
        "classifier": {
            "file": "emotion.onnx",
            **{name: classifier[name] for name in ("class_names", "preprocess", "crop_template", "head", "cells")},
            "bias": bias.tolist(),
            "temperature": temperature,
            "luma": list(LUMA_BT601),
            "standard_deviation_floor": STANDARD_DEVIATION_FLOOR,
            "finest": FINEST,
        },
        "explainers": list(EXPLAINERS),
        "tiny": TINY,
        "heat_colours": TURBO_RGB.reshape(-1, 3).tolist(),
        "tracking": constants(TRACKING)
        | {name: getattr(tracker, name) for name in ("min_cutoff_hz", "beta", "d_cutoff_hz")}
        | {"smooth_s": PredictOptions.smooth_s, "luma": list(LUMA_BT601)}
        | {"appearance": constants(APPEARANCE), "scene": constants(SCENE)},
        "drawing": constants(DRAWING)
        | {"alpha": float(SessionOptions.alpha)}
        | {"icons": {name: icon.width for name, icon in ICONS.items()}},
        "page": {
            "imgsz": IMGSZ,
            "small_imgsz": SMALL_IMGSZ,
            "still_imgsz": STILL_IMGSZ,
            "longest_side": LONGEST_SIDE,
            "reduced_said": REDUCED_SAID,
            "wanted_fps": WANTED_FPS,
            "message_s": MESSAGE_S,
            "away_s": AWAY_S,
            "sentence_s": SENTENCE_S,
        }
        | constants(ANIMATION),
        "sample": sample_numbers(),
        "log_columns": list(COLUMNS),
        "log_last_columns": list(LAST_COLUMNS),
        "log_formula": list(FORMULA),
    }


def constants(named: Mapping[ModuleType, str]) -> dict:
    """The constants of modules by their names in lower case."""
    return {name.lower(): getattr(module, name) for module, names in named.items() for name in names.split()}


def sample_numbers() -> dict:
    """How the bundled sample moves (`data/sources/sample.py`), and the files of its prints (`web/export.py`)."""
    photos = [dataclasses.asdict(photo) | {"file": f"sample/{i}.webp"} for i, photo in enumerate(sample.PHOTOS)]
    return {
        "fps": sample.FPS,
        "period": sample.PERIOD,
        "size_hw": list(sample.DEFAULT_SIZE_HW),
        "wall": "sample/wall.webp",
        "photos": photos,
    }


def wanted_runtime() -> str:
    """The version of onnxruntime-web that package.json pins."""
    package = json.loads((Path(__file__).parent / "package.json").read_text(encoding="utf-8"))
    return package["dependencies"]["onnxruntime-web"]
