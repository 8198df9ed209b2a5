"""What recordings are encoded with: the first encoder that is there, and a word where that is not the usual one."""

from __future__ import annotations

import os
from fractions import Fraction

import av
import numpy as np
import pytest

from pipeline.output import encoders as module
from pipeline.output.encoders import CONTAINERS, available
from pipeline.output.film import VideoWriter
from support import UserError

GREY = np.full((48, 64, 3), 50, np.uint8)


def test_available():
    assert available("mpeg4")
    assert not available("no such encoder")


def test_times_of_usual_rates_are_exact_in_an_mp4():
    for rate in (24, 25, 30, 50, 60, Fraction(30_000, 1001), Fraction(60_000, 1001)):
        ticks = 1 / Fraction(rate) / CONTAINERS[".mp4"].time_base
        assert ticks == int(ticks)


@pytest.mark.parametrize("name", sorted({encoder.name for kind in CONTAINERS.values() for encoder in kind.encoders}))
def test_no_frame_waits_in_an_encoder(tmp_path, name, monkeypatch):
    """What waits is lost in a kill: after each frame there is one packet more."""
    suffix = next(s for s, kind in CONTAINERS.items() if name in [encoder.name for encoder in kind.encoders])
    monkeypatch.setattr(module, "available", lambda other: other == name)
    muxed = []
    put = VideoWriter._mux
    monkeypatch.setattr(VideoWriter, "_mux", lambda self, packets: (muxed.extend(packets), put(self, packets)))
    with VideoWriter(tmp_path / f"a{suffix}", notify=lambda sentence: None) as writer:
        for index in range(5):
            writer.write(GREY, index / 30)
            assert len(muxed) == index + 1


def test_where_an_encoder_is_missing_another_is_used_and_said(tmp_path, monkeypatch):
    there = module.available
    said: list[str] = []
    for missing, codec in (({"libx264"}, "vp9"), ({"libx264", "libvpx-vp9"}, "mpeg4")):
        monkeypatch.setattr(module, "available", lambda name, gone=missing: name not in gone and there(name))
        with VideoWriter(tmp_path / "a.mp4", notify=said.append) as writer:
            writer.write(GREY, 0.0)
        with av.open(str(tmp_path / "a.mp4")) as film:
            assert film.streams.video[0].codec_context.name == codec
    assert ["VP9, which some phones" in said[0], "MPEG-4 Part 2, which browsers do not play" in said[1]] == [True, True]
    monkeypatch.setattr(module, "available", lambda name: False)
    with pytest.raises(UserError, match=r"no encoder for \.webm here; wanted is one of libvpx-vp9, libvpx") as error:
        VideoWriter(tmp_path / "a.webm").write(GREY, 0.0)
    assert error.value.exit_code == 1
    assert os.listdir(tmp_path) == ["a.mp4"]
