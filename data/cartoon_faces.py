"""Drawn faces whose expressions are known, since they are drawn: for notebooks and tests, without anyone's picture.

In:  an expression, or a mixture of two; a random generator for all that is not the expression.
Out: (S, S, 3) uint8 RGB, with eyes, nose and mouth where a crop of a face has them.

An expression is seven numbers: what brows, eyes and mouth do. Skin, hair, background, light, and where and how tilted
the face is say nothing of it. So it is known where a heatmap must lie: on brows, eyes and mouth.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import cv2
import numpy as np

FINER = 4  # drawn so many times larger, then averaged down
EYES, NOSE = ((0.326, 0.377), (0.674, 0.377)), (0.5, 0.586)  # shares of the side, as in a crop
MOUTH, MOUTH_HALF = (0.5, 0.754), 0.148  # the middle between its corners, and half its width
REGIONS = {  # rows and columns of what moves, shares of the side
    "brows and eyes": ((0.16, 0.47), (0.16, 0.84)),
    "mouth": ((0.62, 0.92), (0.26, 0.74)),
}


@dataclass(frozen=True)
class Expression:
    """What brows, eyes and mouth do.

    brow_tilt: 1: inner ends up; -1: down. brow_lift: of the whole brow. eye: how far it is open, 1 at rest.
    smile: 1: corners up; -1: down. gap: how far the mouth is open. width: of the mouth. skew: one corner up.
    """

    brow_tilt: float = 0.0
    brow_lift: float = 0.0
    eye: float = 1.0
    smile: float = 0.0
    gap: float = 0.0
    width: float = 1.0
    skew: float = 0.0

    def mixed(self, other: Expression, share: float) -> Expression:
        """So much of the way to `other`, 0 to 1."""
        pairs = zip(dataclasses.astuple(self), dataclasses.astuple(other), strict=True)
        return Expression(*((1 - share) * a + share * b for a, b in pairs))


EXPRESSIONS = {
    "neutral": Expression(),
    "happiness": Expression(brow_lift=0.1, eye=0.75, smile=1.0, gap=0.25, width=1.15),
    "surprise": Expression(brow_lift=1.0, eye=1.45, gap=1.0, width=0.6),
    "sadness": Expression(brow_tilt=1.0, eye=0.75, smile=-0.8, width=0.9),
    "anger": Expression(brow_tilt=-1.0, brow_lift=-0.45, eye=0.8, smile=-0.35, width=0.85),
    "disgust": Expression(brow_tilt=-0.4, brow_lift=-0.4, eye=0.45, smile=-0.7, gap=0.2, skew=0.5),
    "fear": Expression(brow_tilt=0.8, brow_lift=0.8, eye=1.4, smile=-0.3, gap=0.45, width=1.1),
    "contempt": Expression(eye=0.8, smile=0.1, skew=1.0),
}


@dataclass(frozen=True)
class Look:
    """What says nothing of the expression. Grey levels 0 to 255; shift_xy, in shares of the side; degrees; zoom."""

    skin: float = 200.0
    hair: float = 60.0
    background: float = 130.0
    tint: tuple[float, float, float] = (1.0, 0.9, 0.8)
    hairline: float = 0.2
    shift_xy: tuple[float, float] = (0.0, 0.0)
    degrees: float = 0.0
    zoom: float = 1.0

    @classmethod
    def at_random(cls, rng: np.random.Generator) -> Look:
        """Another person in another place."""
        red = rng.uniform(0.95, 1.0)
        return cls(
            skin=rng.uniform(95, 235),
            hair=rng.uniform(15, 200),
            background=rng.uniform(30, 225),
            tint=(red, red * rng.uniform(0.82, 0.95), red * rng.uniform(0.68, 0.9)),
            hairline=rng.uniform(0.1, 0.26),
            shift_xy=(rng.uniform(-0.04, 0.04), rng.uniform(-0.04, 0.04)),
            degrees=rng.uniform(-8, 8),
            zoom=rng.uniform(0.92, 1.06),
        )


def cartoon_face(expression: Expression, look: Look | None = None, *, size: int = 48) -> np.ndarray:
    """A drawn face, (size, size, 3) uint8 RGB."""
    look = look or Look()
    side = size * FINER
    canvas: np.ndarray = np.full((side, side), look.background, np.float32)
    _head(canvas, look)
    ink = 25.0 if look.skin > 110 else 5.0
    for which, (x, y) in enumerate(EYES):
        _eye(canvas, (x, y), expression.eye, ink=ink)
        _brow(canvas, (x, y), inner=1 - 2 * which, expression=expression, ink=ink)
    _line(canvas, [(NOSE[0], NOSE[1] - 0.09), (NOSE[0] + 0.03, NOSE[1]), (NOSE[0] - 0.01, NOSE[1])], 0.62 * look.skin)
    _mouth(canvas, expression, ink=ink)
    matrix = cv2.getRotationMatrix2D((side / 2, side / 2), look.degrees, look.zoom)
    matrix[:, 2] += np.multiply(look.shift_xy, side)
    canvas = cv2.warpAffine(canvas, matrix, (side, side), borderMode=cv2.BORDER_REPLICATE)
    grey = cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA)
    return np.clip(grey[..., None] * look.tint, 0, 255).round().astype(np.uint8)


def random_cartoon(name: str, rng: np.random.Generator, *, size: int = 48) -> np.ndarray:
    """A face with the expression called `name`, more or less strong, of another person each time."""
    expression = EXPRESSIONS["neutral"].mixed(EXPRESSIONS[name], rng.uniform(0.7, 1.15))
    face = cartoon_face(expression, Look.at_random(rng), size=size)
    noise = rng.normal(scale=4.0, size=(size, size, 1))
    return np.clip(face + noise, 0, 255).round().astype(np.uint8)


def _head(canvas: np.ndarray, look: Look) -> None:
    """Hair, then the face on it."""
    _ellipse(canvas, (0.5, 0.45), (0.47, 0.52), look.hair)
    _ellipse(canvas, (0.5, 0.545), (0.4, 0.5), look.skin)
    fringe = [
        (0.1, 0.4),
        (0.16, 0.12),
        (0.5, 0.02),
        (0.84, 0.12),
        (0.9, 0.4),
        (0.78, look.hairline),
        (0.22, look.hairline),
    ]
    cv2.fillPoly(canvas, [_points(canvas, fringe)], look.hair, cv2.LINE_AA)


def _eye(canvas: np.ndarray, at_xy: tuple[float, float], opened: float, *, ink: float) -> None:
    _ellipse(canvas, at_xy, (0.075, 0.042 * opened), 245.0)
    _ellipse(canvas, at_xy, (0.03, min(0.03, 0.04 * opened)), ink)
    _line(
        canvas, [(at_xy[0] - 0.075, at_xy[1]), (at_xy[0], at_xy[1] - 0.042 * opened), (at_xy[0] + 0.075, at_xy[1])], ink
    )


def _brow(canvas: np.ndarray, eye_xy: tuple[float, float], *, inner: int, expression: Expression, ink: float) -> None:
    """inner: 1 where the nose is to the right of this eye, else -1."""
    x, y = eye_xy[0], eye_xy[1] - 0.105 - 0.055 * expression.brow_lift
    rise = 0.05 * expression.brow_tilt
    ends = [(x - inner * 0.09, y + rise), (x, y - 0.012), (x + inner * 0.09, y - rise)]
    _line(canvas, ends, ink, width=0.028)


def _mouth(canvas: np.ndarray, expression: Expression, *, ink: float) -> None:
    """Between an upper and a lower lip that curve by `smile`; `gap` is between them."""
    along = np.linspace(-1, 1, 15)
    half = MOUTH_HALF * expression.width
    bend = 0.075 * expression.smile * (1 - along**2) - 0.035 * expression.smile  # down in the middle is up at the ends
    bend = bend - 0.05 * expression.skew * np.clip(along, 0, 1)
    gap = 0.12 * expression.gap * np.sqrt(1 - along**2)
    x = MOUTH[0] + half * along
    upper, lower = MOUTH[1] + bend - 0.6 * gap, MOUTH[1] + bend + gap
    outline = [*zip(x, upper, strict=True), *zip(x[::-1], lower[::-1], strict=True)]
    cv2.fillPoly(canvas, [_points(canvas, outline)], 0.5 * ink, cv2.LINE_AA)
    _line(canvas, list(zip(x, upper, strict=True)), ink, width=0.022)
    _line(canvas, list(zip(x, lower, strict=True)), ink, width=0.022)


def _points(canvas: np.ndarray, shares: list[tuple[float, float]]) -> np.ndarray:
    return np.round(np.array(shares) * len(canvas)).astype(np.int32)


def _line(canvas: np.ndarray, shares: list[tuple[float, float]], level: float, *, width: float = 0.016) -> None:
    thickness = max(1, round(width * len(canvas)))
    cv2.polylines(canvas, [_points(canvas, shares)], False, level, thickness, cv2.LINE_AA)


def _ellipse(canvas: np.ndarray, at_xy: tuple[float, float], half_xy: tuple[float, float], level: float) -> None:
    centre, axes = _points(canvas, [at_xy])[0].tolist(), _points(canvas, [half_xy])[0].tolist()
    cv2.ellipse(canvas, centre, axes, 0, 0, 360, level, -1, cv2.LINE_AA)
