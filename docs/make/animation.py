"""The moving picture of the README: python -m docs.make.animation

In:  the bundled sample: the public-domain portraits that matplotlib and scikit-image ship (data/sources/sample.py).
Out: docs/pictures/live.webp, an animated WebP of eight seconds that loops without a seam: each frame as `live.py`
     draws it. scikit-image must be installed (requirements.txt), else both portraits would be one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from data.sources.sample import FPS, PERIOD, portrait, sample_frame
from pipeline.drawing.overlay import Overlay
from pipeline.run import EmotionPipeline
from pipeline.tracking import Tracker
from support import atomic_write, command, run_and_exit, setting
from support.cli import ROOT

PICTURES = ROOT / "docs" / "pictures"
SIZE_HW = (405, 540)


@dataclass(frozen=True)
class Settings:
    """Flags of `python -m docs.make.animation`."""

    out: str = setting(str(PICTURES / "live.webp"), "the file to write", metavar="FILE.webp")
    step: int = setting(8, "take every N-th of the sample's 600 frames", metavar="N", within=(1, PERIOD))
    frame_ms: int = setting(100, "how long each is shown, milliseconds", within=(20, 10000))
    quality: int = setting(45, "of the WebP, 0 to 100", within=(0, 100))


def annotated_frames(step: int) -> list[np.ndarray]:
    """Every `step`-th frame of one period of the sample, annotated: (H, W, 3) uint8 RGB each.

    The period runs twice, and the second is kept: boxes and bars then join where it closes.
    """
    portrait("collins")  # refuses in a sentence where scikit-image is missing
    frames: list[np.ndarray] = []
    pipeline, overlay = EmotionPipeline.from_files(tracker=Tracker()), Overlay()
    for index in range(0, 2 * PERIOD, step):
        (result,) = pipeline([sample_frame(index, SIZE_HW)], time_s=index / FPS)
        annotated = overlay.draw(result)
        if index >= PERIOD:
            frames.append(annotated)
    pipeline.close()
    return frames


def run(settings: Settings) -> None:
    """Write the file and print its name and size."""
    first, *others = map(Image.fromarray, annotated_frames(settings.step))
    options = {"duration": settings.frame_ms, "loop": 0, "quality": settings.quality, "method": 6}
    with atomic_write(Path(settings.out)) as temporary, open(temporary, "wb") as file:
        first.save(file, format="WEBP", save_all=True, append_images=others, **options)
    print(f"{settings.out}: {len(others) + 1} frames, {Path(settings.out).stat().st_size / 1e6:.2f} MB")


main = command(Settings, run, prog="python -m docs.make.animation", doc=__doc__)

if __name__ == "__main__":
    run_and_exit(main)
