"""Score detector weights on annotated pictures: python -m evaluation.detection --annotations A.jsonl --images DIR

In:  weights (left out: the shipped ones), annotations as in retinaface/training/annotations.py, the pictures.
Out: JSON: ap, recall, false_positives, landmark_error, faces, images; and the same for faces of each size (pixels) and
     each brightness (mean grey level).

AP is the area under the precision-recall curve at IoU 0.5, all points (VOC 2010). Recall and false positives are
counted at score 0.5. The landmark error is the mean distance over the distance between the eyes. Faces whose longer
side is below `--min-size`, detections that match them, and detections of regions to ignore are left out.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from evaluation.detection.annotated_pictures import PictureSettings
from evaluation.detection.corruptions import CORRUPTIONS, corrupt
from retinaface.metrics import LOWEST_SCORE, LUMINANCE_BINS, SIZE_BINS, match_pictures, scores_by, scores_of
from support import command, notify, run_and_exit, setting, write_json


@dataclass
class Settings(PictureSettings):
    """Flags of `python -m evaluation.detection`."""

    corruption: str | None = setting(None, "corrupt the pictures in this way", choices=list(CORRUPTIONS))
    min_size: float = setting(
        0.0, "faces with a longer side of fewer pixels are left out", metavar="PX", within=(0, 1e5)
    )
    out: str = setting("", "where the scores go as JSON; left out: stdout", metavar="scores.json")


def run(settings: Settings) -> int:
    """Detect, match, write."""
    pictures = settings.pictures()
    if settings.corruption:
        pictures = (corrupt(picture, settings.corruption) for picture in pictures)
    matches = match_pictures(pictures, settings.detector(conf=LOWEST_SCORE))
    chosen = matches.sizes >= settings.min_size
    report = asdict(scores_of(matches, chosen))
    tables = {
        "by_size": scores_by(matches, matches.sizes, SIZE_BINS, chosen=chosen),
        "by_luminance": scores_by(matches, matches.luminances, LUMINANCE_BINS, chosen=chosen),
    }
    write_json(report | tables, settings.out)
    if settings.out:
        notify(f"{settings.out}: " + ", ".join(f"{name} {value}" for name, value in report.items()))
    return 0


main = command(Settings, run, prog="python -m evaluation.detection", doc=__doc__)

if __name__ == "__main__":
    run_and_exit(main)
