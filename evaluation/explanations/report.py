"""Test what heatmaps show: python -m evaluation.explanations --weights F --data-path DIR --out DIR

In:  a checkpoint (left out: the shipped one), faces of a data set.
Out: DIR/faithfulness.json, its table on stdout, and pictures: curves.png, randomisation.png, randomised_maps.png,
     checks.png, pairs.png, mirrored.png.

Every explainer is tested on the same faces, a seeded sample of the split, for the class that the network predicts:
- deletion and insertion (deletion_insertion.py), beside two baselines: a random map and a blob in the centre;
- cascading parameter randomisation (parameter_randomisation.py);
- the pointing game with two faces in one picture (pointing_game.py), for networks that take such a picture;
- agreement with the heatmap of the mirrored face, and from it how far heatmaps are displaced (similarity.py);
- milliseconds a face (cost.py), which mean something on an idle machine only.
Means are over faces, intervals are 95 % bootstrap intervals. The recommendation follows the rule in results.py. 512
faces take about three minutes on two idle cores.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from data.face_set import FaceSet
from evaluation.commands import publish
from evaluation.explanations.cost import ALONE, FACES, explanation_cost
from evaluation.explanations.explained_faces import ExplainSettings, load_explained_faces
from evaluation.explanations.figures import figures
from evaluation.explanations.results import Results, run_tests, summary
from evaluation.speed.machine import not_idle
from gradcam import EXPLAINERS
from models.classifier import Classifier
from support import UserError, command, notify, pick_device, setting

INFINITY = float("inf")
COLUMNS = (
    "deletion", "insertion", "ins - del", "randomised", "pointing", "mirror", "px off", "ms a face", "ratio",
)  # fmt: skip


@dataclasses.dataclass
class Settings(ExplainSettings):
    """Flags of `python -m evaluation.explanations`."""

    limit: int = setting(512, "number of faces of the split to test, sampled at random", within=(2, INFINITY))
    explainers: list[str] = setting([], "which, of gradcam.EXPLAINERS; left out: all", metavar="NAME")
    steps: int = setting(16, "steps of the deletion and insertion curves", within=(2, INFINITY))
    rounds: int = setting(30, "repetitions of the measurement of time", within=(1, INFINITY))
    seed: int = setting(0, "seed of the sample, random maps, randomised parameters and pairs", within=(0, INFINITY))
    out: str = setting("runs/faithfulness", "where faithfulness.json and the pictures go", metavar="DIR")


def run(settings: Settings) -> int:
    """Test, write, print."""
    results, report = evaluate_explainers(settings)
    publish(settings.out, "faithfulness", report, figures(results, report), table(report))
    return 0


def evaluate_explainers(settings: Settings) -> tuple[Results, dict]:
    """The measured arrays, and the content of faithfulness.json."""
    methods = settings.explainers or list(EXPLAINERS)
    checkpoint, split, about = settings.load_network(methods)
    device = pick_device(settings.device)
    faces = sample_faces(split, settings.limit, seed=settings.seed)
    notify(f"{checkpoint.network} on {len(faces):,} of {len(split):,} faces, on {device}")
    classifier = Classifier.from_file(about["weights"], device=device)
    cost = explanation_cost(classifier, crops_for_timing(faces), methods, rounds=settings.rounds)
    explained = load_explained_faces(checkpoint, faces, device=device)
    results = run_tests(explained, methods, steps=settings.steps, seed=settings.seed)
    about |= {"of": len(split), "steps": settings.steps, "seed": settings.seed}
    return results, about | summary(results) | {"cost": cost}


def sample_faces(faces: FaceSet, limit: int, *, seed: int) -> FaceSet:
    """At most `limit` faces, sampled at random, in the order of the split; `UserError` where there are fewer than 2."""
    if len(faces) < 2:
        raise UserError(f"two faces or more are wanted, the split has {len(faces)}; name another split.")
    return faces.rows(np.sort(np.random.default_rng(seed).permutation(len(faces))[:limit]))


def crops_for_timing(faces: FaceSet) -> np.ndarray:
    """(`FACES`, S, S, 3) uint8 RGB: the first faces that have the size of the first one, repeated where too few."""
    same_size = [image for image in faces.images if image.shape == faces.images[0].shape]
    return np.stack([same_size[index % len(same_size)] for index in range(FACES)])


def table(report: dict) -> Iterator[str]:
    """faithfulness.json as lines of text."""
    cost = report["cost"]
    width = max([12, *(len(name) + 2 for name in report["tests"])])
    yield f"{report['network']} on {report['n']:,} of {report['of']:,} faces of {report['dataset']} {report['split']}"
    yield ""
    yield f"{'':<{width}}" + "".join(f"{column:>11}" for column in COLUMNS)
    yield f"{'no heatmap':<{width}}{'':>77}{cost['ms_a_face'][ALONE]['median']:>11.2f}{1:>11.2f}"
    for name, row in report["tests"].items():
        means = [row[test]["mean"] for test in ("deletion", "insertion", "insertion_minus_deletion")]
        line = f"{name:<{width}}" + "".join(f"{mean:>11.3f}" for mean in means)
        if name in cost["ratio"]:
            randomised = list(row["rank_correlation_randomised"].values())[-1]["mean"]
            hits = f"{100 * row['pointing_hits']['mean']:.1f} %" if "pointing_hits" in row else "-"
            mirror, displacement = row["mirror_correlation"]["mean"], row["displacement_px"]
            line += f"{randomised:>11.2f}{hits:>11}{mirror:>11.2f}{displacement:>11.1f}"
            line += f"{cost['ms_a_face'][name]['median']:>11.2f}{cost['ratio'][name]:>11.2f}"
        yield line
    yield ""
    yield from (f"{name}: {reason}" for name, reason in report["recommendation"]["reasons"].items())
    if warning := not_idle(cost["machine"]):
        yield f"times: {warning}"


main = command(Settings, run, prog="python -m evaluation.explanations", doc=__doc__)
