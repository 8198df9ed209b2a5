"""Pictures on disk.

In:  a picture (H, W, 3) uint8 RGB.
Out: a .png, .jpg or .webp file, under its own name only when complete.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from support import FAILED, UserError, write_file


def save_picture(path: str | Path, image_rgb: np.ndarray) -> None:
    """Write (H, W, 3) uint8 RGB as the kind of picture that the suffix names.

    Raises `UserError` where OpenCV knows none, or it takes no picture of this size.
    """
    path = Path(path)
    try:
        fits, encoded = cv2.imencode(path.suffix, cv2.cvtColor(image_rgb, cv2.COLOR_RGB2BGR))
    except cv2.error as error:
        raise UserError(f"cannot write a picture to {path.name}; take .png, .jpg or .webp.") from error
    if not fits:
        height, width = image_rgb.shape[:2]
        what = f"a {path.suffix} picture cannot have {width}x{height} pixels"
        raise UserError(f"cannot write {path}: {what}; save it as .tif.", exit_code=FAILED)
    write_file(path, encoded.tobytes())


def check_suffix(path: Path, suffixes: Iterable[str], what: str) -> None:
    """`UserError` where `path` ends in none of `suffixes`; `what` names the kind of file in the sentence."""
    if path.suffix.lower() not in suffixes:
        raise UserError(f"{what} ends in {', '.join(suffixes)}, which {path.name!r} does not; name another.")
