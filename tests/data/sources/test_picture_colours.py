"""Colours of pictures, drawn by the formulas of sRGB, Adobe RGB and BT.2100 and read as sRGB."""

import io
import struct
import zlib

import numpy as np
import pytest
from helpers.films import BT2020, HLG, LIMITED, PATCHES, PQ, hdr_signal, patch_colours, patches, write_film
from PIL import Image, ImageCms

from data.sources import picture_colours
from data.sources.pictures import open_picture

SRGB_XYZ = np.array([[0.43607, 0.22249, 0.01392], [0.38515, 0.71687, 0.09708], [0.14307, 0.06061, 0.71410]])  # of D50
ADOBE_XYZ = np.array([[0.60974, 0.31111, 0.01947], [0.20528, 0.62567, 0.06087], [0.14919, 0.06322, 0.74457]])
ADOBE_GAMMA = 563 / 256


def icc_profile(space: bytes, gamma: float, primaries_xyz: np.ndarray) -> bytes:
    """A profile of version 2 (ICC.1:2001-04) of some primaries and one gamma; space: b"RGB ", b"GRAY" or another."""
    curve = b"curv" + bytes(4) + struct.pack(">IHxx", 1, round(256 * gamma))
    tags = {b"wtpt": _xyz([0.9642, 1.0, 0.8249])}
    if space == b"GRAY":
        tags[b"kTRC"] = curve
    else:
        for name, xyz in zip(("r", "g", "b"), primaries_xyz, strict=True):
            tags |= {f"{name}XYZ".encode(): _xyz(xyz), f"{name}TRC".encode(): curve}
    table, body, start = struct.pack(">I", len(tags)), b"", 132 + 12 * len(tags)
    for tag, content in tags.items():
        table += tag + struct.pack(">II", start + len(body), len(content))
        body += content
    header = struct.pack(">I4xI4s4s4s12x4s28x", start + len(body), 0x02400000, b"mntr", space, b"XYZ ", b"acsp")
    return (header + _xyz([0.9642, 1.0, 0.8249])[8:]).ljust(128, b"\0") + table + body


def _xyz(values) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(65_536 * value) for value in values))


def linear(image: np.ndarray) -> np.ndarray:
    """sRGB's light in [0, 1] (IEC 61966-2-1)."""
    value = image / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def adobe_rgb(image: np.ndarray) -> np.ndarray:
    """The numbers by which Adobe RGB (1998) shows sRGB colours."""
    light = linear(image) @ SRGB_XYZ @ np.linalg.inv(ADOBE_XYZ)
    return np.rint(255 * light.clip(0, 1) ** (1 / ADOBE_GAMMA)).astype(np.uint8)


def read(path):
    """The picture as `open_picture` gives it, and what is said of it."""
    with open_picture(path) as source:
        (frame,) = source
        return frame.image_rgb, source.take_notes()


@pytest.mark.parametrize("kind", ["png", "jpg", "webp", "tiff", "avif", "see-through.png"])
def test_colours_are_those_that_the_profile_means(tmp_path, kind):
    stored, profile = Image.fromarray(adobe_rgb(patches())), icc_profile(b"RGB ", ADOBE_GAMMA, ADOBE_XYZ)
    sharp = {"jpg": {"subsampling": 0}, "avif": {"subsampling": "4:4:4"}, "webp": {"lossless": True}}.get(kind, {})
    if kind.startswith("see-through"):
        stored.putalpha(255)
    stored.save(tmp_path / f"a.{kind}", icc_profile=profile, quality=100, **sharp)
    image, notes = read(tmp_path / f"a.{kind}")
    assert np.abs(patch_colours(image) - PATCHES).max() <= (10 if kind in ("jpg", "avif") else 2)
    assert notes == []


@pytest.mark.parametrize("mode", ["L", "LA", "I;16"])
@pytest.mark.parametrize("space", [b"GRAY", b"RGB "])
def test_grey_values_are_those_that_the_profile_means(tmp_path, mode, space):
    """The profile may be one of grey or of colours."""
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    stored = np.rint(255 * linear(grey) ** (1 / 1.5)).astype(np.uint8)
    image = Image.fromarray(stored.astype(np.uint16) * 257 if mode == "I;16" else stored)
    image.convert(mode).save(tmp_path / "a.png", icc_profile=icc_profile(space, 1.5, SRGB_XYZ))
    got, notes = read(tmp_path / "a.png")
    assert np.abs(got.astype(int) - grey[..., None])[2:].max() <= 3  # in the dark few values are stored
    assert notes == []


def test_pictures_in_srgb_are_not_computed_anew(tmp_path, monkeypatch):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture_colours._transform.cache_clear()
    read_before = patches()
    Image.fromarray(read_before).save(tmp_path / "a.png", icc_profile=profile)
    read(tmp_path / "a.png")
    monkeypatch.setattr(ImageCms.ImageCmsTransform, "apply", None)
    image, notes = read(tmp_path / "a.png")
    assert np.array_equal(image, read_before)
    assert notes == []


@pytest.mark.parametrize("problem", ["broken", "of grey", "of light", "of a printer's picture", "no LittleCMS"])
def test_a_profile_that_cannot_be_applied_is_told_and_the_numbers_stay(tmp_path, monkeypatch, problem):
    picture_colours._transform.cache_clear()
    profile, image = icc_profile(b"RGB ", ADOBE_GAMMA, ADOBE_XYZ), Image.fromarray(patches())
    if problem == "broken":
        profile = profile[:150]
    elif problem == "of grey":
        profile = icc_profile(b"GRAY", 1.0, ADOBE_XYZ)
    elif problem == "of light":
        profile = icc_profile(b"XYZ ", ADOBE_GAMMA, ADOBE_XYZ)
    elif problem == "no LittleCMS":
        monkeypatch.setattr(ImageCms, "core", Missing())
    elif problem == "of a printer's picture":
        image = image.convert("CMYK")
    path = tmp_path / ("a.tiff" if image.mode == "CMYK" else "a.png")
    image.save(path, icc_profile=profile)
    got, notes = read(path)
    assert np.array_equal(got, np.asarray(image.convert("RGB")))
    (note,) = notes
    assert note.startswith(f"{path} has a colour profile that cannot be applied (")
    assert note.endswith("); its colours are taken as sRGB.")


class Missing:
    """As Pillow stands in for what it was built without."""

    def __getattr__(self, name: str) -> None:
        raise ImportError("LittleCMS is not there")


def _png_chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


@pytest.mark.parametrize(("curve", "name"), [(PQ, "PQ"), (HLG, "HLG")])
@pytest.mark.parametrize("suffix", ["png", "avif"])
def test_hdr_pictures_show_the_colours_of_an_ordinary_screen_and_say_so(tmp_path, suffix, curve, name):
    signal = hdr_signal(patches(), curve)
    path = tmp_path / f"a.{suffix}"
    if suffix == "avif":
        tags = {"colorspace": BT2020, "color_range": LIMITED, "color_trc": curve, "color_primaries": BT2020}
        write_film(path, [signal], codec="libsvtav1", pixels="yuv420p10le", colour=tags)
    else:
        encoded = io.BytesIO()
        Image.fromarray((signal >> 8).astype(np.uint8)).save(encoded, "PNG")
        content, header_end = encoded.getvalue(), 33
        cicp = _png_chunk(b"cICP", bytes([BT2020, curve, 0, 1]))
        path.write_bytes(content[:header_end] + cicp + content[header_end:])
    image, notes = read(path)
    errors = np.abs(patch_colours(image) - PATCHES)
    assert errors.max() <= 24  # saturated green lies where the gamut is clipped, and 8 bits are few
    assert errors[[3, 4, 5, 6, 7]].max() <= 8  # greys and skin
    assert notes == [f"{path} is an HDR picture ({name}); its colours are mapped to those of an ordinary screen."]


@pytest.mark.parametrize("also", ["nothing", "a profile", "an HDR copy"])
def test_an_avif_of_ordinary_colours_stays_as_it_is(tmp_path, also):
    """A profile goes before the codes; those of a copy for HDR screens, which stands in the same file, do not count."""
    hdr = b"colrnclx" + bytes([0, BT2020, 0, PQ, 0, BT2020, 0])
    profile = icc_profile(b"RGB ", ADOBE_GAMMA, ADOBE_XYZ) if also == "a profile" else b""
    image = Image.fromarray(adobe_rgb(patches()) if profile else patches())
    image.save(tmp_path / "a.avif", quality=100, subsampling="4:4:4", icc_profile=profile)
    content = (tmp_path / "a.avif").read_bytes()
    if also != "nothing":
        content += hdr
    (tmp_path / "a.avif").write_bytes(content)
    image, notes = read(tmp_path / "a.avif")
    assert np.abs(patch_colours(image) - PATCHES).max() <= 10
    assert notes == []
