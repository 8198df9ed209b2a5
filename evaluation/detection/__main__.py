"""Score detector weights on annotated pictures: python -m evaluation.detection --annotations A.jsonl --images DIR

In:  weights (the shipped ones where left out), annotations as in `retinaface/training/annotations.py`, the pictures.
Out: scores.json: ap, recall, false_positives, landmark_error, faces, images; and the same for faces of each size.

AP is the area under the precision-recall curve at IoU 0.5, all points (VOC 2010). Recall and false positives are
counted at score 0.5, the landmark error is the mean distance over the distance between the eyes. Faces smaller than
`--min-size` (the longer side) neither count nor harm: what is found on them is left out.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from retinaface.metrics import LOWEST_SCORE, match_pictures, scores_by_size, scores_of
from retinaface.training.annotations import chosen_rows, read_pictures
from support import UserError, command, notify, pick_device, run_and_exit, setting, write_json


@dataclass
class Settings:
    """Flags of `python -m evaluation.detection`."""

    annotations: str = setting("", "annotations, one JSON object a line", metavar="FILE.jsonl")
    images: str = setting("", "the folder that their picture names start from", metavar="DIR")
    weights: str = setting(
        "", "detector weights, .safetensors or the public .pth; left out: the shipped ones", metavar="FILE"
    )
    split: str = setting("all", "which of the pictures", choices=["all", "train", "val"])
    source: str = setting("", "only pictures whose name starts with this", metavar="PREFIX")
    condition: str = setting("", "change the pictures: grey, dark, backlit, tilted, cut_off, near or masked")
    min_size: float = setting(0.0, "faces with a longer side of fewer pixels are left out", metavar="PX")
    out: str = setting("", "where the scores go as JSON; left out: stdout", metavar="scores.json")
    device: str = setting("auto", "auto, cpu, mps, cuda or cuda:N")


def run(settings: Settings) -> int:
    """Parse, detect, write."""
    if not settings.annotations or not settings.images:
        raise UserError(
            "--annotations FILE.jsonl and --images DIR are both needed; see retinaface/training/annotations.py for the format."
        )
    from evaluation.detection.corruptions import CORRUPTIONS, changed
    from retinaface.detector import RetinaFace

    if settings.condition and settings.condition not in CORRUPTIONS:
        raise UserError(f"there is no condition {settings.condition!r}; the conditions are {', '.join(CORRUPTIONS)}.")
    rows = chosen_rows(settings.annotations, split=settings.split, source=settings.source)
    detector = RetinaFace.from_file(
        settings.weights or None, device=pick_device(settings.device), score_threshold=LOWEST_SCORE, longest_side=None
    )
    pictures = read_pictures(rows, settings.images)
    if settings.condition:
        pictures = (changed(picture, settings.condition) for picture in pictures)
    matched = match_pictures(pictures, detector, min_size=settings.min_size)
    report = asdict(scores_of(matched)) | {"by_size": scores_by_size(matched)}
    write_json(report, settings.out)
    if settings.out:
        notify(f"{settings.out}: " + ", ".join(f"{k} {v}" for k, v in report.items() if k != "by_size"))
    return 0


main = command(Settings, run, prog="python -m evaluation.detection", doc=__doc__)

if __name__ == "__main__":
    run_and_exit(main)
