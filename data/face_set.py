"""FaceSet: what every data set becomes in memory, whatever its files look like.

In:  decoded pictures, crowd votes, labels.
Out: one frozen object that training and evaluation index by row.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class FaceSet:
    """Faces and the votes of the people who labelled them.

    images: N pictures, (H, W, 3) uint8 RGB each; a list, where sizes may differ, or one array.
    votes: (N, K) float32, rows sum to 1: the crowd's distribution; one-hot where only a label is known.
    labels: (N,) int64, the official label (an index of `class_names`), by which accuracy is counted.
    names: N file names, for reports.
    class_names: K names, in the order of the columns of `votes`.
    has_votes: False where `votes` is only `labels` one-hot.
    attributes: what else is known of each face, by name: (N,) str, such as "gender": ["male", "female", ...].
    """

    images: Sequence[np.ndarray] | np.ndarray
    votes: np.ndarray
    labels: np.ndarray
    names: tuple[str, ...]
    class_names: tuple[str, ...]
    has_votes: bool = True
    attributes: dict[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.names)

    def rows(self, index: np.ndarray) -> FaceSet:
        """The faces at `index` (integers, or a (N,) bool mask), in that order."""
        index = np.flatnonzero(index) if np.asarray(index).dtype == bool else np.asarray(index)
        images = self.images[index] if isinstance(self.images, np.ndarray) else [self.images[int(i)] for i in index]
        return dataclasses.replace(
            self,
            images=images,
            votes=self.votes[index],
            labels=self.labels[index],
            names=tuple(self.names[i] for i in index),
            attributes={name: values[index] for name, values in self.attributes.items()},
        )


def with_labels_for_votes(faces: FaceSet) -> FaceSet:
    """`faces` as if only the labels were known: votes one-hot."""
    one_hot = np.eye(len(faces.class_names), dtype=np.float32)[faces.labels]
    return dataclasses.replace(faces, votes=one_hot, has_votes=False)


def without_duplicates(faces: FaceSet, *others: FaceSet) -> FaceSet:
    """`faces` less every picture that stands, byte for byte, in one of `others` too.

    FER2013 holds duplicates across its splits: 7.8 % of the FER+ test pictures have a duplicate in train.
    """
    seen = {_digest(image) for other in others for image in other.images}
    return faces.rows(np.array([_digest(image) not in seen for image in faces.images], dtype=bool))


def _digest(image: np.ndarray) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(image).tobytes(), digest_size=16).digest()
