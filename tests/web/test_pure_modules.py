"""The modules of the page that need no browser, under Node.js: their own tests, their types, their Python twins."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.paths import ROOT
from helpers.twins.node import node, twin

from pipeline.tracking import Tracker
from retinaface.face import Face

NODE_TESTS = sorted(Path(__file__).parent.glob("node/*.test.mjs"))


def test_node_tests():
    node("--test", *map(str, NODE_TESTS))


@pytest.mark.thorough
def test_types():
    compiler = ROOT / "web" / "node_modules" / "typescript" / "bin" / "tsc"
    if not compiler.is_file():
        pytest.skip("needs TypeScript: cd web && npm ci")
    node(str(compiler), "--project", str(ROOT / "web"))


def test_measures_of_the_house():
    for path in sorted((ROOT / "web" / "page").rglob("*.*")):
        lines = path.read_text(encoding="utf-8").splitlines()
        assert len(lines) <= 300, path
        if path.suffix == ".js":
            assert lines[0] == "/**", f"{path} says nothing of itself"
            assert max(map(len, lines)) <= 120, path


def wandering_faces(rng: np.random.Generator, *, frames: int, people: int) -> list[tuple[float, list[Face]]]:
    """Faces that move, come near each other, and are missed in one frame of eight; in an order of no meaning."""
    places, speeds = rng.uniform(100, 500, (people, 2)), rng.normal(0, 60, (people, 2))
    sizes, scene, time_s = rng.uniform(40, 90, people), [], 0.0
    for i in range(frames):
        time_s += float(rng.uniform(0.02, 0.2)) * (1 if i < frames / 2 else 3)  # a rate is learned anew
        faces = []
        for i in rng.permutation(people):
            if rng.random() < 1 / 8:
                continue
            centre = places[i] + speeds[i] * time_s + rng.normal(0, 2, 2)
            box = np.concatenate([centre - sizes[i] / 2, centre + sizes[i] / 2]).astype(np.float32)
            points = (centre + rng.normal(0, 0.2, (5, 2)) * sizes[i]).astype(np.float32)
            faces.append(Face(box_xyxy=box, landmarks_xy=points, score=0.9))
        scene.append((time_s, faces))
    return scene


def test_tracks_are_pythons(rng):
    scene = wandering_faces(rng, frames=60, people=4)
    probabilities = [rng.dirichlet(np.ones(3), size=len(faces)).astype(np.float32) for _, faces in scene]
    tracker, wanted = Tracker(), []
    for (time_s, faces), rows in zip(scene, probabilities, strict=True):
        smoothed, observations = tracker.update(faces, time_s)
        rows = tracker.smooth(observations, rows)
        wanted.append([[o.track.number, *f.box_xyxy, *f.landmarks_xy.ravel(), *r]
                       for f, o, r in zip(smoothed, observations, rows, strict=True)])  # fmt: skip
    values = [
        {
            "timeS": time_s,
            "faces": [{"box": f.box_xyxy.tolist(), "landmarks": f.landmarks_xy.tolist(), "score": 0.9} for f in faces],
            "rows": rows.tolist(),
        }
        for (time_s, faces), rows in zip(scene, probabilities, strict=True)
    ]
    script = """
    import { Tracker } from "./page/analysis/tracking.js";
    const tracker = new Tracker(about.tracking);
    const result = values.map(({ timeS, faces, rows }) => {
      const tracked = tracker.update(faces, timeS);
      const smoothed = tracker.smooth(tracked.observations, rows, timeS);
      return tracked.faces.map((face, i) =>
        [tracked.observations[i].track.number, ...face.box, ...face.landmarks.flat(), ...smoothed[i]]);
    });"""
    for ours, theirs in zip(twin(script, values), wanted, strict=True):
        np.testing.assert_allclose(np.array(ours), np.array(theirs), atol=2e-3)
    assert len({row[0] for frame in wanted for row in frame}) >= 4  # faces were followed, and some lost
