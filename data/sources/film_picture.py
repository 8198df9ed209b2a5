"""From a decoded film picture to the RGB that a person would see: its colours, its upright position, square pixels.

In:  `av.VideoFrame` of any pixel format, and the pixel aspect ratio of its stream.
Out: (H, W, 3) uint8 RGB, sRGB.

Colours: the matrix and range that the film names; without a name, or for one of `OTHER_MATRICES`, BT.709 from 720
rows on and BT.601 below, as players do. HDR (PQ and HLG, BT.2100) and wide colours (BT.2020, P3) are mapped to sRGB by
`data.sources.film_colours`.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.video.reformatter import Colorspace, VideoReformatter

from data.sources.film_colours import PIXELS, ScreenColours, is_wide

HD_SIZE_HW = (720, 1280)  # from here on BT.709 where nothing is said
MATRIX_BYTES = 36  # nine numbers
LARGEST_ASPECT = 4  # of a pixel; more is a damaged header

# FFmpeg's AVColorSpace to what swscale can convert from; 0, RGB, is left as it is
_MATRICES = {1: Colorspace.ITU709, 4: Colorspace.FCC, 5: Colorspace.ITU601, 6: Colorspace.ITU601}
_MATRICES |= {7: Colorspace.SMPTE240M, 9: Colorspace.BT2020, 10: Colorspace.BT2020}
# those that it cannot convert from, by their names in H.273
OTHER_MATRICES = {8: "YCgCo", 11: "SMPTE ST 2085", 12: "chromaticity-derived YCbCr", 13: "chromaticity-derived YCbCr"}
OTHER_MATRICES |= {14: "ICtCp", 15: "IPT-PQ-C2", 16: "YCgCo-Re", 17: "YCgCo-Ro"}


class FilmPicture:
    """Converts the pictures of one stream, one after the other; `aspect`: width of a pixel by its height, or None."""

    def __init__(self, aspect: Fraction | None) -> None:
        plausible = aspect and 1 / LARGEST_ASPECT <= aspect <= LARGEST_ASPECT
        self._aspect = float(aspect) if aspect and plausible else 1.0
        self._reformatter = VideoReformatter()
        self._to_rgb24 = VideoReformatter()  # of 16-bit pictures; one that alternates would start anew each time
        self._colours: tuple[tuple[int, int], ScreenColours] | None = None  # of the last curve and primaries

    def rgb(self, frame: av.VideoFrame) -> np.ndarray:
        """(H, W, 3) uint8 RGB, upright; pixels that are not square are made so by enlarging their shorter side.

        Raises `av.FFmpegError` where the picture's format cannot be converted.
        """
        width = round(frame.width * max(1.0, self._aspect))
        height = round(frame.height / min(1.0, self._aspect))
        wide = is_wide(frame.color_trc, frame.color_primaries)
        converted = self._reformatter.reformat(
            frame, width=width, height=height, format=PIXELS if wide else "rgb24", src_colorspace=_matrix(frame)
        )
        if wide:
            converted = self._to_rgb24.reformat(self._screen_colours(frame).convert(converted), format="rgb24")
        return np.ascontiguousarray(upright(converted.to_ndarray(), display_matrix(frame)))

    def _screen_colours(self, frame: av.VideoFrame) -> ScreenColours:
        tags = frame.color_trc, frame.color_primaries
        if self._colours is None or self._colours[0] != tags:
            self._colours = tags, ScreenColours(curve=tags[0], primaries=tags[1])
        return self._colours[1]


def _matrix(frame: av.VideoFrame) -> int | None:
    """The matrix to convert from YCbCr; None for RGB."""
    if frame.format.is_rgb:
        return None
    is_hd = frame.height >= HD_SIZE_HW[0] or frame.width >= HD_SIZE_HW[1]
    return _MATRICES.get(frame.colorspace, Colorspace.ITU709 if is_hd else Colorspace.ITU601)


def display_matrix(frame: av.VideoFrame) -> np.ndarray | None:
    """How the container says the picture is to be turned: (2, 2) int, or None.

    (column, row) stored @ matrix = (column, row) shown, but for the offset.
    """
    try:
        side_data: Any = frame.side_data.get("DISPLAYMATRIX")
    except ValueError:  # of one kind that PyAV has no name for, as EXIF, which takes all others with it
        angle = np.deg2rad(frame.rotation)  # counterclockwise; whether it is mirrored, too, is not known
        cos, sin = np.cos(angle), np.sin(angle)
        return (65_536 * np.array([[cos, -sin], [sin, cos]])).astype(np.int32)
    if side_data is None or len(bytes(side_data)) < MATRIX_BYTES:  # a damaged header
        return None
    return np.frombuffer(side_data, np.int32, 9).reshape(3, 3)[:2, :2].copy()


def upright(image: np.ndarray, matrix: np.ndarray | None) -> np.ndarray:
    """`image` (H, W, C) turned by quarters and mirrored as `matrix` says, a view; other angles by the next quarter."""
    if matrix is None:
        return image
    (right_to_right, right_to_down), (down_to_right, down_to_down) = matrix
    if abs(int(right_to_down)) > abs(int(right_to_right)):  # columns become rows
        image = image.swapaxes(0, 1)
        across, down = down_to_right, right_to_down
    else:
        across, down = right_to_right, down_to_down
    return image[:: -1 if down < 0 else 1, :: -1 if across < 0 else 1]
