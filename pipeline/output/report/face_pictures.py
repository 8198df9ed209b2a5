"""Pictures in the report: mean heatmaps over a drawn face, and, where faces may be shown, faces with their heat.

In:  heatmaps (S, S) float32 in [0, 1]; frames with their faces.
Out: data URIs for `<img>` and SVG, so that the page needs no other file.
"""

from __future__ import annotations

import base64

import cv2
import numpy as np

from gradcam import TURBO_RGB, blend
from models.preprocess import CROP_TEMPLATE
from pipeline.crops import crop_faces
from pipeline.drawing.overlay import Show
from pipeline.run import FaceResult

SIDE = 112  # pixels of a face in the report
JPEG_QUALITY = 85
HEAT_SIDE = 32  # pixels of a mean heatmap at most: its cells are larger
OPACITY = 0.9  # of the highest heat over the drawn face


def face_with_heat(frame_rgb: np.ndarray, face: FaceResult) -> bytes:
    """The aligned face, `SIDE` pixels a side, with its heat where it has some, as JPEG."""
    crop_rgb = crop_faces(frame_rgb, [face.face], size=SIDE)[0][0]
    if face.heatmap is not None:
        heatmap = cv2.resize(face.heatmap.astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
        crop_rgb = blend(crop_rgb, heatmap.clip(0, 1), alpha=Show.alpha)
    return _encoded(".jpg", cv2.cvtColor(crop_rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])


def jpeg_uri(encoded: bytes) -> str:
    """A JPEG as a data URI."""
    return "data:image/jpeg;base64," + base64.b64encode(encoded).decode()


def heat_uri(heatmap: np.ndarray) -> str:
    """(S, S) in [0, 1] in the heatmap's colours, the more opaque the higher, as the data URI of a PNG."""
    if max(heatmap.shape) > HEAT_SIDE:
        heatmap = cv2.resize(heatmap, (HEAT_SIDE, HEAT_SIDE), interpolation=cv2.INTER_AREA)
    height = cv2.convertScaleAbs(heatmap, alpha=255)
    alpha = (OPACITY * height).round().astype(np.uint8)
    colour_bgr = TURBO_RGB[height, 0, ::-1]
    return "data:image/png;base64," + base64.b64encode(_encoded(".png", np.dstack([colour_bgr, alpha]), [])).decode()


def drawn_face(heatmap: np.ndarray) -> str:
    """The SVG children, 100 units a side, of a neutral face whose eyes, nose and mouth lie where crops have them,
    under the heatmap.
    """
    (lx, ly), (rx, ry), (nx, ny), (mlx, mly), (mrx, mry) = (100 * CROP_TEMPLATE).tolist()
    eyes = "".join(
        f'<path d="M{x - 8:.1f} {y:.1f}q8 -7 16 0q-8 6 -16 0z"/>'
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.6" class="pupil"/>'
        f'<path d="M{x - 10:.1f} {y - 9:.1f}q10 -6 20 0"/>'
        for x, y in ((lx, ly), (rx, ry))
    )
    return (
        f'<g class="face"><path d="M50 3c26 0 39 20 38 45c-1 28 -18 49 -38 49s-37 -21 -38 -49c-1 -25 12 -45 38 -45z"/>'
        f'{eyes}<path d="M{nx - 1:.1f} {ny - 16:.1f}l-6 16q7 5 14 0"/>'
        f'<path d="M{mlx:.1f} {mly:.1f}Q50 {mly + 5:.1f} {mrx:.1f} {mry:.1f}"/></g>'
        f'<image href="{heat_uri(heatmap)}" width="100" height="100"/>'
    )


def _encoded(suffix: str, image: np.ndarray, options: list[int]) -> bytes:
    return cv2.imencode(suffix, image, options)[1].tobytes()
