"""Colours of HDR and wide-gamut films as an ordinary screen shows them, by a table of some 32 x 32 x 32 colours.

In:  a film's transfer curve and primaries, as FFmpeg numbers them; its pictures as 16-bit RGB.
Out: the same pictures in sRGB.

Light is taken relative to 203 nits, the white of BT.2408. What is brighter keeps its hue and is clipped; what lies
outside sRGB's gamut is clipped. FFmpeg's swscale has such a conversion, too, but takes seconds for its first picture.
"""

from __future__ import annotations

import tempfile
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.filter import Graph
from av.video.reformatter import ColorPrimaries, ColorTrc

HDR_CURVES: dict[int, str] = {ColorTrc.SMPTE2084: "PQ", ColorTrc.ARIB_STD_B67: "HLG"}
WHITE_NITS, HLG_NITS, HLG_GAMMA = 203.0, 1000.0, 1.2  # BT.2408; BT.2100's screen for HLG and its system gamma
POINTS: dict[int, int] = {ColorTrc.SMPTE2084: 32}  # of the table, a channel: white, where clipping begins, is one
USUAL_POINTS = 33
PIXELS = "gbrp16le"  # which FFmpeg's table takes fastest

# linear RGB -> linear sRGB: BT.2087 for BT.2020, SMPTE EG 432-1 for P3 (with the white of screens)
_BT2020 = np.array([[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]])
_P3 = np.array([[1.2249, -0.2247, 0.0], [-0.0420, 1.0419, 0.0], [-0.0197, -0.0786, 1.0979]])
_TO_SRGB: dict[int, np.ndarray] = {ColorPrimaries.BT2020: _BT2020}
_TO_SRGB |= {ColorPrimaries.SMPTE431: _P3, ColorPrimaries.SMPTE432: _P3}


def is_wide(curve: int, primaries: int) -> bool:
    """Do pictures with these tags need `ScreenColours`?"""
    return curve in HDR_CURVES or primaries in _TO_SRGB


def to_srgb(signal: np.ndarray, *, curve: int, primaries: int) -> np.ndarray:
    """RGB signals (..., 3) float in [0, 1] by the film's curve and primaries -> sRGB (..., 3) in [0, 1]."""
    if curve == ColorTrc.SMPTE2084:
        light = _pq_nits(signal) / WHITE_NITS
    elif curve == ColorTrc.ARIB_STD_B67:
        light = _hlg_nits(signal) / WHITE_NITS
    else:
        light = np.where(signal <= 0.04045, signal / 12.92, ((signal + 0.055) / 1.055) ** 2.4)
    light = light @ _TO_SRGB.get(primaries, np.eye(3)).T
    light = (light / np.maximum(light.max(axis=-1, keepdims=True), 1)).clip(0, 1)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def _pq_nits(signal: np.ndarray) -> np.ndarray:
    """BT.2100, table 4: the EOTF of PQ, in candela per square metre."""
    power = signal ** (32 / 2523)
    return 10_000 * (np.maximum(power - 3424 / 4096, 0) / (2413 / 128 - 2392 / 128 * power)) ** (16_384 / 2610)


def _hlg_nits(signal: np.ndarray) -> np.ndarray:
    """BT.2100, table 5: the inverse OETF of HLG, then the OOTF of a screen of `HLG_NITS`."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
    luminance = scene @ np.array([[0.2627], [0.6780], [0.0593]])
    return HLG_NITS * luminance ** (HLG_GAMMA - 1) * scene


class ScreenColours:
    """Converts pictures in `PIXELS` of one curve and primaries to sRGB, by FFmpeg's `lut3d`."""

    def __init__(self, *, curve: int, primaries: int) -> None:
        points = POINTS.get(curve, USUAL_POINTS)
        axis = np.linspace(0, 1, points)
        blue, green, red = np.meshgrid(axis, axis, axis, indexing="ij")
        colours = to_srgb(np.stack([red, green, blue], axis=-1), curve=curve, primaries=primaries).reshape(-1, 3)
        self._table = f"LUT_3D_SIZE {points}\n" + "%.5f %.5f %.5f\n" * len(colours) % tuple(colours.ravel())
        self._graph: Graph | None = None
        self._size_hw: tuple[int, int] | None = None

    def convert(self, picture: av.VideoFrame) -> av.VideoFrame:
        """A picture in `PIXELS` -> the same in sRGB."""
        if self._graph is None or self._size_hw != (picture.height, picture.width):
            self._graph, self._size_hw = self._graph_for(picture), (picture.height, picture.width)
        self._graph.vpush(picture)
        return self._graph.vpull()

    def _graph_for(self, picture: av.VideoFrame) -> Graph:
        graph = Graph()
        buffer = graph.add_buffer(
            width=picture.width, height=picture.height, format=picture.format, time_base=Fraction(1, 1)
        )
        with tempfile.TemporaryDirectory() as folder:  # the filter reads its table from a file
            path = Path(folder, "table.cube")
            path.write_text(self._table, encoding="ascii")
            table = graph.add("lut3d", file=str(path), interp="tetrahedral")
            graph.link_nodes(buffer, table, graph.add("buffersink")).configure()
        return graph
