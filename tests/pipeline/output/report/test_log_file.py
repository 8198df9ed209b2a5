"""Logs, read again: against pandas, and as kills and other programs leave them."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from pipeline.output.report.log_file import OLD, read_log
from support import UserError

CLASSES = ("neutral", "happiness", "fear")
HEADER = ["time_s", "frame", "face", "track", "label", *(f"p_{name}" for name in CLASSES), "source", "problem"]


def row(source, frame, time_s, p=None, *, face=0, track=1, problem=None):
    cells = [
        time_s,
        frame,
        *((face, track, CLASSES[np.argmax(p)], *p) if p is not None else [None] * 6),
        source,
        problem,
    ]
    return dict(zip(HEADER, cells, strict=True))


def write(path, rows):
    table = pd.DataFrame(rows, columns=HEADER)
    if path.suffix == ".csv":
        table.to_csv(path, index=False)
    else:
        path.write_text("".join(json.dumps(one) + "\n" for one in rows))
    return path


def made_up(rng):
    rows = []
    for source in ("a/b.mp4", "c.mkv"):
        for i, time_s in enumerate(np.cumsum(rng.choice([0.033, 0.2, 30.0], 300)).round(3).tolist()):
            seen = [t for t in (1, 2) if rng.random() < 0.6]
            rows += [row(source, i, time_s, rng.dirichlet(np.ones(3)).round(6).tolist(), track=t) for t in seen]
            rows += [] if seen else [row(source, i, time_s)]
    return rows


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_shares_of_time_are_those_that_pandas_counts(tmp_path, rng, suffix):
    rows = made_up(rng)
    session, unread, notes = read_log(write(tmp_path / f"seen{suffix}", rows))
    session = session.finished()
    assert session.class_names == CLASSES
    assert (unread.lines, len(notes)) == ([], 1)
    table = pd.DataFrame(rows)
    frames = table.drop_duplicates(["source", "frame"]).set_index(["source", "frame"])["time_s"]
    stands = frames.groupby("source").transform(lambda t: t.shift(-1).sub(t).clip(upper=10).ffill())
    table = table.join(stands.rename("stands"), on=["source", "frame"])
    faces = table.dropna(subset="face")
    shares = (
        faces.groupby(["source", "track", "label"])["stands"].sum() / faces.groupby(["source", "track"])["stands"].sum()
    )
    for source in session.sources.values():
        no_face = table[(table["source"] == source.name) & table["face"].isna()]["stands"].sum()
        assert source.faceless_weight == pytest.approx(no_face)
        for track, person in source.people.items():
            expected = [shares[source.name, track, name] for name in CLASSES]
            np.testing.assert_allclose(person.totals.shares, expected, rtol=1e-9)
    assert sum(len(source.people) for source in session.sources.values()) == 4


def test_pictures_films_and_what_could_not_be_read(tmp_path):
    p = [0.1, 0.8, 0.1]
    rows = [
        row("a.jpg", 0, 0.0, p, track=None),
        row("a.jpg", 0, 0.0, p, track=None, face=1),
        row("b.png", 1, 0.0),
        row("broken.jpg", 2, None, problem="is not a picture"),
        row("c.webp", 0, 0.0, p),
        row("c.webp", 1, 0.1, p),  # an animation
        row("one.mp4", 0, 0.0, p),  # a film of one frame
        row("d.jpg", 3, 0.0, p, track=None),
    ]
    session, unread, _ = read_log(write(tmp_path / "seen.csv", rows))
    sources = {source.name: source for source in session.finished().sources.values()}
    assert unread.lines == ["broken.jpg: is not a picture"]
    assert {name: (s.still, s.frames) for name, s in sources.items()} == {
        "Pictures": (True, 3), "c.webp": (False, 2), "one.mp4": (False, 1),
    }  # fmt: skip
    assert sources["Pictures"].names == ["b.png"]
    assert sources["Pictures"].people[0].totals.faces == 3


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_names_that_spreadsheets_would_run_come_back_as_they_were(tmp_path, suffix):
    names = ["=1+1.mp4", "-a.mp4", "'quoted'.mp4", "plain.mp4"]
    written = [f"'{name}" if suffix == ".csv" and name[0] in "=-" else name for name in names]
    rows = [row(name, i, i / 10, [0, 1, 0]) for name in written for i in range(2)]
    session, _, _ = read_log(write(tmp_path / f"seen{suffix}", rows))
    assert [source.name for source in session.sources.values()] == names


def test_a_source_that_was_played_again_counts_again(tmp_path):
    rows = [row("a.mp4", i, i / 10, [0, 1, 0]) for _ in range(2) for i in range(10)]
    session, _, _ = read_log(write(tmp_path / "seen.csv", rows))
    assert [(s.name, s.frames, round(s.weight, 6)) for s in session.finished().sources.values()] == [
        ("a.mp4", 10, 1.0)
    ] * 2


def test_a_log_of_older_days_is_read_and_said_to_be_one(tmp_path):
    rows = [row("x", i, i / 10, [0, 1, 0]) for i in range(10)]
    table = pd.DataFrame(rows).drop(columns=["source", "problem"])
    table.to_csv(tmp_path / "seen.csv", index=False)
    session, _, notes = read_log(tmp_path / "seen.csv")
    assert OLD in notes
    assert [source.name for source in session.sources.values()] == ["seen.csv"]


def test_lines_that_are_no_rows_are_counted(tmp_path):
    good = row("a.mp4", 0, 0.0, [0.2, 0.7, 0.1])
    bad = [
        good | {"p_fear": 7.0},
        good | {"p_fear": -0.1, "p_neutral": 0.4},
        good | {"p_fear": "nan"},
        good | {"time_s": float("inf")},
        good | {"time_s": -1.0},
        good | {"frame": "x"},
        good | {"track": "someone"},
    ]
    path = write(tmp_path / "seen.csv", [*bad, good])
    session, _, notes = read_log(path)
    assert [source.name for source in session.sources.values()] == ["a.mp4"]
    assert session.people()[0][1].totals.faces == 0, "the only frame waits for the next one"
    assert session.finished().people()[0][1].totals.faces == 1
    assert "7 lines of the log could not be read, and left out." in notes
    odd = [good | {"time_s": True}, good | {"frame": [1]}, good | {"p_fear": None}, good | {"time_s": 10**400}]
    session, _, notes = read_log(write(tmp_path / "seen.jsonl", [*odd, good]))
    assert "4 lines of the log could not be read, and left out." in notes
    assert len(session.sources) == 1


def test_a_killed_runs_log(tmp_path):
    path = write(tmp_path / "seen.csv", [row("a.mp4", i, i / 10, [0, 1, 0]) for i in range(10)])
    path.write_bytes(path.read_bytes()[:-5])
    session, _, notes = read_log(path)
    assert session.finished().people()[0][1].totals.faces == 9
    assert "The log's last line has no end, as after a kill; it is left out." in notes


def test_a_log_without_any_face_makes_a_page_too(tmp_path):
    session, _, _ = read_log(write(tmp_path / "a.csv", [row("a.mp4", i, i / 10) for i in range(3)]))
    assert session.finished().sources[("a.mp4", 0),].faceless == 3
    (tmp_path / "b.jsonl").write_text('{"time_s": 0, "frame": 0, "face": null, "track": null, "source": "a.mp4"}\n' * 2)
    session, _, _ = read_log(tmp_path / "b.jsonl")
    assert session.class_names == ()


@pytest.mark.parametrize("content", [",".join(HEADER) + "\n", "time_s,frame,face,track\n0,0,0,1\n"])
def test_no_row_is_one_sentence(tmp_path, content):
    (tmp_path / "seen.csv").write_text(content)
    with pytest.raises(UserError, match=r"holds no row that can be read; is it a log that live\.py --log wrote\?"):
        read_log(tmp_path / "seen.csv")
