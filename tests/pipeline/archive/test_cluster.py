"""Ray: the same results as one process, whatever dies on the way."""

from __future__ import annotations

import contextlib
import os
import pickle
import socket
import threading
from types import SimpleNamespace

import pytest
from helpers.archives import DEADLY_RGB, ColourAnalysis, plain, scene, write_picture, write_scenes
from helpers.paths import ROOT

from pipeline.archive import cluster as module
from pipeline.archive.cluster import LEFT_OUT, NOWHERE, QUIET, Cluster, RayWorker, _answers, _no_probes, do_units
from pipeline.archive.pool import Failed, Pool
from pipeline.archive.results.dataset import Dataset
from pipeline.archive.run import run_archive
from pipeline.archive.sources import Source, list_sources
from pipeline.archive.units import Unit
from pipeline.archive.worker import Outcome
from support import UserError

pytestmark = pytest.mark.long


@pytest.fixture
def two_nodes(monkeypatch):
    """The address of a cluster of two nodes of one processor each, and what ends its second node.

    Nodes find the helpers of tests where they are; the project's code is sent along.
    """
    for name, value in (QUIET | {"PYTHONPATH": str(ROOT / "tests")}).items():
        monkeypatch.setenv(name, value)
    pytest.importorskip("ray.data", reason='needs pip install "ray[data]"')
    from ray.cluster_utils import Cluster as Nodes

    size = {"object_store_memory": 100 * 2**20, "num_cpus": 1}
    nodes = Nodes(initialize_head=True, head_node_args=size | {"include_dashboard": False})
    second = nodes.add_node(**size)
    yield nodes.address, lambda: nodes.remove_node(second, allow_graceful=False)
    nodes.shutdown()


def rows_of(place):
    """All rows, in an order of their own."""
    import pandas as pd

    table = pd.read_parquet(place)
    return table.sort_values(["source", "frame", "face"], ignore_index=True)


@pytest.mark.thorough
def test_one_process_two_and_a_cluster_that_loses_a_node_give_the_same(tmp_path, two_nodes):
    inputs, analysis = tmp_path / "in", ColourAnalysis(stretch_s=25)
    write_scenes(inputs / "long.mp4", 400, fps=5)
    write_scenes(inputs / "short.mp4", 20)
    for i in range(12):
        write_picture(inputs / f"{i}.png", scene(5 * i))
    write_picture(inputs / "deadly.png", plain(DEADLY_RGB))
    sources, _, _ = list_sources([str(inputs)])
    results = []
    for jobs in (1, 2):
        place = str(tmp_path / f"out{jobs}")
        with Dataset(place, analysis) as dataset:
            pool = Pool(analysis, place, jobs, 60)
            assert run_archive(sources, dataset, pool.run, drop=pool.dropped.add) == 1
        results.append(rows_of(place))

    place, killed = str(tmp_path / "ray"), threading.Event()
    address, kill = two_nodes

    def engine(units):
        for event in Cluster(analysis, place, address, None, 60).run(units):
            if not killed.is_set():
                killed.set()
                kill()
            yield event

    with Dataset(place, analysis) as dataset:
        assert run_archive(sources, dataset, engine) == 1
    assert killed.is_set()
    results.append(rows_of(place))
    assert len(results[0]) > 1000
    for other in results[1:]:
        assert other.equals(results[0])


def test_a_task_tells_what_failed_and_what_no_second_try_mends(tmp_path):
    """Without Ray: pickles in, pickles out."""
    (tmp_path / "file").write_bytes(b"")
    source = Source(str(write_picture(tmp_path / "a.png", scene(0))), "a.png", True)

    def outcome_of(analysis, place, unit):
        said = do_units({"unit": [pickle.dumps(unit)]}, analysis=analysis, place=str(place), time_limit=60)["outcome"]
        return pickle.loads(said[0])

    assert outcome_of(ColourAnalysis(), tmp_path / "out", Unit((source,))).frames == 1
    error = outcome_of(ColourAnalysis(), tmp_path / "file" / "out", Unit((source,)))
    assert isinstance(error, UserError)
    fault = outcome_of(ColourAnalysis(columns=("room",)), tmp_path / "out", Unit((source,)))
    assert fault == Failed(Unit((source,)), fault.why)
    assert "its analysis failed: ValueError" in fault.why


def test_only_seconds_in_which_the_process_runs_count_against_a_unit(tmp_path, monkeypatch):
    """Its watch wakes up once after a stop, however long that was."""
    now, slept, ended = [0.0], [], []

    def sleep(seconds):
        now[0] += 1000 if len(slept) == 2 else seconds
        slept.append(seconds)
        if len(slept) == 8:
            raise SystemExit

    monkeypatch.setattr(module.threading, "Thread", lambda **_: SimpleNamespace(start=lambda: None))
    monkeypatch.setattr(module.time, "sleep", sleep)
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(module.os, "_exit", lambda code: ended.append(len(slept)))
    worker = RayWorker(ColourAnalysis(), str(tmp_path), 5)
    worker._busy = True
    with pytest.raises(SystemExit):
        worker._watch()
    assert ended[0] == 6


def test_a_fault_is_tried_alone_and_then_listed_and_a_full_disk_ends_the_run(monkeypatch):
    units = [Unit((Source("/a", "a", True), Source("/bad", "bad", True)))]
    rounds = []

    def a_round(self, ray, waiting):
        rounds.append([[source.name for source in unit.sources] for unit in waiting])
        for unit in waiting:
            bad = any(source.name == "bad" for source in unit.sources)
            yield Failed(unit, "a fault") if bad else Outcome(unit)

    monkeypatch.setattr(module, "_connected", lambda *_: contextlib.nullcontext())
    monkeypatch.setattr(Cluster, "_round", a_round)
    cluster = Cluster(ColourAnalysis(), "out", "auto", None, 60)
    events = list(cluster.run(iter(units)))
    assert rounds == [[["a", "bad"]], [["a"], ["bad"]]]
    assert [event.why for event in events if isinstance(event, Failed)] == ["a fault"]
    monkeypatch.setattr(Cluster, "_round", lambda *_: iter([UserError("the disk is full")]))
    with pytest.raises(UserError, match="disk is full"):
        list(cluster.run(iter(units)))


def test_ray_asks_no_cloud_and_workers_keep_their_proxy(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://proxy:3128")
    workers = {}
    with _no_probes(workers):
        assert os.environ["http_proxy"] == NOWHERE
    assert os.environ["http_proxy"] == workers["http_proxy"] == "http://proxy:3128"
    monkeypatch.delenv("http_proxy")
    with pytest.raises(ZeroDivisionError), _no_probes(workers):
        raise ZeroDivisionError
    assert "http_proxy" not in os.environ
    assert workers["http_proxy"] == ""


def test_what_ray_reads_is_followed_until_it_ends_fails_stops_or_its_head_is_gone(monkeypatch):
    def followed(rows, stopped=lambda: False):
        return list(Cluster(ColourAnalysis(), "out", "auto", None, 60, stopped)._followed(rows, "127.0.0.1:9"))

    def failing():
        yield 1
        raise ValueError("a node is gone.")

    assert followed(iter([1, 2])) == [1, 2]
    with pytest.raises(UserError, match=r"^Ray ended the work: a node is gone\.$"):
        followed(failing())
    waiting = threading.Event()
    assert followed(iter(waiting.wait, None), lambda: True) == []
    monkeypatch.setattr(module, "LOST_S", 0)
    with pytest.raises(UserError, match="9 does not answer any more"):
        followed(iter(waiting.wait, None))
    with socket.create_server(("127.0.0.1", 0)) as head:
        assert _answers(f"127.0.0.1:{head.getsockname()[1]}")


def test_only_folders_at_the_top_are_left_out_of_what_nodes_get():
    assert (ROOT / "pipeline/archive/results").is_dir()
    assert all(name.startswith("/") for name in LEFT_OUT)
