"""Pictures: one file of any kind as RGB, and animations as films.

In:  the name of a picture's file.
Out: (H, W, 3) uint8 RGB, upright, sRGB; or a `FileSource` of one such frame, of an animation's all with their times.

Pillow reads them: it knows the size before it takes memory, how many frames there are, how to turn and mirror them,
and refuses a file that ends too early. HEIC needs pillow-heif beside it. Colours: `data.sources.picture_colours`.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
from PIL import ExifTags, Image, ImageOps, TiffImagePlugin, UnidentifiedImageError

from data.sources.files import is_film, is_picture, open_file, printable
from data.sources.frame import FileSource, Frame, Skipped
from data.sources.picture_colours import srgb
from support import UserError

log = logging.getLogger(__name__)

MAX_PIXELS = 2**28  # 268 megapixels, 805 MB as RGB
PICTURE_SECONDS = 1.0  # between two pictures of a run
SHORTEST_S, USUAL_S = 0.011, 0.1  # of an animation's frame: one that asks for less gets the usual, as in browsers
FORMATS = ["JPEG", "PNG", "WEBP", "AVIF", "BMP", "DIB", "GIF", "TIFF", "JPEG2000", "PPM"]
ANIMATIONS = ("PNG", "WEBP", "AVIF", "GIF")
HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
REDUCED_PAGE = 1  # bit of TIFF's tag NewSubfileType: a smaller copy of another page

Image.MAX_IMAGE_PIXELS = None  # Pillow's own limit warns on stderr; ours comes as early, and in a sentence
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")  # of tags that nobody asks for


def holds_picture(path: str | Path) -> bool:
    """Is it a picture by its name, or, where its name says neither picture nor film, by its first bytes?"""
    if is_picture(path) or is_film(path) or not os.path.isfile(path):
        return is_picture(path)
    try:
        with open(path, "rb") as file:
            return _is_heic(file) or Image.open(file, formats=FORMATS) is not None
    except UnidentifiedImageError:
        return False
    except Exception:  # one that cannot be read, which `read_picture` says
        return True


def read_picture(path: str | Path, *, checked: bool = False) -> np.ndarray:
    """A picture of any kind as (H, W, 3) uint8 RGB, turned and mirrored as its file says.

    Grey is spread to three channels, 16 bits are scaled to 8, CMYK and palettes become RGB, see-through becomes white.
    Raises `UserError` where it is broken, too large, ends too early, or holds several pictures. checked: it is known
    not to be damaged inside, which takes as long to find out as to decode it.
    """
    with _opened(path, checked=checked) as image:
        if image.format in ANIMATIONS and frame_count(image) > 1:
            raise UserError(f"{printable(path)} is an animation of {frame_count(image)} frames; wanted is one picture.")
        return _rgb(image, path)[0]


def open_picture(path: str | Path, *, name: str | None = None, index: int = 0) -> FileSource:
    """A source of one still frame, or, of an animation, a film's; `name`: what frames are called, else the file's name.

    index: the picture's number in its run. Raises `UserError` as `read_picture` does.
    """
    title, name = printable(path), name or printable(os.path.basename(path))
    with _opened(path) as image:
        animated = image.format in ANIMATIONS and frame_count(image) > 1
        count = frame_count(image) - _first(image)
        if not animated:
            image_rgb, notes = _rgb(image, path)
            frame = Frame(image_rgb, index * PICTURE_SECONDS, index, name, path=Path(path), still=True)
            return FileSource(title, iter([*notes, frame]), count=1, stills=True)
    return FileSource(title, _animation(Path(path), name), count=count)


def _animation(path: Path, name: str) -> Iterator[Frame | Skipped | str]:
    """The frames of an animation, before them what is to be said; where it breaks off, the rest is skipped."""
    time_s = 0.0
    with _opened(path) as image:
        first = _first(image)
        count = frame_count(image) - first
        for index in range(count):
            try:
                with _as_user_error(path):
                    image.seek(first + index)
                image_rgb, notes = _rgb(image, path)
            except UserError as error:
                if getattr(error.__cause__, "errno", None):  # the disk has failed, and the file may be whole
                    raise
                log.warning("%s is damaged from frame %d of %d on.", printable(path), index, count)
                yield Skipped(name, index, "damaged", frames=count - index, path=path)
                return
            yield from notes if index == 0 else []
            duration_s = image.info.get("duration", 0) / 1000
            stay_s = duration_s if duration_s >= SHORTEST_S else USUAL_S
            yield Frame(image_rgb, time_s, index, name, path=path, stay_s=stay_s)
            time_s += stay_s


def _first(image: Image.Image) -> int:
    """The number of an animation's first frame; before it a PNG may hold a picture for those who cannot animate."""
    return int(getattr(image, "default_image", False))


def frame_count(image: Image.Image) -> int:
    """How many frames or pages a picture's file holds."""
    return getattr(image, "n_frames", 1)


@contextlib.contextmanager
def _opened(path: str | Path, *, checked: bool = False) -> Iterator[Image.Image]:
    """The picture at `path` with its size and kind known and no pixel read; several pages are refused."""
    with contextlib.ExitStack() as opened:
        file = opened.enter_context(open_file(path))
        with _as_user_error(path):
            if is_heic := _is_heic(file):
                _teach_heic(path)
            image = opened.enter_context(Image.open(file, formats=["HEIF"] if is_heic else FORMATS))
            if image.width * image.height > MAX_PIXELS:
                size, limit = f"{image.width}x{image.height}", f"{MAX_PIXELS // 10**6} million"
                raise UserError(f"{printable(path)} has {size} pixels; at most {limit} are read: make it smaller.")
            _refuse_rare_tiff(image, path)
            if image.format in ("JPEG", "MPO") and not checked:
                file.seek(0)
                refuse_damaged_jpeg(file.read(), path)
            _go_to_the_page(image, path)
        yield image


@contextlib.contextmanager
def _as_user_error(path: str | Path) -> Iterator[None]:
    """What Pillow raises as one sentence."""
    try:
        yield
    except UserError:
        raise
    except UnidentifiedImageError as error:
        raise UserError(f"{printable(path)} is not a picture that can be read.") from error
    except Exception as error:  # of a damaged file its readers raise whatever they stumble over
        raise UserError(f"{printable(path)} is broken or of a rare kind: {error}.") from error


def _is_heic(file: BinaryIO) -> bool:
    start = file.read(64)
    file.seek(0)
    return start[4:8] == b"ftyp" and start[8:12] in HEIC_BRANDS and b"avif" not in start  # AVIF may begin so, too


def _teach_heic(path: str | Path) -> None:
    """Let Pillow read HEIC; `UserError` where pillow-heif is not installed."""
    try:
        importlib.import_module("pillow_heif").register_heif_opener()  # an optional package
    except ImportError as error:
        advice = "pip install pillow-heif, or save it as JPEG"
        raise UserError(f"{printable(path)} is a HEIC picture, which needs pillow-heif: {advice}.") from error


def refuse_damaged_jpeg(encoded: bytes, path: str | Path) -> None:
    """Raise `UserError` where a JPEG holds a stretch that is no picture data: Pillow patches it with grey, unsaid.

    Pictures are read in threads, so `support.jpeg_damage`, which takes the process's stderr, cannot be asked here.
    """
    decoder = av.CodecContext.create("mjpeg", "r")
    decoder.options = {"err_detect": "explode"}
    decoder.thread_count = 1
    try:
        decoder.decode(av.Packet(encoded))
    except av.InvalidDataError as error:
        raise UserError(
            f"{printable(path)} is a damaged JPEG; open and save it again if what is left will do."
        ) from error
    except av.FFmpegError:  # of a kind that it does not know; Pillow does
        return


def _go_to_the_page(image: Image.Image, path: str | Path) -> None:
    """Turn to the only page of a file with pages that is no smaller copy of another; raw files hold but such a copy."""
    if image.format not in ("TIFF", "HEIF"):
        return
    pages = []
    for page in range(frame_count(image)):
        image.seek(page)
        is_copy = image.format == "TIFF" and image.getexif().get(ExifTags.Base.NewSubfileType, 0) & REDUCED_PAGE
        pages += [] if is_copy else [page]
    if len(pages) > 1:
        raise UserError(f"{printable(path)} holds {len(pages)} pictures; save each in a file of its own.")
    if not pages:
        raise UserError(f"{printable(path)} holds only a preview, as raw files do; save the picture as JPEG.")
    image.seek(pages[0])


def _refuse_rare_tiff(image: Image.Image, path: str | Path) -> None:
    """Raise `UserError` for 16-bit TIFFs that Pillow reads wrong, unsaid: planes that lie apart, and white as 0."""
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return
    tags = image.tag_v2
    if max(tags.get(TiffImagePlugin.BITSPERSAMPLE, (8,))) <= 8:
        return
    apart = tags.get(TiffImagePlugin.PLANAR_CONFIGURATION) == 2 and tags.get(TiffImagePlugin.SAMPLESPERPIXEL, 1) > 1
    if apart or tags.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == 0:
        raise UserError(f"{printable(path)} is a TIFF of a rare kind; save it as PNG, or with 8 bits.")


def _rgb(image: Image.Image, path: str | Path) -> tuple[np.ndarray, list[str]]:
    """(H, W, 3) uint8 sRGB of the frame that `image` is at, upright, and what a person should know of its colours."""
    with _as_user_error(path):
        image.load()
        upright = ImageOps.exif_transpose(image) if image.getexif().get(ExifTags.Base.Orientation, 1) != 1 else image
        if upright.mode[0] in "IF":  # one channel of more than 8 bits, which `convert` would clip
            upright = Image.fromarray(_eight_bits(np.asarray(upright)))
        if upright.has_transparency_data:  # what is seen through it is as white as a page
            upright = Image.alpha_composite(Image.new("RGBA", upright.size, "white"), upright.convert("RGBA"))
        image_rgb, note = srgb(upright, of=image, path=path)
        return image_rgb, [f"{printable(path)} {note}"] if note else []


def _eight_bits(values: np.ndarray) -> np.ndarray:
    """(H, W) uint8 of grey values with 16 bits; `ValueError` for others, also for 8 bits that are stored in more."""
    if values.dtype.kind == "f" or values.min() < 0 or values.max() > 65_535:
        raise ValueError("its pixels have 32 bits; save it with 8 or 16")
    if 0 < values.max() < 256:
        raise ValueError(f"its pixels have {8 * values.dtype.itemsize} bits and no value above 255; save it with 8")
    return (values >> 8).astype(np.uint8)
