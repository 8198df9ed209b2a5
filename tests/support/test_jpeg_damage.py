"""Damage inside a JPEG: found wherever it costs or adds bytes, and nothing else is taken for it."""

from __future__ import annotations

import os

import cv2
import numpy as np
import pytest

from support.jpeg_damage import JpegDamage


@pytest.fixture(scope="module")
def jpeg(portrait) -> bytes:
    return cv2.imencode(".jpg", portrait[:200, :200])[1].tobytes()


def overwritten(jpeg: bytes, at: int) -> bytes:
    return jpeg[:at] + np.random.default_rng(at).integers(0, 255, 100, np.uint8).tobytes() + jpeg[at + 100 :]


@pytest.mark.parametrize("system", ["this", "one without pread, as Windows"])
def test_most_damaged_stretches_are_found_and_no_whole_picture_is_taken_for_damaged(portrait, monkeypatch, system):
    if system != "this":
        monkeypatch.delattr(os, "pread", raising=False)
    jpegs = [cv2.imencode(".jpg", portrait[y : y + 150, y : y + 150])[1].tobytes() for y in range(0, 320, 8)]
    with JpegDamage() as found:
        whole = [found.find(jpeg) for jpeg in jpegs]
        damaged = [found.find(overwritten(jpeg, 700 + 50 * number)) for number, jpeg in enumerate(jpegs)]
        again = [found.find(jpeg) for jpeg in jpegs]
    assert not any(whole + again)
    assert sum(map(bool, damaged)) >= 0.75 * len(jpegs)  # the others lose and add no byte
    assert all(words.startswith("Corrupt JPEG data") for words in damaged if words)


def test_other_kinds_are_left_to_their_decoders(portrait):
    png = cv2.imencode(".png", portrait[:50, :50])[1].tobytes()
    with JpegDamage() as found:
        assert found.find(png) == ""
        assert found.find(png[:200]) == ""
        assert found.find(b"") == ""


def test_what_others_write_to_stderr_still_arrives(jpeg, capfd):
    with JpegDamage() as found:
        os.write(2, b"another's words\n")
        assert found.find(jpeg) == ""
        assert found.find(jpeg[:5000] + jpeg[5300:])
        os.write(2, b"and more\n")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "another's words\nand more\nafter\n"


def test_stderr_is_given_back_after_an_error(capfd):
    with pytest.raises(ValueError, match="stop"), JpegDamage():
        raise ValueError("stop")
    os.write(2, b"here\n")
    assert capfd.readouterr().err == "here\n"
