"""From decoded to seen: colours, HDR, turned and mirrored films, pixels that are not square."""

import io
import itertools
from fractions import Fraction

import av
import numpy as np
import pytest
from helpers.films import (
    BT601,
    BT709,
    BT2020,
    FULL,
    HLG,
    LIMITED,
    PATCHES,
    PQ,
    hdr_signal,
    patch_colours,
    patches,
    read_film,
    write_film,
)
from PIL import Image

from data.sources.film import open_film
from data.sources.film_picture import display_matrix, upright

IMAGE = np.arange(6 * 4).reshape(4, 6, 1)
MATRICES = [((a, 0), (0, d)) for a, d in itertools.product((1, -1), repeat=2)]
MATRICES += [((0, b), (c, 0)) for b, c in itertools.product((1, -1), repeat=2)]


@pytest.mark.parametrize("matrix", MATRICES)
def test_every_pixel_goes_where_the_matrix_says(matrix):
    """(column, row) stored @ matrix = (column, row) shown, shifted so that the smallest is 0."""
    stored = np.array([(column, row) for row in range(4) for column in range(6)])
    shown = stored @ np.array(matrix)
    shown -= shown.min(axis=0)
    turned = upright(IMAGE, 65_536 * np.array(matrix, np.int32))
    assert turned.shape[:2] == (shown[:, 1].max() + 1, shown[:, 0].max() + 1)
    for (column, row), (new_column, new_row) in zip(stored, shown, strict=True):
        assert turned[new_row, new_column] == IMAGE[row, column]


def test_without_a_matrix_the_picture_stays():
    assert upright(IMAGE, None) is IMAGE


@pytest.mark.parametrize(
    "colour",
    [
        {"colorspace": BT601, "color_range": LIMITED},
        {"colorspace": BT709, "color_range": LIMITED},
        {"colorspace": BT709, "color_range": FULL},
        {"colorspace": BT2020, "color_range": LIMITED},
        {},
    ],
    ids=["601", "709", "709 full range", "2020", "untagged"],
)
def test_colours_are_those_written_whatever_the_matrix_and_range(tmp_path, colour):
    (frame, *_), _ = read_film(write_film(tmp_path / "a.mp4", [patches()] * 3, colour=colour, options={"crf": "1"}))
    assert np.abs(patch_colours(frame.image_rgb) - PATCHES).max() <= 5


def test_high_definition_without_tags_is_bt709_as_players_take_it(tmp_path):
    image = av.VideoFrame.from_ndarray(patches((720, 1280)), format="rgb24")
    as_bt709 = image.reformat(format="yuv444p", dst_colorspace=BT709)
    yuv = as_bt709.to_ndarray()
    with av.open(str(tmp_path / "a.mkv"), "w") as film:
        stream = film.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv444p"
        film.mux(stream.encode(av.VideoFrame.from_ndarray(yuv, format="yuv444p")))
        film.mux(stream.encode(None))
    (frame,), _ = read_film(tmp_path / "a.mkv")
    assert np.abs(patch_colours(frame.image_rgb) - PATCHES).max() <= 3


@pytest.mark.parametrize(("curve", "name"), [(PQ, "PQ"), (HLG, "HLG")])
def test_hdr_films_show_the_colours_of_an_ordinary_screen_and_say_so(tmp_path, curve, name):
    tags = {"colorspace": BT2020, "color_range": LIMITED, "color_trc": curve, "color_primaries": BT2020}
    signal = [hdr_signal(patches(), curve)] * 3
    path = write_film(tmp_path / "a.mp4", signal, codec="libx265", pixels="yuv420p10le", colour=tags)
    with open_film(path) as source:
        assert f"HDR film ({name})" in source.take_notes()[0]
        frame = next(iter(source))
    errors = np.abs(patch_colours(frame.image_rgb) - PATCHES)
    assert errors.max() <= 16  # saturated green lies where the gamut is clipped
    greys_and_skin = [3, 4, 5, 6, 7]
    assert errors[greys_and_skin].max() <= 6


@pytest.mark.parametrize(("matrix", "told"), [("YCgCo", True), ("ICtCp", True), ("undef", False), ("bt709", False)])
def test_colours_that_are_not_converted_are_told(tmp_path, matrix, told):
    path = write_film(tmp_path / "a.mp4", [patches()] * 2, options={"x264-params": f"colormatrix={matrix}"})
    with open_film(path) as source:
        notes = source.take_notes()
        (frame, _) = source
    assert frame.image_rgb.shape == patches().shape
    assert [f"a.mp4 stores its colours as {matrix}," in note for note in notes] == [True] * told


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("mirrored", [False, True])
def test_turned_and_mirrored_films_stand_upright(tmp_path, rotation, mirrored):
    image = patches((64, 128))
    image[:24] = 90  # so that up, down, left and right differ
    path = write_film(tmp_path / "a.mp4", [image] * 2, rotation=rotation, mirrored=mirrored, options={"crf": "5"})
    (frame, *_), _ = read_film(path)
    expected = np.rot90(image, rotation // 90)[:, :: -1 if mirrored else 1]
    assert frame.image_rgb.shape == expected.shape
    assert np.abs(frame.image_rgb.astype(int) - expected).mean() < 6


@pytest.mark.parametrize(("aspect", "size_hw"), [((2, 1), (64, 256)), ((1, 2), (128, 128)), ((500, 1), (64, 128))])
def test_pixels_become_square(tmp_path, aspect, size_hw):
    (frame, *_), _ = read_film(write_film(tmp_path / "a.mp4", [patches()] * 2, aspect=Fraction(*aspect)))
    assert frame.image_rgb.shape[:2] == size_hw
    assert np.abs(patch_colours(frame.image_rgb) - PATCHES).max() <= 14


@pytest.mark.parametrize(("orientation", "quarters"), [(1, 0), (3, 2), (6, -1), (8, 1)])
@pytest.mark.parametrize("suffix", ["mov", "mkv", "avi"])
def test_a_film_of_a_camera_s_jpegs_is_turned_as_their_exif_says(tmp_path, suffix, orientation, quarters):
    """EXIF 2.3, tag 0x0112: 6 is seen turned clockwise by a quarter, 8 the other way, 3 upside down."""
    image = patches((64, 128))
    image[:24] = 90  # so that up, down, left and right differ
    exif = Image.Exif()
    exif[0x0112] = orientation
    encoded = io.BytesIO()
    Image.fromarray(image).save(encoded, "JPEG", quality=95, subsampling=0, exif=exif)
    with av.open(str(tmp_path / f"a.{suffix}"), "w") as film:
        stream = film.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 128, 64, "yuvj444p"
        packet = av.Packet(encoded.getvalue())
        packet.stream, packet.pts, packet.dts, packet.is_keyframe = stream, 0, 0, True
        packet.time_base = Fraction(1, 25)
        film.mux(packet)
    (frame,), _ = read_film(tmp_path / f"a.{suffix}")
    expected = np.rot90(image, quarters)
    assert frame.image_rgb.shape == expected.shape
    assert np.abs(frame.image_rgb.astype(int) - expected).mean() < 6


class SideData:
    """Of a frame, as PyAV gives it: bytes by kind."""

    def __init__(self, content: bytes) -> None:
        self.side_data = {"DISPLAYMATRIX": content}


def test_a_damaged_matrix_turns_nothing():
    matrix = np.array([0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30], np.int32).tobytes()
    np.testing.assert_array_equal(display_matrix(SideData(matrix)), [[0, 65536], [-65536, 0]])
    np.testing.assert_array_equal(display_matrix(SideData(matrix + b"more")), [[0, 65536], [-65536, 0]])
    assert display_matrix(SideData(matrix[:-1])) is None
    assert display_matrix(SideData(b"")) is None
