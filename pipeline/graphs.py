"""Ship the graphs of the shipped networks, so that a start needs no torch: python -m pipeline.graphs

In:  the code of the networks; the headers of the shipped checkpoint.
Out: retinaface/weights/retinaface.zip, models/graphs/NETWORK-CLASSES.zip.

To be run after retinaface/network.py, the default network's file or what makes graphs has changed, and when a
checkpoint of another network or of other classes is shipped; not after a training. Until then a start makes a graph for
itself and keeps it in the user's cache, which takes as long as importing torch does. A test tells when it is time.
"""

from __future__ import annotations

import argparse

from support import notify, run_and_exit


def main(argv: list[str] | None = None) -> int:
    """Make the graphs and write them to their places in the project."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.graphs", description=__doc__.split("\n")[0])
    parser.parse_args(argv)

    import models.graph
    import retinaface.graph
    from models.checkpoint import load_checkpoint
    from models.classifier import GRAPHS, SHIPPED
    from retinaface import detector
    from support.onnx.graph import write_graph

    checkpoint = load_checkpoint(SHIPPED, arrays=True)
    network, classes = checkpoint.network, len(checkpoint.class_names)
    graphs = {
        detector.SHIPPED.parent / "retinaface.zip": retinaface.graph.make_graph(),
        GRAPHS / f"{network}-{classes}.zip": models.graph.make_graph(network, classes),
    }
    for path, graph in graphs.items():
        write_graph(path, graph)
        notify(f"{path}: {len(graph.about['weights'])} weights by name, {path.stat().st_size / 1024:.0f} kB")
    return 0


if __name__ == "__main__":
    run_and_exit(main)
