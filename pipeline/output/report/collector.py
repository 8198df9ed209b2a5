"""The report of a session: collects what frames show, writes the page.

In:  frames with their results, what could not be read, settings.
Out: index.html in a folder, complete or not there.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from data.sources.frame import Frame, Skipped
from pipeline.output.report.face_pictures import face_with_heat
from pipeline.output.report.page import MARKER, page_html
from pipeline.output.report.people import SeenFace
from pipeline.output.report.session import SessionSummary
from pipeline.output.report.words import Unread
from pipeline.run import FrameResult
from support import UserError, write_file

PAGE = "index.html"
WITHOUT_FACES = "Pictures of faces are left out; --report-faces puts them in."
WITH_FACES = "This page holds pictures of faces: ask the people in them before you give it to others."


class Report:
    """Takes frames as they come, for hours if need be, and writes a page of all so far whenever asked.

    class_names: the K names of the probabilities. faces: keep pictures of faces, with heat, of the strongest moments.
    """

    def __init__(self, class_names: Sequence[str], *, faces: bool = False) -> None:
        self._faces = faces
        self._session = SessionSummary(class_names)
        self._unread = Unread()

    def add(self, frame: Frame, result: FrameResult) -> None:
        """One frame, in the order of its film; a picture where `frame.still`."""
        names = {name: i for i, name in enumerate(result.class_names)}
        seen = [
            SeenFace(
                face.track,
                face.probabilities,
                face.heatmap,
                (result.explainer, names[face.explained]) if result.explainer and face.explained else None,
                functools.partial(face_with_heat, result.frame_rgb, face) if self._faces else None,
            )
            for face in result.faces
        ]
        self._session.add(
            frame.origin,
            frame.name,
            max(0.0, frame.time_s),
            seen,
            still=frame.still,
            limits=result.limits,
        )

    def add_skipped(self, skipped: Skipped) -> None:
        """What could not be read, or may be missing."""
        where = f", {skipped.frames:,} frames from frame {skipped.index} on" if skipped.frames > 1 else ""
        self._unread.add(f"{skipped.name}{where}: {skipped.reason}")

    def write(self, folder: str | Path, *, settings: Mapping[str, object]) -> Path:
        """Write the page of all so far to `folder`/index.html; its path. Raises `UserError` as `write_page`."""
        note = WITH_FACES if self._faces else WITHOUT_FACES
        text = page_html(self._session, settings=settings, unread=self._unread, notes=[note])
        return write_page(folder, text)


def write_page(folder: str | Path, text: str) -> Path:
    """Write the page to `folder`/index.html; its path. Raises `UserError` as `check_folder`, or where it cannot."""
    check_folder(folder)
    path = Path(folder) / PAGE
    write_file(path, text.encode("utf-8", "backslashreplace"))
    return path


def check_folder(folder: str | Path) -> None:
    """`UserError` where `folder` is no folder, or holds an index.html that is no report and would be lost."""
    folder, path = Path(folder), Path(folder) / PAGE
    if os.path.exists(folder) and not os.path.isdir(folder):
        raise UserError(f"a report is written to a folder, and {folder} is none; name another.")
    if os.path.exists(path):
        try:
            with open(path, "rb") as file:
                is_report = MARKER.encode() in file.read(4096)
        except OSError:
            is_report = False
        if not is_report:
            raise UserError(f"{path} is not a report of live.py, and would be replaced by one; name another folder.")
