"""Where things are: the checkout, and what only the founders and CI have beside it."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared"  # data of the founders and of CI; users do not have it
PUBLIC_WEIGHTS = SHARED / "reference" / "retinaface_mobilenet0.25.pth"
