"""Ray: the same results as one process, whatever dies on the way."""

from __future__ import annotations

import contextlib
import os
import pickle
import threading

import pytest
from helpers.archives import DEADLY_RGB, ColourAnalysis, plain, scene, write_picture, write_scenes
from helpers.paths import ROOT

from pipeline.archive import cluster as module
from pipeline.archive.cluster import NOWHERE, QUIET, Cluster, _no_probes, do_units
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
    """A cluster of two nodes of one processor each, and what ends its second node."""
    for name, value in (QUIET | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}).items():
        monkeypatch.setenv(name, value)
    pytest.importorskip("ray.data", reason='needs pip install "ray[data]"')
    import ray
    from ray.cluster_utils import Cluster as Nodes

    size = {"object_store_memory": 100 * 2**20, "num_cpus": 1}
    nodes = Nodes(initialize_head=True, head_node_args=size | {"include_dashboard": False})
    second = nodes.add_node(**size)
    ray.init(address=nodes.address, log_to_driver=False, logging_level="ERROR")
    yield lambda: nodes.remove_node(second, allow_graceful=False)
    ray.shutdown()
    nodes.shutdown()


def rows_of(place):
    """All rows, in an order of their own."""
    import pandas as pd

    table = pd.read_parquet(place)
    return table.sort_values(["source", "frame", "face"], ignore_index=True)


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

    def engine(units):
        for event in Cluster(analysis, place, "auto", None, 60).run(units):
            if not killed.is_set():
                killed.set()
                two_nodes()
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
