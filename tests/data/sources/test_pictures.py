"""Pictures, compared with what Pillow reads."""

import io
import os
import struct
import sys
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from data.sources.pictures import open_pictures, printable, read_picture
from support import UserError


def _picture():
    """20 x 30, each quarter another colour, so that every turn and mirror image shows."""
    image = np.zeros((20, 30, 3), np.uint8)
    image[:10, :15], image[:10, 15:], image[10:, :15] = (250, 0, 0), (0, 250, 0), (0, 0, 250)
    return Image.fromarray(image)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_respected(tmp_path, kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"a.{kind.lower()}"
    _picture().save(path, kind, exif=exif, quality=100, lossless=True, **({"subsampling": 0} if kind == "JPEG" else {}))
    expected = np.asarray(ImageOps.exif_transpose(Image.open(path)).convert("RGB")).astype(int)
    assert np.abs(read_picture(path) - expected).max() <= 4


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "1"])
def test_grey_alpha_and_palette_become_rgb(tmp_path, mode):
    path = tmp_path / "a.png"
    _picture().convert(mode).save(path)
    image = read_picture(path)
    expected = np.asarray(Image.open(path).convert("RGB"))
    assert image.dtype == np.uint8
    assert np.array_equal(image, expected)


def test_sixteen_bits_become_eight(tmp_path):
    deep = np.asarray(_picture()).astype(np.uint16) * 257
    (tmp_path / "a.png").write_bytes(cv2.imencode(".png", deep[..., ::-1])[1])
    assert np.array_equal(read_picture(tmp_path / "a.png"), np.asarray(_picture()))


def test_folder_is_in_natural_order_and_skips_what_is_no_picture(tmp_path, caplog):
    for name in ("10.png", "9.png", "1.PNG"):
        _picture().save(tmp_path / name)
    (tmp_path / "2.png").write_bytes(b"broken")
    (tmp_path / "notes.txt").write_text("not a picture")
    with open_pictures(str(tmp_path)) as source:
        assert (source.live, source.stills, source.fps) == (False, True, None)
        frames = list(source)
    assert [(frame.name, frame.index, frame.time_s) for frame in frames] == [
        ("1.PNG", 0, 0.0),
        ("9.png", 1, 1.0),
        ("10.png", 2, 2.0),
    ]
    (record,) = caplog.records
    assert "2.png is not a picture" in record.message


def test_pattern(tmp_path):
    (tmp_path / "deep").mkdir()
    for name in ("a1.png", "a2.png", "b1.png", "deep/a3.png"):
        _picture().save(tmp_path / name)
    assert [frame.name for frame in open_pictures(f"{tmp_path}/a*.png")] == ["a1.png", "a2.png"]
    assert len(list(open_pictures(f"{tmp_path}/**/*.png"))) == 4


@pytest.mark.parametrize("name", ["a[1].png", "ä ж 顔.png", os.fsdecode(b"\xff.png")])
def test_picture_with_any_name(tmp_path, name):
    try:
        (tmp_path / name).touch()
    except OSError:
        pytest.skip("this file system takes no such name")
    _picture().save(tmp_path / "plain.png")
    (tmp_path / "plain.png").replace(tmp_path / name)
    with open_pictures(str(tmp_path / name)) as source:
        (frame,) = source
    assert source.count == 1
    assert source.stills
    assert frame.name == printable(name)
    frame.name.encode()


def _huge_png():
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"0")) + chunk(b"IEND", b"")


def _half_a_jpeg():
    whole = io.BytesIO()
    _picture().save(whole, "JPEG")
    return whole.getvalue()[:300]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is not a picture"),
        (b"junk", "is not a picture"),
        (_half_a_jpeg(), "not a picture"),
        (_huge_png(), "2\\^30"),
    ],
)
def test_a_picture_that_cannot_be_read_is_one_sentence(tmp_path, content, reason):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(UserError, match=reason):
        open_pictures(str(tmp_path / "a.png"))
    with pytest.raises(UserError, match="none of the 1 pictures"):
        list(open_pictures(str(tmp_path)))


def test_no_pictures_is_one_sentence(tmp_path):
    for name in (str(tmp_path), f"{tmp_path}/*.png"):
        with pytest.raises(UserError, match="no pictures in"):
            open_pictures(name)
    with pytest.raises(UserError, match="cannot open"):
        open_pictures(str(tmp_path / "missing.png"))


@pytest.mark.skipif(sys.platform == "win32", reason="names are text there")
def test_printable_survives_strict_output():
    assert printable(os.fsdecode(b"a\xff.png")) == "a\ufffd.png"
