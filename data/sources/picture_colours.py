"""Colours of pictures as an ordinary screen shows them: by their ICC profile, or by the codes of HDR and wide gamuts.

In:  a picture as Pillow decodes it, and the file that it is of.
Out: (H, W, 3) uint8 RGB, sRGB.

Codes of curve and primaries are those of films (H.273): AVIF and HEIC have them in a box nclx, over which a profile
takes precedence; PNG in a chunk cICP, which takes precedence over a profile.
"""

from __future__ import annotations

import functools
import io
import re
from pathlib import Path

import av
import numpy as np
from PIL import Image, ImageCms

from data.sources.film_colours import HDR_CURVES, PIXELS, ScreenColours, is_wide

CODES = re.compile(rb"colrnclx\0(.)\0(.)|\0\0\0\x04cICP(.)(.)", re.DOTALL)  # primaries, curve
HEAD_BYTES = 2**16  # of a file; the codes stand in them
SAME = 2  # of 255; a profile that changes no colour by more is sRGB's own


def srgb(picture: Image.Image, *, of: Image.Image, path: str | Path) -> tuple[np.ndarray, str | None]:
    """(H, W, 3) uint8 sRGB of `picture`, of mode L, RGB or another that becomes RGB, and what is to be said of it.

    of: the same as it was opened, with its profile, from the file `path`. A profile that cannot be applied is ignored.
    """
    profile = of.info.get("icc_profile")
    coded = of.format == "PNG" or (of.format in ("AVIF", "HEIF") and not profile)
    curve, primaries = _codes(path) if coded else (0, 0)
    if is_wide(curve, primaries):
        frame = av.VideoFrame.from_ndarray(np.asarray(picture.convert("RGB")), format="rgb24").reformat(format=PIXELS)
        frame = ScreenColours(curve=curve, primaries=primaries).convert(frame).reformat(format="rgb24")
        name = HDR_CURVES.get(curve)
        mapped = f"is an HDR picture ({name}); its colours are mapped to those of an ordinary screen."
        return frame.to_ndarray(), mapped if name else None
    note = None
    if profile:
        try:
            picture = _by_profile(picture, profile, is_grey=Image.getmodebase(of.mode) == "L")
        except (ImportError, OSError, ValueError, ImageCms.PyCMSError) as error:
            note = f"has a colour profile that cannot be applied ({error}); its colours are taken as sRGB."
    return np.array(picture if picture.mode == "RGB" else picture.convert("RGB")), note


def _codes(path: str | Path) -> tuple[int, int]:
    """The curve and primaries that the file names; 0 and 0 where it names none, or others for a part of it."""
    with open(path, "rb") as file:
        found = set(CODES.findall(file.read(HEAD_BYTES)))
    if len(found) != 1:
        return 0, 0
    primaries, curve = (ord(code) for code in found.pop() if code)
    return curve, primaries


def _by_profile(picture: Image.Image, profile: bytes, *, is_grey: bool) -> Image.Image:
    """`picture` as sRGB; it stays itself where the profile is sRGB's own. `ValueError` where it is of another kind."""
    mode, transform = _transform(profile)
    fits = {"L": is_grey, "RGB": picture.mode != "CMYK", "CMYK": picture.mode == "CMYK"}
    if not fits.get(mode):
        raise ValueError(f"it is of {mode}")
    return transform.apply(picture.convert(mode)) if transform else picture


@functools.lru_cache(maxsize=8)  # pictures of one camera have one profile; that of a printer takes half a second
def _transform(profile: bytes) -> tuple[str, ImageCms.ImageCmsTransform | None]:
    """The mode of the pictures that a profile is of, and how they become sRGB; None where they are."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    mode = {"GRAY": "L"}.get(space := source.profile.xcolor_space.strip(), space)
    transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    if mode == "RGB":
        levels = np.arange(0, 256, 17, dtype=np.uint8)
        colours = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(1, -1, 3)
        shown = np.asarray(transform.apply(Image.fromarray(colours)))
        if np.abs(shown - colours.astype(int)).max() <= SAME:
            return mode, None
    return mode, transform
