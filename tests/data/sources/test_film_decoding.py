"""Decoding: what comes before and after damage, with packets lost on purpose."""

import av
from helpers.films import moving, write_film

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
                spoilt = av.Packet(b"\xff" * 200)
                spoilt.stream, spoilt.pts, spoilt.dts, spoilt.time_base = (
                    stream,
                    packet.pts,
                    packet.dts,
                    packet.time_base,
                )
                yield spoilt
            else:
                yield packet


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


def test_without_key_frames_the_film_goes_on_after_a_while(tmp_path, monkeypatch):
    monkeypatch.setattr(film_decoding, "LONGEST_GROUP", 5)
    path = write_film(tmp_path / "a.mp4", moving(30), options={"g": "100", "bf": "0"})
    assert _given(path, spoilt={13}) == [*range(13), ("out", 5), *range(18, 30)]
