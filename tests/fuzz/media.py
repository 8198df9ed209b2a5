"""Hostile pictures, films, names of sources and lists of sources.

In:  a random generator, an empty folder.
Out: actions that open the source and read its frames.
"""

from __future__ import annotations

import functools
import io
import itertools
import os
import socket
import struct
import zlib
from pathlib import Path

import numpy as np
from fuzz.cases import Action, Kind
from fuzz.hostile import Rng, changed_bytes, encoded, pick, text
from helpers.films import moving, write_film
from PIL import Image

FRAMES = 40  # of a source; a damaged header may promise millions
FORMATS = {"png": {}, "jpeg": {}, "gif": {}, "webp": {}, "tiff": {}, "bmp": {}, "ppm": {}, "jpeg2000": {}, "avif": {}}
FILMS = {"mp4": "libx264", "mkv": "libx264", "avi": "mjpeg", "webm": "libvpx", "mpg": "mpeg2video", "mov": "mpeg4"}
CLAIMED = (
    (40_000, 20_000),
    (65_535, 65_535),
    (2**31 - 1, 2**31 - 1),
    (0, 0),
    (1, 2**31 - 1),
    (30_000, 1),
    (16_384, 20_000),
)


def picture(rng: Rng, folder: Path, shared: Path) -> Action:
    """A picture of any format, changed, with any suffix; or one that claims to be huge."""
    form = pick(rng, list(FORMATS))
    content = claims_to_be_large(rng) if rng.random() < 0.1 else changed_bytes(rng, picture_bytes(form))
    suffix = form if rng.random() < 0.8 else pick(rng, ("jpg", "png", "gif", "txt", "mp4", "heic", "tif", ""))
    (folder / f"x.{suffix}").write_bytes(content)
    return functools.partial(read_source, str(folder / f"x.{suffix}"))


@functools.cache
def picture_bytes(form: str) -> bytes:
    """A small picture in a format of Pillow's; GIF and WebP move."""
    images = [Image.fromarray(image) for image in moving(3, (32, 48))]
    target = io.BytesIO()
    more = {"save_all": True, "append_images": images[1:], "duration": 40} if form in ("gif", "webp", "tiff") else {}
    images[0].save(target, form, **more)
    return target.getvalue()


def claims_to_be_large(rng: Rng) -> bytes:
    """A picture of a few bytes whose header names a size that no memory has."""
    width, height = pick(rng, CLAIMED)
    if rng.random() < 0.5:
        header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
        chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(5000))), (b"IEND", b"")]
        parts = [struct.pack(">I", len(c)) + n + c + struct.pack(">I", zlib.crc32(n + c)) for n, c in chunks]
        return b"\x89PNG\r\n\x1a\n" + b"".join(parts)
    data = bytearray(picture_bytes("bmp"))
    data[18:26] = struct.pack("<ii", min(width, 2**31 - 1), min(height, 2**31 - 1))
    return bytes(data)


def film(rng: Rng, folder: Path, shared: Path) -> Action:
    """A film in any container, changed."""
    suffix = pick(rng, list(FILMS))
    (folder / f"x.{suffix}").write_bytes(changed_bytes(rng, film_bytes(suffix, shared)))
    return functools.partial(read_source, str(folder / f"x.{suffix}"))


def film_bytes(suffix: str, shared: Path) -> bytes:
    """A small film, made once."""
    path = shared / f"film.{suffix}"
    if not path.exists():
        own = shared / f"{os.getpid()}.{suffix}"
        sound = 440.0 if suffix in ("mp4", "mkv") else None
        pixels = "yuvj420p" if suffix == "avi" else "yuv420p"
        os.replace(write_film(own, moving(10, (48, 64)), codec=FILMS[suffix], pixels=pixels, sound_hz=sound), path)
    return path.read_bytes()


def source_list(rng: Rng, folder: Path, shared: Path) -> Action:
    """A list of sources with lines that name anything."""
    (folder / "a.png").write_bytes(picture_bytes("png"))
    (folder / "sub").mkdir()
    (folder / "sub" / "b.jpeg").write_bytes(changed_bytes(rng, picture_bytes("jpeg")))
    known = ("a.png", "sub", "*.png", "# a comment", "x.txt", "missing.mp4", "")
    lines = [pick(rng, known) if rng.random() < 0.6 else text(rng) for _ in range(int(rng.integers(1, 8)))]
    (folder / "x.txt").write_bytes(encoded(rng, "\n".join(lines)))
    return functools.partial(read_source, str(folder / "x.txt"))


def source_name(rng: Rng, folder: Path, shared: Path) -> Action:
    """What a person may type behind --source: no file, a pipe, a socket, a device, an address that is none."""
    (folder / "a.png").write_bytes(picture_bytes("png"))
    os.mkfifo(folder / "pipe.mp4")
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(folder / "socket.png"))
    names = [text(rng), f"{text(rng)}/{text(rng)}", "pipe.mp4", "socket.png", str(folder), "*.png", "[", "**",
    "/dev/null",
             "/dev/zero", "/dev/full", "/dev/tty", "/proc/self/mem", "http://[::1", "rtsp://",
             "http://127.0.0.1:1/x.mp4",
             "://", "9" * 20, "-1", "/dev/video" + "9" * 20, "concat:a.png|a.png", "data:,x", f"file://{folder}/a.png",
             "x.txt/", "a.png/", "./a.png", "pipe:0", "lavfi:testsrc"]  # fmt: skip
    return functools.partial(read_source, pick(rng, names))


def read_source(name: str) -> int:
    """Frames of a source, at most `FRAMES`, each looked at."""
    from data.sources.open_source import open_source

    count = 0
    with open_source(name) as source:
        for frame in itertools.islice(source, FRAMES):
            assert frame.image_rgb.dtype == np.uint8
            assert frame.image_rgb.ndim == 3
            assert frame.image_rgb.shape[2] == 3
            assert frame.image_rgb.size
            assert np.isfinite(frame.time_s)
            count += 1
    return count


KINDS = {
    "picture": Kind(picture, 20),
    "film": Kind(film, 14),
    "source_list": Kind(source_list, 4),
    "source_name": Kind(source_name, 4),
}
