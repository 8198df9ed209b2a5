"""The shipped graphs: those of the shipped networks, of the code as it is, and without weights."""

from __future__ import annotations

import pytest

from models.checkpoint import SHIPPED, load_checkpoint
from models.classifier import GRAPHS
from pipeline import graphs
from retinaface import detector
from support.onnx.graph import read_graph, write_graph

CHECKPOINT = load_checkpoint(SHIPPED, arrays=True)
SHIPPED_GRAPHS = [
    detector.SHIPPED.parent / "retinaface.zip",
    GRAPHS / f"{CHECKPOINT.network}-{len(CHECKPOINT.class_names)}.zip",
]


@pytest.mark.parametrize("path", SHIPPED_GRAPHS, ids=lambda path: path.stem)
def test_shipped_graphs_are_there_and_current(path):
    graph = read_graph(path)
    assert graph is not None, f"{path} is missing: run python -m pipeline.graphs"
    assert graph.is_current(), f"{path} is older than the code that it was made from: run python -m pipeline.graphs"
    assert graph.model
    assert path.stat().st_size < 30_000


def test_the_door_writes_them(monkeypatch, capsys):
    written = {}

    def keep(path, graph):
        written[path] = graph
        write_graph(path, read_graph(path))  # as it was

    monkeypatch.setattr("support.onnx.graph.write_graph", keep)
    assert graphs.main([]) == 0
    assert list(written) == SHIPPED_GRAPHS
    for path, graph in written.items():
        assert graph.about == read_graph(path).about, (
            f"{path} is not what its code gives: run python -m pipeline.graphs"
        )
    assert capsys.readouterr().err.count("weights by name") == 2
