"""The whole pictures of a film, and how many are not whole.

In:  an open container of PyAV and its video stream.
Out: `av.VideoFrame`, deinterlaced where they are interlaced, in the order they are shown; in between the number of
     frames that are damaged, or depend on a damaged one, and so are left out.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

import av
import av.container
from av.filter import Graph

log = logging.getLogger(__name__)

LONGEST_GROUP = 300  # frames; after damage so many are left out where no key frame comes, as encoders send one earlier
MOST_HELD = 32  # frames; more than any codec has between a frame and an earlier decoded one that is shown later


def whole_frames(container: av.container.InputContainer, stream: av.VideoStream) -> Iterator[av.VideoFrame | int]:
    """Whole frames, deinterlaced; in between, how many damaged ones were left out there.

    A frame that the decoder reports as damaged leaves its traces in those decoded after it: all up to the next key
    frame are left out. A file that cannot be read on ends here; `OSError` where its disk fails.
    """
    deinterlacer = Deinterlacer()
    left_out = 0
    for frame in _undamaged(container, stream):
        if frame is None:
            left_out += 1
            continue
        if left_out:
            yield from deinterlacer.flush()
            yield left_out
            left_out = 0
        yield from deinterlacer.push(frame)
    yield from deinterlacer.flush()
    if left_out:
        yield left_out


def _undamaged(container: av.container.InputContainer, stream: av.VideoStream) -> Iterator[av.VideoFrame | None]:
    """Every frame as it is shown; None for one that is damaged or depends on a damaged one."""
    codec = stream.codec_context
    codec.copy_opaque = True  # each frame says which packet it is of
    codec.thread_count = 1  # several would report damage late (threads by frame) or not at all (by slice)
    if codec.name == "mjpeg":  # alone among decoders it does not mark what it patched
        codec.options = {"err_detect": "explode"}
    watch = DamageWatch()
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except (StopIteration, EOFError):
            break
        except av.FFmpegError as error:
            log.debug("%s cannot be read on: %s", container.name, error)
            break
        except OSError:  # of the file that is read, and so no end
            yield from watch.ready(at_end=True)
            raise
        watch.decode(packet)
        yield from watch.ready()
    yield from watch.ready(at_end=True)


class Held(NamedTuple):
    """A decoded frame that waits; numbers are those of packets: its own, and that of the key frame it builds on."""

    frame: av.VideoFrame
    number: int
    key: int


class DamageWatch:
    """Decodes packets and finds out which frames are whole.

    Packets are numbered as they are decoded, which is not the order in which their frames are shown. A frame waits
    until those decoded before it are known, since one of them that is shown later may turn out to be damaged.
    """

    def __init__(self) -> None:
        self._count = self._key = 0
        self._damaged: deque[int] = deque(maxlen=LONGEST_GROUP)  # numbers
        self._awaited: dict[int, int | None] = {}  # number -> pts of packets whose frames are to come
        self._lost: dict[int, int | None] = {}  # of those whose frames will not
        self._held: deque[Held] = deque()

    def decode(self, packet: av.Packet) -> None:
        """Decode the next packet."""
        number, self._count = self._count, self._count + 1
        packet.opaque = [number]  # PyAV keeps it by its id, which films at the same time share of a small number
        if packet.size:
            self._awaited[number] = packet.pts
        if packet.is_corrupt:
            self._damaged.append(number)
        try:
            frames = packet.decode()
        except av.FFmpegError as error:
            log.debug("packet %d: %s", number, error)
            self._damaged.append(number)
            self._lost[number] = self._awaited.pop(number, None)
            return
        for frame in frames:
            self._came(frame)

    def _came(self, frame: av.VideoFrame) -> None:
        number = frame.opaque[0] if isinstance(frame.opaque, list) else self._count - 1
        self._lost.pop(number, None)
        for passed in [n for n, pts in self._awaited.items() if n == number or _is_before(pts, frame.pts)]:
            del self._awaited[passed]  # a second field, or dropped by the decoder
        if frame.key_frame:
            self._key = number
        if frame.is_corrupt:
            self._damaged.append(number)
        self._held.append(Held(frame, number, self._key))

    def ready(self, *, at_end: bool = False) -> Iterator[av.VideoFrame | None]:
        """Frames that nothing can be found out about any more, in order; None for each that is to be left out."""
        while self._held:
            frame, number, key = self._held[0]
            if not at_end and len(self._held) <= MOST_HELD and any(n < number for n in self._awaited):
                return
            self._held.popleft()
            for lost in [n for n, pts in self._lost.items() if _is_before(pts, frame.pts)]:
                del self._lost[lost]
                yield None
            builds_on = range(max(key, number - LONGEST_GROUP + 1), number + 1)
            yield None if any(n in builds_on for n in self._damaged) else frame
        if at_end:
            yield from [None] * len(self._lost)


def _is_before(pts: int | None, other: int | None) -> bool:
    return pts is None or other is None or pts < other


class Deinterlacer:
    """FFmpeg's bwdif, from the first interlaced frame on; frames that are not interlaced go through it unchanged."""

    def __init__(self) -> None:
        self._graph: Graph | None = None
        self._kind: tuple[int, int, str] | None = None

    def push(self, frame: av.VideoFrame) -> Iterator[av.VideoFrame]:
        """Put a frame in; what is ready comes out, in order."""
        kind = frame.width, frame.height, frame.format.name
        if self._graph is not None and kind != self._kind:
            yield from self.flush()
        if self._graph is None:
            if not frame.interlaced_frame:
                yield frame
                return
            self._graph, self._kind = _bwdif(frame), kind
        self._graph.vpush(frame)
        yield from _ready(self._graph)

    def flush(self) -> Iterator[av.VideoFrame]:
        """What is still inside."""
        graph, self._graph = self._graph, None
        if graph is not None:
            graph.vpush(None)
            yield from _ready(graph)


def _bwdif(frame: av.VideoFrame) -> Graph:
    graph = Graph()
    buffer = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base)
    bwdif = graph.add("bwdif", "mode=send_frame:deint=interlaced")
    graph.link_nodes(buffer, bwdif, graph.add("buffersink")).configure()
    return graph


def _ready(graph: Graph) -> Iterator[av.VideoFrame]:
    while True:
        try:
            yield graph.vpull()
        except (av.BlockingIOError, av.EOFError):
            return
