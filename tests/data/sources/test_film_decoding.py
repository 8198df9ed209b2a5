"""Whole frames: interlaced films, damage made in files, and packets spoilt on purpose."""

import itertools

import av
import numpy as np
import pytest
from helpers.films import PATCHES, damaged, interleaved, moving, patch_colours, patches, read_film, write_film

from data.sources import film_decoding
from data.sources.film_decoding import whole_frames


class LosingPackets:
    """A container that spoils the packets of these numbers."""

    name = "film"

    def __init__(self, container, spoilt):
        self._container, self._spoilt = container, spoilt

    def demux(self, stream):
        for number, packet in enumerate(self._container.demux(stream)):
            if number in self._spoilt:
                spoilt = av.Packet(self.spoil(packet))
                spoilt.stream, spoilt.time_base = stream, packet.time_base
                spoilt.pts, spoilt.dts = packet.pts, packet.dts
                yield spoilt
            else:
                yield packet

    def spoil(self, packet):
        return b"\xff" * 200


class Zeroed(LosingPackets):
    """A container that gives one packet with zeros in its middle."""

    def __init__(self, container, number):
        super().__init__(container, {number})

    def spoil(self, packet):
        content = bytearray(bytes(packet))
        content[len(content) // 2 :] = bytes(len(content) - len(content) // 2)
        return bytes(content)


def _given(path, spoilt):
    """Numbers of the frames given, by their times; ints for frames left out, as ("out", n)."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        decoded = list(whole_frames(LosingPackets(container, spoilt), stream))
        return [("out", item) if isinstance(item, int) else round(item.time * 25) for item in decoded]


def test_all_up_to_the_next_key_frame_are_left_out(tmp_path):
    path = write_film(tmp_path / "a.mp4", moving(30), options={"g": "10", "bf": "0"})
    assert _given(path, spoilt=()) == list(range(30))
    assert _given(path, spoilt={13}) == [*range(13), ("out", 7), *range(20, 30)]
    assert _given(path, spoilt={13, 24}) == [*range(13), ("out", 7), *range(20, 24), ("out", 6)]


def test_frames_that_are_shown_before_the_damaged_one_and_lean_on_it_are_left_out(tmp_path):
    """Of each packet in turn the middle is zeroed: the decoder patches its picture, which B-frames before it copy."""
    path = write_film(tmp_path / "a.mp4", moving(40), options={"g": "20", "bf": "3", "crf": "10"})
    with av.open(str(path)) as container:
        whole = [frame.to_ndarray(format="rgb24").astype(int) for frame in container.decode(video=0)]
    for number in range(1, 20):
        with av.open(str(path)) as container:
            packets = Zeroed(container, number)
            given = [item for item in whole_frames(packets, container.streams.video[0]) if not isinstance(item, int)]
        assert len(given) < 40
        for frame in given:
            original = whole[round(frame.time * 25)]
            assert np.abs(frame.to_ndarray(format="rgb24") - original).mean() < 1, f"packet {number}"
        assert [round(frame.time * 25) for frame in given][-20:] == list(range(20, 40))


def test_a_packet_that_its_container_marks_as_damaged_costs_what_leans_on_it_and_no_more(tmp_path):
    """The error bit of a broadcast stream's packet: frames that still wait in the decoder are whole."""
    path = write_film(tmp_path / "a.ts", moving(60), options={"g": "30", "bf": "3", "crf": "1"})
    content = bytearray(path.read_bytes())
    content[len(content) * 6 // 10 // 188 * 188 + 1] |= 0x80
    path.write_bytes(content)
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    numbers = [round((packet.pts - packets[0].pts) * float(packet.time_base) * 25) for packet in packets]  # as decoded
    (at,) = (number for number, packet in enumerate(packets) if packet.is_corrupt)
    left_out = sorted(number for number in numbers[at:] if number < 60 and numbers[at] // 30 == number // 30)
    frames, skipped = read_film(path)
    given = [round(frame.time_s * 25) for frame in frames]
    assert sorted({*range(60)} - {*given}) == left_out
    assert [frame.index for frame in frames] == given
    assert sum(gap.frames for gap in skipped) == len(left_out)


def test_films_that_are_decoded_at_the_same_time_do_not_mix_up_their_packets(tmp_path):
    """As where a recording looks for the start of the film that plays; the damage would spread to earlier frames."""
    path = write_film(tmp_path / "a.ts", moving(60), options={"g": "30", "bf": "3", "crf": "1"})
    content = bytearray(path.read_bytes())
    content[len(content) * 6 // 10 // 188 * 188 + 1] |= 0x80
    (tmp_path / "b.ts").write_bytes(content)
    with av.open(str(tmp_path / "b.ts")) as container:
        alone = [f if isinstance(f, int) else f.time for f in whole_frames(container, container.streams.video[0])]
    with av.open(str(tmp_path / "b.ts")) as one, av.open(str(path)) as other:
        beside = itertools.islice(whole_frames(other, other.streams.video[0]), 5, None)  # some frames ahead
        together = []
        for frame in whole_frames(one, one.streams.video[0]):
            together.append(frame if isinstance(frame, int) else frame.time)
            next(beside, None)
    assert together == alone


def test_without_key_frames_the_film_goes_on_after_a_while(tmp_path, monkeypatch):
    monkeypatch.setattr(film_decoding, "LONGEST_GROUP", 5)
    path = write_film(tmp_path / "a.mp4", moving(30), options={"g": "100", "bf": "0"})
    assert _given(path, spoilt={13}) == [*range(13), ("out", 5), *range(18, 30)]


@pytest.mark.parametrize(("codec", "suffix"), [("libx264", "mp4"), ("mpeg2video", "mpg")])
def test_interlaced_films_are_deinterlaced(tmp_path, codec, suffix):
    """A bar that moves by 8 pixels between the two fields: a comb where rows of both are shown together."""
    images = []
    for index in range(24):
        image = np.full((96, 256, 3), 60, np.uint8)
        image[:, 8 * index : 8 * index + 32] = 220
        images.append(image)
    options = {"crf": "5", "x264-params": "tff=1"} if codec == "libx264" else {"flags": "+ildct+ilme", "b": "8000k"}
    path = write_film(tmp_path / f"a.{suffix}", interleaved(images), codec=codec, interlaced=True, options=options)
    frames, skipped = read_film(path)
    assert len(frames) == 12
    assert skipped == []
    assert np.allclose([frame.time_s for frame in frames], np.arange(12) / 25, atol=1e-3)
    for frame in frames[1:-1]:
        rows = frame.image_rgb[20:76].astype(int)
        comb = np.abs(rows[1:-1] - (rows[:-2] + rows[2:]) / 2).mean()
        assert comb < 1.0, "rows of two moments"
        moments = images[2 * frame.index : 2 * frame.index + 2]
        assert min(np.abs(frame.image_rgb.astype(int) - moment).mean() for moment in moments) < 3


def test_an_interlaced_film_that_lies_on_its_side_is_turned_too(tmp_path):
    woven = interleaved([patches()] * 12)
    frames, _ = read_film(write_film(tmp_path / "a.mp4", woven, interlaced=True, rotation=90, options={"crf": "5"}))
    assert [frame.image_rgb.shape for frame in frames] == [(128, 64, 3)] * 6
    assert np.abs(patch_colours(np.rot90(frames[3].image_rgb, -1)) - PATCHES).max() <= 14


def test_a_film_whose_size_changes_is_read_on(tmp_path):
    for name, size_hw in (("a.ts", (64, 128)), ("b.ts", (96, 256))):
        write_film(tmp_path / name, [patches(size_hw)] * 10, codec="mpeg2video")
    (tmp_path / "c.ts").write_bytes((tmp_path / "a.ts").read_bytes() + (tmp_path / "b.ts").read_bytes())
    frames, _ = read_film(tmp_path / "c.ts")
    shapes = [frame.image_rgb.shape[:2] for frame in frames]
    assert shapes == sorted(shapes)
    assert {*shapes} == {(64, 128), (96, 256)}
    for frame in frames:
        assert np.abs(patch_colours(frame.image_rgb) - PATCHES).max() <= 14


@pytest.mark.parametrize("kind", [("libx264", "mp4"), ("libx264", "ts"), ("mpeg4", "avi")], ids=str)
def test_a_damaged_stretch_is_skipped_and_counted(tmp_path, kind, caplog):
    codec, suffix = kind
    images = moving(100)
    path = write_film(tmp_path / f"a.{suffix}", images, codec=codec, options={"g": "25"})
    whole, _ = read_film(path)
    frames, skipped = read_film(damaged(path, 0.5))
    assert 0 < len(frames) < 100
    assert len(frames) + sum(gap.frames for gap in skipped) == 100
    assert {gap.reason for gap in skipped} == {"damaged"}
    assert skipped[0].index not in [frame.index for frame in frames]
    assert "damaged" in caplog.text
    for frame in frames:  # what is given is whole, and where it says it is
        assert np.abs(frame.image_rgb.astype(int) - whole[frame.index].image_rgb).mean() < 3
        assert frame.time_s == pytest.approx(frame.index / 25, abs=1e-3)


def test_a_stretch_that_the_container_passes_over_is_counted_too(tmp_path):
    """Matroska looks for its next whole block: no damaged packet arrives, only a pause in what was regular."""
    path = write_film(tmp_path / "a.mkv", moving(100), options={"g": "25"})
    whole, _ = read_film(path)
    frames, skipped = read_film(damaged(path, 0.5))
    assert len(frames) < 100
    assert len(frames) + sum(gap.frames for gap in skipped) == 100
    for frame in frames:
        original = whole[round(25 * frame.time_s)]
        assert np.abs(frame.image_rgb.astype(int) - original.image_rgb).mean() < 3


def test_one_damaged_picture_of_motion_jpeg_is_one_frame(tmp_path):
    frames, skipped = read_film(
        damaged(write_film(tmp_path / "a.avi", moving(40), codec="mjpeg", pixels="yuvj420p"), 0.5)
    )
    assert [gap.frames for gap in skipped] == [1]
    assert sorted([frame.index for frame in frames] + [skipped[0].index]) == list(range(40))
