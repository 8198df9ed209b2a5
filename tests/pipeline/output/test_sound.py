"""The sound of recordings: a beep that was heard with a flash still is, and damage costs the sound, not the film."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from helpers.films import write_film

from data.sources.film import open_film
from pipeline.output import sound as module
from pipeline.output.encoders import CONTAINERS
from pipeline.output.film import VideoWriter

HZ, FPS = 48_000, 25


def film_with_beep(
    path: Path, codec: str, *, beep_s: float = 1.0, seconds: float = 2.0, pictures_s: float = 0.0
) -> Path:
    """A dark film with one white frame at `beep_s`, when a tone of 0.1 s is heard. The clock starts at `pictures_s`."""
    with av.open(str(path), "w") as film:
        pictures, track = film.add_stream("mpeg4", rate=FPS), film.add_stream(codec, rate=HZ)
        pictures.width, pictures.height, track.layout = 64, 48, "stereo"
        for index in range(round(seconds * FPS)):
            level = 250 if index == round(beep_s * FPS) else 10
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), level, np.uint8), "rgb24")
            frame.pts, frame.time_base = index + round(pictures_s * FPS), Fraction(1, FPS)
            film.mux(pictures.encode(frame))
        film.mux(pictures.encode(None))
        time_s = np.arange(round(seconds * HZ)) / HZ
        wave = 0.8 * np.sin(2 * np.pi * 1000 * time_s) * ((time_s >= beep_s) & (time_s < beep_s + 0.1))
        sound = av.AudioFrame.from_ndarray(np.stack([wave, wave]).astype(np.float32), "fltp", "stereo")
        sound.sample_rate, sound.pts, sound.time_base = HZ, round(pictures_s * HZ), Fraction(1, HZ)
        film_format = av.AudioResampler(track.format, "stereo", HZ, 1024 if codec == "aac" else None)
        for piece in [*film_format.resample(sound), *film_format.resample(None)]:
            film.mux(track.encode(piece))
        film.mux(track.encode(None))
    return path


def recorded(film: Path, path: Path, *, from_s: float = 0.0, until_s: float = 99.0, notify=print) -> Path:
    """A recording of the frames of `film` from `from_s` to `until_s`, at the times that a source gives them."""
    with VideoWriter(path, FPS, notify=notify) as writer, av.open(str(film)) as source:
        first_s = None
        for frame in source.decode(video=0):
            first_s = frame.time if first_s is None else first_s
            if from_s <= frame.time - first_s < until_s:
                writer.write(frame.to_ndarray(format="rgb24"), frame.time - first_s, film=film)
    return path


def flash_s(path: Path) -> float:
    with av.open(str(path)) as film:
        (time_s,) = [frame.time for frame in film.decode(video=0) if frame.to_ndarray(format="gray").mean() > 120]
    return time_s


def beep_s(path: Path) -> tuple[float, float, float]:
    """When the tone begins and ends, and when the sound does."""
    times_s, levels = [], []
    with av.open(str(path)) as film:
        for frame in film.decode(audio=0):
            wave = frame.to_ndarray()
            wave = wave[0] if frame.format.is_planar else wave.reshape(-1, frame.layout.nb_channels)[:, 0]
            times_s.append(frame.time + np.arange(len(wave)) / frame.sample_rate)
            levels.append(np.abs(wave.astype(float)))
    time_s, level = np.concatenate(times_s), np.concatenate(levels)
    loud_s = time_s[level > 0.3 * level.max()]
    return loud_s[0], loud_s[-1], time_s[-1]


@pytest.mark.parametrize("suffix", CONTAINERS)
@pytest.mark.parametrize("lost_s", [(0.0, 0.6), (0.3, 0.8)], ids=["late", "gap"])
def test_sound_that_begins_late_or_has_a_gap_is_heard_in_time(tmp_path, suffix, lost_s):
    whole, film = film_with_beep(tmp_path / "whole.mkv", "aac"), tmp_path / "film.mkv"
    with av.open(str(whole)) as source, av.open(str(film), "w") as lossy:
        streams = {stream.index: lossy.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            heard_s = float((packet.pts or 0) * packet.time_base)
            if packet.size and not (packet.stream.type == "audio" and lost_s[0] <= heard_s < lost_s[1]):
                packet.stream = streams[packet.stream.index]
                lossy.mux(packet)
    path = recorded(film, tmp_path / f"seen{suffix}")
    assert beep_s(path)[0] == pytest.approx(flash_s(path), abs=0.03)


@pytest.mark.parametrize("suffix", CONTAINERS)
@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp4", "aac"), ("a.mkv", "libopus"), ("a.mkv", "libmp3lame"), ("a.avi", "pcm_s16le")]
)
def test_the_beep_is_heard_with_the_flash(tmp_path, name, codec, suffix):
    out = recorded(film_with_beep(tmp_path / name, codec), tmp_path / f"out{suffix}")
    assert flash_s(out) == pytest.approx(1.0, abs=1e-3)
    begins_s, ends_s, end_s = beep_s(out)
    assert begins_s == pytest.approx(1.0, abs=0.003)
    assert ends_s == pytest.approx(1.1, abs=0.003)
    assert end_s == pytest.approx(2.0, abs=0.06)


def test_sound_is_copied_where_the_container_takes_it(tmp_path):
    """The packets of the recording are those of the film, byte by byte; AAC in an .avi is encoded anew."""

    def packets(path, codec):
        with av.open(str(path)) as film:
            assert film.streams.audio[0].codec_context.name == codec
            return [bytes(packet) for packet in film.demux(audio=0) if packet.pts is not None and packet.pts >= 0]

    film = film_with_beep(tmp_path / "a.mp4", "aac")
    assert packets(recorded(film, tmp_path / "out.mp4"), "aac") == packets(film, "aac")
    assert packets(recorded(film, tmp_path / "out.avi"), "pcm_s16le")
    opus = film_with_beep(tmp_path / "a.mkv", "libopus")
    assert packets(recorded(opus, tmp_path / "out.webm"), "opus") == packets(opus, "opus")
    assert packets(recorded(opus, tmp_path / "b.mp4"), "aac")


@pytest.mark.parametrize("codec", ["aac", "libopus"])
def test_a_recording_of_a_part_has_the_sound_of_that_part(tmp_path, codec):
    film = film_with_beep(tmp_path / "a.mkv", codec, beep_s=2.6, seconds=5, pictures_s=7.0)
    out = recorded(film, tmp_path / "out.mp4", from_s=1.88, until_s=3.4)
    assert flash_s(out) == pytest.approx(0.72, abs=1e-3)
    begins_s, _, end_s = beep_s(out)
    assert begins_s == pytest.approx(0.72, abs=0.003)
    assert end_s == pytest.approx(1.52, abs=0.05)


def test_where_a_gap_is_shortened_the_sound_loses_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.output.film.LONGEST_STAY_S", 0.5)
    film = film_with_beep(tmp_path / "a.mp4", "aac", beep_s=3.0, seconds=4)
    said: list[str] = []
    with VideoWriter(tmp_path / "out.mp4", FPS, notify=said.append) as writer, av.open(str(film)) as source:
        for frame in source.decode(video=0):
            if not 1.0 < frame.time < 2.8:  # 1.84 s from one frame to the next
                writer.write(frame.to_ndarray(format="rgb24"), frame.time, film=film)
    assert len(said) == 1
    assert flash_s(tmp_path / "out.mp4") == pytest.approx(3.0 - 1.3, abs=0.05)
    assert beep_s(tmp_path / "out.mp4")[0] == pytest.approx(flash_s(tmp_path / "out.mp4"), abs=0.003)


def test_of_several_films_one_after_the_other_the_first_is_heard_and_that_is_said(tmp_path):
    first, second = (film_with_beep(tmp_path / f"{name}.mp4", "aac") for name in "ab")
    said: list[str] = []
    still = np.full((48, 64, 3), 10, np.uint8)
    with VideoWriter(tmp_path / "out.mp4", FPS, notify=said.append) as writer:
        for film in (first, second):
            with av.open(str(film)) as source:
                for frame in source.decode(video=0):
                    writer.write(frame.to_ndarray(format="rgb24"), frame.time, film=film)
        writer.write(still, 0.0, film=tmp_path / "a.png", still=True)
        writer.write(still, 0.0, film=tmp_path / "b.png", still=True)
    assert len(said) == 1
    assert "the sound only of what it begins with" in said[0]
    assert beep_s(tmp_path / "out.mp4")[0] == pytest.approx(1.0, abs=0.003)
    with av.open(str(tmp_path / "out.mp4")) as film:
        times_s = [frame.time for frame in film.decode(video=0)]  # type: ignore[attr-defined]  # another film than above
        assert film.duration / av.time_base == pytest.approx(2 + 2 + 2 + 2, abs=0.03)  # type: ignore[attr-defined]  # another film than above
    assert np.allclose(times_s, [*np.arange(100) / FPS, 4.0, 6.0], atol=1e-3)


@pytest.mark.parametrize("suffix", [".mp4", ".avi"])
def test_a_film_without_sound_or_with_a_damaged_track_is_recorded_all_the_same(tmp_path, suffix):
    film = film_with_beep(tmp_path / "a.avi", "pcm_s16le")
    said: list[str] = []
    content = bytearray(film_with_beep(tmp_path / "b.mkv", "libmp3lame").read_bytes())
    rng = np.random.default_rng(0)
    for at in rng.integers(len(content) // 4, len(content), 400):  # in every packet, and between them
        content[at] = rng.integers(256)
    damaged = tmp_path / "damaged.mkv"
    damaged.write_bytes(content)
    with VideoWriter(tmp_path / f"out{suffix}", FPS, notify=said.append) as writer:
        for index in range(50):
            writer.write(np.full((48, 64, 3), index, np.uint8), index / FPS, film=damaged)
    with av.open(str(tmp_path / f"out{suffix}")) as out:
        assert sum(1 for _ in out.decode(video=0)) == 50
    assert said
    assert "sound of damaged.mkv" in said[0]
    said.clear()
    for path in (tmp_path / "gone.mp4", film):
        with VideoWriter(tmp_path / "out.mp4", FPS, notify=said.append) as writer:
            writer.write(np.zeros((48, 64, 3), np.uint8), 0.0, film=path)
    assert said == ["the sound of gone.mp4 cannot be read; the recording goes on without it."]


def test_a_missing_encoder_costs_the_sound_and_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "available", lambda name: False)
    said: list[str] = []
    film = film_with_beep(tmp_path / "a.mkv", "libopus")
    recorded(film, tmp_path / "out.mp4", notify=said.append)
    with av.open(str(tmp_path / "out.mp4")) as out:
        assert not out.streams.audio
    assert "wants the encoder aac" in said[0]


def test_a_film_that_follows_a_picture_is_without_sound_and_that_is_said(tmp_path):
    said: list[str] = []
    with VideoWriter(tmp_path / "out.mp4", FPS, notify=said.append) as writer:
        writer.write(np.full((48, 64, 3), 10, np.uint8), 0.0, film=tmp_path / "a.png", still=True)
        film = film_with_beep(tmp_path / "b.mp4", "aac")
        with av.open(str(film)) as source:
            for frame in source.decode(video=0):
                writer.write(frame.to_ndarray(format="rgb24"), frame.time, film=film)
    with av.open(str(tmp_path / "out.mp4")) as written:
        assert not written.streams.audio
    assert len(said) == 1
    assert "the sound only of what it begins with" in said[0]


def test_the_last_frame_stays_as_long_as_its_film_says_with_its_sound(tmp_path):
    slides = write_film(
        tmp_path / "slides.mp4", [np.zeros((48, 64, 3), np.uint8)] * 3, times_s=[0, 1, 2], last_s=8,
        options={"tune": "zerolatency"}, sound_hz=440, sound_s=10,
    )  # fmt: skip
    with open_film(slides) as source, VideoWriter(tmp_path / "a.mp4", 30) as writer:
        for frame in source:
            writer.write(frame.image_rgb, frame.time_s, film=frame.path, stay_s=frame.stay_s)
    with av.open(str(tmp_path / "a.mp4")) as film:
        for stream in (film.streams.video[0], film.streams.audio[0]):
            assert float(stream.duration * stream.time_base) == pytest.approx(10, abs=0.05)


def test_a_track_without_a_decoder_costs_the_sound_and_is_said(tmp_path):
    """AC-4, which televisions record: FFmpeg knows its name and cannot decode it."""
    film = film_with_beep(tmp_path / "a.mp4", "aac")
    content = film.read_bytes()
    assert content.count(b"mp4a") == 1
    head, tail = content.split(b"mp4a")
    film.write_bytes(head + b"ac-4" + tail.replace(b"esds", b"free"))
    said: list[str] = []
    with av.open(str(recorded(film, tmp_path / "out.mp4", notify=said.append))) as out:
        assert not out.streams.audio
        assert sum(1 for _ in out.decode(video=0)) == 50
    assert said == ["the sound of a.mp4 needs a decoder that is not there; the recording goes on without it."]
