"""The whole pictures of a film, and how many are not whole.

In:  an open container of PyAV and its video stream.
Out: `av.VideoFrame`, deinterlaced where they are interlaced, in the order they are shown; in between the number of
     frames that are damaged, or lean on a damaged one, and so are left out.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

import av
import av.container
from av.filter import Graph

log = logging.getLogger(__name__)

LONGEST_GROUP = 300  # frames; after damage so many are left out where no key frame comes, as encoders send one earlier


def whole_frames(container: av.container.InputContainer, stream: av.VideoStream) -> Iterator[av.VideoFrame | int]:
    """Whole frames, deinterlaced; in between, how many damaged ones were left out there.

    A frame that the decoder reports as damaged leaves its traces in those after it: all up to the next key frame are
    left out. A file that cannot be read on ends here.
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
    """Every frame; None for one that is damaged or leans on a damaged one."""
    since_damage: int | None = None  # frames left out since; None: all is well
    for frame in _decoded(container, stream):
        if frame is None or frame.is_corrupt:
            since_damage = 0
        elif since_damage is not None and (frame.key_frame or since_damage >= LONGEST_GROUP):
            since_damage = None
        if since_damage is None:
            yield frame
        else:
            since_damage += 1
            yield None


def _decoded(container: av.container.InputContainer, stream: av.VideoStream) -> Iterator[av.VideoFrame | None]:
    """Every frame that the decoder gives; None where it refuses a packet or the packet came damaged."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except (StopIteration, EOFError):
            return
        except (av.FFmpegError, OSError) as error:
            log.debug("%s cannot be read on: %s", container.name, error)
            return
        if packet.is_corrupt:
            yield None
        try:
            yield from packet.decode()
        except av.FFmpegError as error:
            log.debug("%s: %s", container.name, error)
            yield None


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
