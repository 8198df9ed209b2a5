"""Distillation of a classifier: what its teachers say of a batch.

In:  trained classifiers; crops (B, S, S, 3) uint8 RGB, as augmented for the student. Or a file of what they said.
Out: probabilities (B, K) float32, K in the order of the student's classes.

The student's target is t = (1 - d) v + d mean_m softmax(z_m) (Hinton et al. 2015, arXiv 1503.02531, at temperature 1),
where v are the votes, z_m the logits of teacher m on the same augmented picture, and d the share of the teachers. The
loss is KL(t || softmax(z)). Each teacher gets the picture at its own input size, in eval mode. Soft targets from a file
take the place of the teachers' mean: they cost nothing, but do not follow the augmentation.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import logging
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from models.classifier import Classifier
from support import UserError
from support.emotions import canonical_name
from support.metrics import softmax

log = logging.getLogger(__name__)
LARGEST_SUM = 1e30  # of shares or counts in a row


class Teachers:
    """The mean of several trained networks; `UserError` where one does not know a class of `class_names`."""

    def __init__(self, paths: Sequence[str], class_names: Sequence[str], *, device: torch.device | str) -> None:
        self.members = []
        for path in paths:
            member = Classifier.from_file(path, device=device, engine="torch")
            unknown = [name for name in class_names if name not in member.class_names]
            if unknown:
                raise UserError(
                    f"the teacher {path} does not know {', '.join(unknown)}; its classes are "
                    f"{', '.join(member.class_names)}. Name teachers that were trained on these classes."
                )
            self.members.append((member, [member.class_names.index(name) for name in class_names]))

    def __call__(self, crops: np.ndarray | Tensor) -> np.ndarray:
        """Rows sum to 1; classes that only a teacher knows are left out. Crops of a device are brought here."""
        crops = crops if isinstance(crops, np.ndarray) else crops.cpu().numpy()
        return np.mean([softmax(member.logits(crops)[:, columns]) for member, columns in self.members], axis=0)


def identity_of(paths: Sequence[str]) -> dict[str, list[str]]:
    """What must be the same for a run with these teachers, or this file of soft targets, to be continued."""
    digests = [hashlib.blake2b(Path(path).read_bytes(), digest_size=16).hexdigest() for path in paths if path]
    return {"teachers or soft targets, by a digest": digests}


def soft_votes(
    path: str, names: Sequence[str], class_names: Sequence[str], votes: np.ndarray, *, share: float
) -> np.ndarray:
    """Votes (N, K) float32 in which the soft targets of a csv (or .csv.gz) file have that share.

    names: of the N faces; rows of the file are matched by name. A face without a row keeps its votes, with a warning.
    The file has a header, its first column is the name; a column is named as each class, in any word for it that a
    data set may use ("Happy"); others are left alone.
    Raises `UserError`, with the line, where it cannot be read so.
    """
    rows = {name: row for row, name in enumerate(names)}
    mixed, found = np.array(votes), set()
    try:
        with (gzip.open if path.endswith(".gz") else open)(path, "rt", encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            header = [canonical_name(name) for name in next(reader, [])]
            missing = [name for name in class_names if name not in header]
            if missing:
                raise UserError(
                    f"{path}:1 must name a column for each class, separated by commas; it lacks {', '.join(missing)}."
                )
            twice = [name for name in class_names if header.count(name) > 1]
            if twice:
                raise UserError(f"{path}:1 names {', '.join(twice)} more than once; keep one column a class.")
            columns = [header.index(name) for name in class_names]
            for fields in filter(None, reader):
                row, place = rows.get(fields[0].strip()), f"{path}:{reader.line_num}"
                if row is None:
                    continue
                if row in found:
                    raise UserError(f"{place} names {names[row]} a second time; keep one of its lines.")
                mixed[row] = (1 - share) * votes[row] + share * _shares(fields, columns, place)
                found.add(row)
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"--soft {path} cannot be read: {error}; name a csv file.") from error
    if not found:
        raise UserError(
            f"{Path(path).name} names none of the {len(names):,} training faces ({names[0]}, ...); name the file "
            "of this data set."
        )
    if len(found) < len(names):
        log.warning("%s has soft targets for %s of %s training faces", path, f"{len(found):,}", f"{len(names):,}")
    return mixed


def _shares(fields: Sequence[str], columns: Sequence[int], place: str) -> np.ndarray:
    """(K,) float32, sum 1, of the fields at `columns`; `UserError` naming `place` where they are no shares."""
    try:
        values = np.array([float(fields[column]) for column in columns])
    except (ValueError, IndexError):
        values = np.array([np.nan])
    if not (values.min() >= 0 and 0 < values.sum() < LARGEST_SUM):  # never so for NaN
        raise UserError(f"{place} must hold a number of 0 or more for each class, not {','.join(fields)[:60]!r}.")
    return (values / values.sum()).astype(np.float32)
