"""What is kept of one person: sums, a timeline, mean heatmaps, the strongest moments.

In:  faces with their probabilities, each with its weight: the seconds that its frame stands for, or 1 in a picture.
Out: `Totals` for tables, `Person` for the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from pipeline.output.report.moments import Strongest
from pipeline.output.report.timeline import Timeline


@dataclass(frozen=True, eq=False)
class SeenFace:
    """One face of a frame.

    track: the person's number; 0: without tracking. probabilities: (K,), sum to 1.
    heatmap: (S, S) float32 in [0, 1] or None, for the class of that index and by that explainer: `explained`.
    picture: gives an encoded JPEG of the face with its heat; None: no face may be shown.
    """

    track: int
    probabilities: np.ndarray
    heatmap: np.ndarray | None = None
    explained: tuple[str, int] | None = None
    picture: Callable[[], bytes] | None = None


@dataclass(eq=False)
class Totals:
    """Sums over what was seen. weight: seconds, or faces of pictures. people: how many share these totals.

    label_weight: (K,), of the frames in which each class was the most probable. probability_weight: (K,), each
    probability times its weight. confidence_weight: the highest probability times its weight.
    """

    classes: int
    people: int = 1
    faces: int = 0
    weight: float = 0.0
    confidence_weight: float = 0.0
    label_weight: np.ndarray = field(init=False)
    probability_weight: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.label_weight, self.probability_weight = np.zeros(self.classes), np.zeros(self.classes)

    def add(self, probabilities: np.ndarray, weight: float) -> None:
        """One face more, which stands for `weight`."""
        label = int(probabilities.argmax())
        self.faces += 1
        self.weight += weight
        self.confidence_weight += weight * float(probabilities[label])
        self.label_weight[label] += weight
        self.probability_weight += weight * probabilities

    def absorb(self, other: Totals) -> None:
        """Add all of `other`'s."""
        self.people += other.people
        self.faces += other.faces
        self.weight += other.weight
        self.confidence_weight += other.confidence_weight
        self.label_weight += other.label_weight
        self.probability_weight += other.probability_weight

    @property
    def shares(self) -> np.ndarray:
        """(K,): share of the time in which each class was the most probable; zeros where nothing was seen."""
        return self.label_weight / (self.weight or 1.0)

    @property
    def mean_probabilities(self) -> np.ndarray:
        """(K,), sum to 1; zeros where nothing was seen."""
        return self.probability_weight / (self.weight or 1.0)

    @property
    def mean_confidence(self) -> float:
        """Mean of the most probable class's probability."""
        return self.confidence_weight / (self.weight or 1.0)


class Person:
    """One track of a source, or all faces where there are no tracks (`track` 0).

    timeline: rows of weight and probability times weight, (1 + K). heat: (explainer, class) -> sum of heatmaps, count.
    """

    def __init__(self, track: int, classes: int, *, time_s: float, width: float) -> None:
        self.track, self.first_s, self.last_s = track, time_s, time_s
        self.totals = Totals(classes)
        self.timeline = Timeline(1 + classes, width=width)
        self.heat: dict[tuple[str, int], tuple[np.ndarray, int]] = {}
        self.strongest = [Strongest() for _ in range(classes)]

    def add_heat(self, face: SeenFace) -> None:
        """One heatmap more for the mean of its explainer and class; another size than the first one's is left out."""
        if face.heatmap is None or face.explained is None:
            return
        summed, count = self.heat.get(face.explained, (np.zeros(face.heatmap.shape, np.float32), 0))
        if summed.shape == face.heatmap.shape:
            self.heat[face.explained] = (summed + face.heatmap, count + 1)

    def add_numbers(self, probabilities: np.ndarray, *, start: float, weight: float) -> None:
        """A face that stands for `weight`, from `start` on."""
        self.totals.add(probabilities, weight)
        self.timeline.add(start, weight, weight * np.concatenate([[1.0], probabilities]))
