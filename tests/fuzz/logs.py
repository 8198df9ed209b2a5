"""Hostile logs: what the report is made from.

In:  a random generator, an empty folder.
Out: actions that make the page.
"""

from __future__ import annotations

import csv
import functools
import io
import json
from pathlib import Path

from fuzz.cases import Action, Kind
from fuzz.hostile import NUMBERS, Rng, changed_text, changed_value, encoded, json_text, pick, text

CLASSES = ("happiness", "sadness")


def rows() -> list[dict[str, object]]:
    """Twelve rows of a film with one person and a picture."""
    found: list[dict[str, object]] = []
    for frame in range(12):
        share = round(0.1 + 0.06 * frame, 6)
        film = frame < 10
        found.append(
            {"time_s": frame / 25 * film, "frame": frame * film, "face": 0, "track": 1 if film else None, "x1": 1.0,
             "y1": 2.0,
             "x2": 30.0, "y2": 40.0, "score": 0.9, "label": "happiness", "confidence": share, "p_happiness": share,
             "p_sadness": round(1 - share, 6), "source": "a.mp4" if film else f"{frame}.png", "problem": None}
        )  # fmt: skip
    return found


def log(rng: Rng, folder: Path, shared: Path) -> Action:
    """A .csv or .jsonl with cells, lines or bytes changed."""
    table = rows()
    for _ in range(int(rng.integers(0, 4))):
        row = pick(rng, table)
        row[pick(rng, list(row))] = pick(rng, NUMBERS) if rng.random() < 0.6 else text(rng)
    if rng.random() < 0.5:
        path = folder / "seen.csv"
        target = io.StringIO(newline="")
        writer = csv.DictWriter(target, list(table[0]))
        writer.writeheader()
        writer.writerows(table)
        content = target.getvalue()
    else:
        path = folder / "seen.jsonl"
        trees = [changed_value(rng, row) if rng.random() < 0.1 else row for row in table]
        content = "\n".join(json_text(rng, tree) if rng.random() < 0.05 else json.dumps(tree) for tree in trees) + "\n"
    path.write_bytes(encoded(rng, changed_text(rng, content) if rng.random() < 0.7 else content))
    return functools.partial(report, path)


def report(path: Path) -> None:
    """The page, as `python -m pipeline.output.report` makes it."""
    from pipeline.output.report.log_file import read_log
    from pipeline.output.report.page import page_html

    session, unread, notes = read_log(path)
    page = page_html(session, settings={"log": path.name}, unread=unread, notes=notes)
    page.encode("utf-8")
    assert page.rstrip().endswith("</html>")


KINDS = {"log": Kind(log, 9)}
