"""Is OpenCV installed in one piece? Imports no OpenCV, so that the question can be asked when it is broken.

In:  the installed distributions.
Out: one sentence with the repair command, or None.
"""

from __future__ import annotations

import importlib.metadata
import sys

DISTRIBUTIONS = [
    f"opencv-{kind}" for kind in ("python", "python-headless", "contrib-python", "contrib-python-headless")
]


def opencv_conflict() -> str | None:
    """A sentence where more than one OpenCV is installed, else None.

    They all write the same `cv2` folder: the last one wins, and removing any of them breaks the rest.
    """
    here = [name for name in DISTRIBUTIONS if any(importlib.metadata.distributions(name=name))]
    if len(here) < 2:
        return None
    pip = f"{sys.executable} -m pip"
    return (
        f"{' and '.join(here)} are installed over each other, so windows or cv2 itself may fail; repair with: "
        f"{pip} uninstall -y {' '.join(here)} && {pip} install opencv-python"
    )
