"""Pictures, compared with what was drawn and, where readers may differ, with what OpenCV reads."""

import io
import os
import struct
import sys
import zlib

import cv2
import numpy as np
import pytest
from helpers.films import FailingFile
from PIL import Image, TiffImagePlugin

from data.sources import pictures
from data.sources.files import printable
from data.sources.pictures import MAX_PIXELS, holds_picture, open_picture, read_picture
from support import UserError


def _picture():
    """20 x 30, each quarter another colour, so that every turn and mirror image shows."""
    image = np.zeros((20, 30, 3), np.uint8)
    image[:10, :15], image[:10, 15:], image[10:, :15] = (250, 0, 0), (0, 250, 0), (0, 0, 250)
    return Image.fromarray(image)


TURNS = {  # EXIF 2.3, tag 0x0112: where the stored first row and first column are seen
    1: lambda image: image,
    2: lambda image: image[:, ::-1],
    3: lambda image: image[::-1, ::-1],
    4: lambda image: image[::-1],
    5: lambda image: image.swapaxes(0, 1),
    6: lambda image: np.rot90(image, -1),
    7: lambda image: image[::-1, ::-1].swapaxes(0, 1),
    8: lambda image: np.rot90(image),
}


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_file_says_how_to_turn_and_mirror_it(tmp_path, kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"a.{kind.lower()}"
    sharp = {"subsampling": 0} if kind == "JPEG" else {"subsampling": "4:4:4"} if kind == "AVIF" else {"lossless": True}
    _picture().save(path, kind, exif=exif, quality=100, **sharp)
    expected = TURNS[orientation](np.asarray(_picture()))
    assert read_picture(path).shape == expected.shape
    assert np.abs(read_picture(path) - expected.astype(int)).max() <= 6


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "1"])
def test_grey_alpha_and_palette_become_rgb(tmp_path, mode):
    path = tmp_path / "a.png"
    _picture().convert(mode).save(path)
    image = read_picture(path)
    expected = np.asarray(Image.open(path).convert("RGB"))
    assert image.dtype == np.uint8
    assert np.array_equal(image, expected)


@pytest.mark.parametrize("suffix", [".png", ".tiff", ".ppm"])
def test_sixteen_bits_become_eight(tmp_path, suffix):
    deep = np.asarray(_picture()).astype(np.uint16) * 257
    (tmp_path / f"a{suffix}").write_bytes(cv2.imencode(suffix, deep[..., ::-1])[1])
    assert np.array_equal(read_picture(tmp_path / f"a{suffix}"), np.asarray(_picture()))


@pytest.mark.parametrize("suffix", [".png", ".tiff", ".pgm"])
def test_sixteen_bits_of_grey_become_eight(tmp_path, suffix):
    grey = np.arange(0, 65_536, 256, dtype=np.uint16).reshape(16, 16)
    (tmp_path / f"a{suffix}").write_bytes(cv2.imencode(suffix, grey)[1])
    assert np.array_equal(read_picture(tmp_path / f"a{suffix}"), np.dstack([grey >> 8] * 3))


def test_cmyk_becomes_rgb(tmp_path):
    _picture().convert("CMYK").save(tmp_path / "a.jpg", quality=100, subsampling=0)
    by_opencv = cv2.imread(str(tmp_path / "a.jpg"), cv2.IMREAD_COLOR_RGB)
    assert np.abs(read_picture(tmp_path / "a.jpg") - by_opencv.astype(int)).max() <= 8
    assert np.abs(read_picture(tmp_path / "a.jpg")[3, 3] - np.array([250, 0, 0])).max() <= 8


def test_values_of_more_than_sixteen_bits_are_refused(tmp_path):
    Image.fromarray(np.full((4, 4), 0.5, np.float32)).save(tmp_path / "a.tiff")
    with pytest.raises(UserError, match="save it with 8 or 16"):
        read_picture(tmp_path / "a.tiff")


@pytest.mark.parametrize("quality", [30, 95])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_rows": 1}, {"subsampling": 0}])
def test_whole_jpegs_of_any_kind_are_read_as_opencv_reads_them(tmp_path, quality, options):
    noise = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    Image.fromarray(noise).resize((333, 221)).save(tmp_path / "a.jpg", quality=quality, **options)
    by_opencv = cv2.imread(str(tmp_path / "a.jpg"), cv2.IMREAD_COLOR_RGB)
    assert np.array_equal(read_picture(tmp_path / "a.jpg"), by_opencv)


@pytest.mark.parametrize("damage", ["cut", "cut and closed", "hole of zeros", "noise"])
def test_a_damaged_jpeg_is_refused(tmp_path, damage):
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    Image.fromarray(noise).resize((640, 480)).save(tmp_path / "a.jpg", quality=90)
    content = (tmp_path / "a.jpg").read_bytes()
    half = len(content) // 2
    rest = {"cut": b"", "cut and closed": b"\xff\xd9", "hole of zeros": bytes(4096) + content[half + 4096 :]}
    rest["noise"] = np.random.default_rng(1).bytes(4096) + content[half + 4096 :]
    (tmp_path / "a.jpg").write_bytes(content[:half] + rest[damage])
    with pytest.raises(UserError, match=r"a\.jpg is (a damaged JPEG|broken)"):
        read_picture(tmp_path / "a.jpg")


@pytest.mark.parametrize("suffix", ["webp", "png", "gif", "avif"])
def test_an_animation_is_a_film_with_its_own_times(tmp_path, suffix):
    colours = [(200, 40, 10), (10, 200, 40), (40, 10, 200)]
    images = [Image.new("RGB", (64, 48), colour) for colour in colours]
    path = tmp_path / f"a.{suffix}"
    images[0].save(path, save_all=True, append_images=images[1:], duration=[100, 500, 200], quality=100)
    with open_picture(path) as source:
        assert (source.stills, source.count) == (False, 3)
        frames = list(source)
    assert [(frame.index, frame.still, frame.path, frame.name) for frame in frames] == [
        (index, False, path, path.name) for index in range(3)
    ]
    assert np.allclose([frame.time_s for frame in frames], [0.0, 0.1, 0.6])
    assert np.allclose([frame.stay_s for frame in frames], [0.1, 0.5, 0.2])
    for frame, colour in zip(frames, colours, strict=True):
        assert np.abs(frame.image_rgb[20, 20] - np.array(colour)).max() <= 6
    with pytest.raises(UserError, match="animation of 3 frames"):
        read_picture(path)


def test_an_animation_that_breaks_off_is_skipped_from_there(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (6, 48, 64, 3), np.uint8)
    images = [Image.fromarray(image) for image in noise]
    images[0].save(tmp_path / "a.png", save_all=True, append_images=images[1:], duration=100)
    content = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(content[: len(content) // 2])
    with open_picture(tmp_path / "a.png") as source:
        frames = list(source)
    (gap,) = source.take_skipped()
    assert 0 < len(frames) < 6
    assert (gap.index, gap.frames) == (len(frames), 6 - len(frames))
    assert np.array_equal(frames[0].image_rgb, noise[0])


def test_an_animation_s_picture_for_those_who_cannot_animate_does_not_count(tmp_path):
    images = [Image.new("RGB", (32, 32), (40 * number, 0, 0)) for number in range(4)]
    images[0].save(tmp_path / "a.png", save_all=True, append_images=images[1:], default_image=True, duration=100)
    with open_picture(tmp_path / "a.png") as source:
        assert source.count == 3
        assert [int(frame.image_rgb[0, 0, 0]) for frame in source] == [40, 80, 120]


def test_a_disk_that_fails_in_an_animation_is_no_damage(tmp_path, monkeypatch):
    images = [Image.fromarray(image) for image in np.random.default_rng(0).integers(0, 256, (20, 96, 128, 3), np.uint8)]
    images[0].save(tmp_path / "a.png", save_all=True, append_images=images[1:], duration=100)
    half = (tmp_path / "a.png").stat().st_size // 2
    monkeypatch.setattr(pictures, "open_file", lambda path: FailingFile(path, half))
    frames = []
    with open_picture(tmp_path / "a.png") as source, pytest.raises(UserError, match="Input/output error"):
        frames.extend(source)
    assert (0 < len(frames) < 20, source.take_skipped()) == (True, [])


def test_pages_are_refused_but_smaller_copies_are_none(tmp_path):
    other = _picture().rotate(180)
    _picture().save(tmp_path / "a.tiff", save_all=True, append_images=[other])
    with pytest.raises(UserError, match="holds 2 pictures; save each"):
        read_picture(tmp_path / "a.tiff")
    thumbnail = _picture().resize((6, 4))
    thumbnail.encoderinfo = {"tiffinfo": {254: 1}}
    _picture().save(tmp_path / "b.tiff", save_all=True, append_images=[thumbnail])
    assert np.array_equal(read_picture(tmp_path / "b.tiff"), np.asarray(_picture()))


def test_a_raw_file_is_not_passed_off_by_its_preview(tmp_path):
    _picture().save(tmp_path / "a.dng", "TIFF", tiffinfo={254: 1})
    with pytest.raises(UserError, match="only a preview, as raw files do"):
        read_picture(tmp_path / "a.dng")


def test_a_picture_is_known_by_its_name_or_its_content(tmp_path):
    _picture().save(tmp_path / "shot", "JPEG")
    (tmp_path / "photo").write_bytes(b"\0\0\0\x18ftypheic" + bytes(40))
    (tmp_path / "notes").write_text("neither")
    names = {"missing.JPG": True, "shot": True, "photo": True, "notes": False, "missing": False, "a.mp4": False}
    assert {name: holds_picture(tmp_path / name) for name in names} == names


def test_what_a_phone_hides_behind_a_jpeg_is_no_second_picture(tmp_path):
    _picture().save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[_picture().resize((6, 4))], quality=100)
    assert read_picture(tmp_path / "a.jpg").shape == (20, 30, 3)


def test_a_heic_is_read_whole_and_upright(tmp_path):
    pillow_heif = pytest.importorskip("pillow_heif")
    image = Image.fromarray(np.kron(np.asarray(_picture()), np.ones((16, 16, 1), np.uint8)))
    pillow_heif.from_pillow(image).save(tmp_path / "a.heic", quality=95)
    got = read_picture(tmp_path / "a.heic")
    assert got.shape == (320, 480, 3)
    assert np.abs(got[::16, ::16].astype(int) - np.asarray(image)[::16, ::16]).mean() < 6
    exif = Image.Exif()
    exif[0x0112] = 6
    pillow_heif.from_pillow(image).save(tmp_path / "turned.heic", quality=95, exif=exif.tobytes())
    assert np.array_equal(read_picture(tmp_path / "turned.heic"), TURNS[6](got))


def test_without_pillow_heif_a_heic_is_one_sentence_that_names_it(tmp_path, monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(pictures.importlib, "import_module", missing)
    (tmp_path / "photo.jpg").write_bytes(b"\0\0\0\x18ftypheic" + bytes(40))  # named so by those who send it on
    with pytest.raises(UserError, match="needs pillow-heif: pip install pillow-heif"):
        read_picture(tmp_path / "photo.jpg")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes there")
def test_a_named_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(UserError, match="named pipe"):
        read_picture(tmp_path / "pipe.png")


@pytest.mark.filterwarnings("ignore:Tag data")  # pytest undoes what the module filters
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP"])
def test_flipped_bits_give_a_picture_or_one_sentence(tmp_path, kind):
    whole = io.BytesIO()
    _picture().save(whole, kind)
    rng = np.random.default_rng(0)
    for _ in range(80):
        content = bytearray(whole.getvalue())
        content[rng.integers(len(content))] ^= 1 << rng.integers(8)
        (tmp_path / "a").write_bytes(content)
        try:
            image = read_picture(tmp_path / "a")
        except UserError:
            continue
        assert image.ndim == 3
        assert image.dtype == np.uint8


@pytest.mark.parametrize("name", ["a[1].png", "ä ж 顔.png", os.fsdecode(b"\xff.png")])
def test_picture_with_any_name(tmp_path, name):
    try:
        (tmp_path / name).touch()
    except OSError:
        pytest.skip("this file system takes no such name")
    _picture().save(tmp_path / "plain.png")
    (tmp_path / "plain.png").replace(tmp_path / name)
    with open_picture(tmp_path / name) as source:
        (frame,) = source
    assert source.count == 1
    assert source.stills
    assert (frame.name, frame.index, frame.still) == (printable(name), 0, True)
    assert frame.path == tmp_path / name
    frame.name.encode()


def _huge_png():
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", 40_000, 20_000, 8, 2, 0, 0, 0)
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
        (_half_a_jpeg(), "is broken"),
        (_huge_png(), r"40000x20000 pixels; at most 268 million"),
    ],
)
def test_a_picture_that_cannot_be_read_is_one_sentence(tmp_path, content, reason):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(UserError, match=reason):
        open_picture(tmp_path / "a.png")


def test_a_missing_picture_is_one_sentence(tmp_path):
    with pytest.raises(UserError, match="cannot open"):
        open_picture(tmp_path / "missing.png")


def test_the_limit_lies_above_what_cameras_give():
    assert 16_320 * 12_240 < MAX_PIXELS < 40_000 * 20_000


@pytest.mark.skipif(sys.platform == "win32", reason="names are text there")
def test_printable_survives_strict_output():
    assert printable(os.fsdecode(b"a\xff.png")) == r"a\xff.png"


def test_what_is_seen_through_a_picture_is_white(tmp_path):
    rgba = np.zeros((4, 6, 4), np.uint8)
    rgba[:, 3:] = (200, 100, 50, 255)
    Image.fromarray(rgba).save(tmp_path / "a.png")
    image = read_picture(tmp_path / "a.png")
    assert (image[:, :3] == 255).all()
    assert (image[:, 3:] == (200, 100, 50)).all()


@pytest.mark.parametrize("tags", [{262: 0}, {284: 2, 277: 3, 258: (16, 16, 16)}])
def test_tiffs_of_which_pillow_makes_another_picture_are_refused(tmp_path, tags):
    """White as 0 in 16 bits, and planes that lie apart: the tags say so."""
    info = TiffImagePlugin.ImageFileDirectory_v2()
    path = tmp_path / "a.tif"
    Image.fromarray(np.arange(600, dtype=np.uint16).reshape(20, 30)).save(path, tiffinfo=info)
    with Image.open(path) as image:
        assert isinstance(image, TiffImagePlugin.TiffImageFile)
        image.tag_v2.update(tags)
        with pytest.raises(UserError, match="a TIFF of a rare kind; save it as PNG"):
            pictures._refuse_rare_tiff(image, path)
    assert read_picture(path).shape == (20, 30, 3)


def test_eight_bits_that_are_stored_in_more_are_refused_and_not_black(tmp_path):
    Image.fromarray(np.full((4, 5), 200, np.int32)).save(tmp_path / "a.tif")
    with pytest.raises(UserError, match="its pixels have 32 bits and no value above 255; save it with 8"):
        read_picture(tmp_path / "a.tif")
    Image.fromarray(np.full((4, 5), 255, np.uint16)).save(tmp_path / "a.png")
    with pytest.raises(UserError, match="its pixels have 16 bits and no value above 255; save it with 8"):
        read_picture(tmp_path / "a.png")
    Image.fromarray(np.full((4, 5), 256, np.uint16)).save(tmp_path / "a.png")
    assert (read_picture(tmp_path / "a.png") == 1).all()
