"""Sums of a session against sums over a table of the same frames; memory with thousands of people and films."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipeline.output.report.people import SeenFace
from pipeline.output.report.session import KEPT_PEOPLE, LONGEST_S, MOST_NAMED, MOST_PEOPLE, ONLY_S, SessionSummary

CLASSES = ("neutral", "happiness", "fear")


def faces_of(*rows):
    return [SeenFace(track, np.array(p)) for track, p in rows]


def test_shares_of_time_follow_the_frames_own_times(rng):
    session, rows, times = SessionSummary(CLASSES), [], np.cumsum(rng.choice([0.04, 0.2, 1.0, 60.0], 400)).tolist()
    for time_s in times:
        seen = [(track, rng.dirichlet(np.ones(3))) for track in (1, 2) if rng.random() < 0.7]
        session.add("film", "film.mp4", time_s, faces_of(*seen))
        rows += [(time_s, track, CLASSES[p.argmax()], p.max(), *p) for track, p in seen]
    session = session.finished()
    frames = pd.Series(times)
    stands = frames.shift(-1).sub(frames).clip(upper=LONGEST_S).ffill()
    table = pd.DataFrame(rows, columns=["time_s", "track", "label", "confidence", *CLASSES])
    table["weight"] = table["time_s"].map(dict(zip(times, stands, strict=True)))
    (source,) = session.sources.values()
    assert source.weight == pytest.approx(stands.sum())
    faceless = ~frames.isin(table["time_s"])
    assert (source.faceless, source.faceless_weight) == (faceless.sum(), pytest.approx(stands[faceless].sum()))
    for track, mine in table.groupby("track"):
        totals, weight = source.people[track].totals, mine["weight"].sum()
        assert (totals.faces, totals.weight) == (len(mine), pytest.approx(weight))
        shares = mine.groupby("label")["weight"].sum().reindex(list(CLASSES), fill_value=0) / weight
        np.testing.assert_allclose(totals.shares, shares)
        np.testing.assert_allclose(
            totals.mean_probabilities, mine[list(CLASSES)].mul(mine["weight"], axis=0).sum() / weight
        )
        assert totals.mean_confidence == pytest.approx(np.average(mine["confidence"], weights=mine["weight"]))
        np.testing.assert_allclose(source.people[track].timeline.sums[:, 0].sum(), weight)


def test_a_page_in_between_changes_no_sum():
    sessions = [SessionSummary(CLASSES), SessionSummary(CLASSES)]
    for i in range(50):
        for session in sessions:
            session.add("a", "a", i / 10, faces_of((1, [0.2, 0.7, 0.1])))
        sessions[1].finished()
    weights = [session.finished().people()[0][1].totals.weight for session in sessions]
    assert weights[0] == pytest.approx(5.0)
    assert weights[1] == pytest.approx(weights[0])


def test_an_only_frame_and_times_that_stand_still():
    session = SessionSummary(CLASSES)
    session.add("a", "a", 3.0, faces_of((1, [1, 0, 0])))
    session = session.finished()
    assert session.people()[0][1].totals.weight == ONLY_S
    session = SessionSummary(CLASSES)
    for time_s in (5.0, 5.0, 4.0):
        session.add("b", "b", time_s, faces_of((1, [1, 0, 0])))
    session = session.finished()
    (b,) = session.sources.values()
    assert (b.frames, b.weight) == (3, 0.0)
    np.testing.assert_array_equal(b.people[1].totals.shares, [0, 0, 0])


def test_pictures_are_one_source_whose_faces_count_one_each():
    session = SessionSummary(CLASSES)
    session.add("a", "a.jpg", 0.0, faces_of((0, [1, 0, 0]), (7, [0, 1, 0])), still=True)
    session.add("b", "b.jpg", 0.0, [], still=True)
    session.add("film", "film.mp4", 0.0, faces_of((7, [0, 0, 1])))
    session.add("c", "c.jpg", 0.0, faces_of((0, [0.4, 0.6, 0])), still=True, limits=["--max-faces"])
    session = session.finished()
    pictures, film = session.sources.values()
    assert (pictures.frames, pictures.end, pictures.faceless, pictures.names) == (3, 3, 1, ["b.jpg"])
    assert pictures.limits == {"--max-faces": 1}
    np.testing.assert_allclose(pictures.people[0].totals.shares, [1 / 3, 2 / 3, 0])
    assert [m.name for m in pictures.people[0].strongest[1].moments] == ["a.jpg", "c.jpg"]
    assert film.people[7].totals.faces == 1


def test_stretches_without_a_face():
    session = SessionSummary(CLASSES)
    for i in range(100):
        session.add("a", "a", i / 10, [] if 20 <= i < 35 or i >= 90 else faces_of((1, [1, 0, 0])))
    session = session.finished()
    (source,) = session.sources.values()
    np.testing.assert_allclose(source.stretches, [(2.0, 3.5), (9.0, 10.0)])


def test_mean_heatmaps_by_class_and_explainer(rng):
    session, maps = SessionSummary(CLASSES), rng.random((6, 4, 4)).astype(np.float32)
    for i, heatmap in enumerate(maps):
        face = SeenFace(1, np.array([0, 1, 0]), heatmap, ("gradcam" if i < 4 else "hirescam", i % 2))
        session.add("a", "a", i / 10, [face])
    heat = session.people()[0][1].heat
    assert {key: count for key, (_, count) in heat.items()} == {
        ("gradcam", 0): 2, ("gradcam", 1): 2, ("hirescam", 0): 1, ("hirescam", 1): 1,
    }  # fmt: skip
    np.testing.assert_allclose(heat["gradcam", 1][0] / 2, maps[[1, 3]].mean(axis=0), rtol=1e-6)


def test_of_hundreds_of_people_the_longest_seen_are_kept_and_none_is_lost():
    session = SessionSummary(CLASSES)
    frames = 0
    for number in range(1, 601):  # every three seconds someone new; the first stays, every 50th stays longer
        for _ in range(12 if number % 50 == 0 else 3):
            session.add("a", "a", frames, faces_of((1, [1, 0, 0]), (number + 1, [0, 1, 0])))
            frames += 1
            assert len(session.people()) <= MOST_PEOPLE
    session = session.finished()
    (source,) = session.sources.values()
    kept = [person.track for _, person in session.people()]
    assert kept[0] == 1
    assert set(range(51, 602, 50)) <= set(kept[: KEPT_PEOPLE + 1])
    assert len(kept) + source.others.people == 601
    assert sum(p.totals.weight for _, p in session.people()) + source.others.weight == pytest.approx(2 * frames)
    np.testing.assert_allclose(source.others.shares, [0, 1, 0])


def test_what_is_named_is_bounded_and_the_longest_stretches_stay():
    session = SessionSummary(CLASSES)
    for i in range(1000):
        session.add(f"{i}", f"{i}.jpg", 0.0, [], still=True)
        for step in range(5):
            session.add("film", "film", 10 * i + step, faces_of((1, [1, 0, 0])) if step < 2 + (i != 3) else [])
    session = session.finished()
    pictures, film = session.sources.values()
    assert len(pictures.names) == len(film.stretches) == MOST_NAMED
    assert pictures.faceless == 1000
    assert max(end - start for start, end in film.stretches) == pytest.approx(8)
