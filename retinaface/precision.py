"""How the detector may compute on a card, and whether it then finds the same faces.

In:  a network in float32; the faces that two ways of computing find in the same frame.
Out: `Precision`s; whether the faces are the same.

Only the backbone computes in fewer bits, because its batch norms bound its activations: in 60 photographs none was
above 350, and float16 ends at 65504. The pyramid has no norms and goes beyond that. bfloat16 has the range, but moved a
large face's box by 3.5 pixels; float16, with three bits more, moved none by more than 0.06.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from retinaface.checkpoint import Network
from retinaface.face import Face
from retinaface.network import RetinaFaceNetwork
from support.device.precision import Precision
from support.device.precision import alternatives as all_alternatives

SCORE, PIXELS = 0.01, 0.5  # the most that a face's score, and its box and landmarks, may differ from float32's


def alternatives(network: Network, *, amp: bool) -> list[Precision]:
    """All but the network as it is, which is in float32, channels-last. amp: with fewer bits, too."""
    fewer = amp and isinstance(network, RetinaFaceNetwork)  # the range of the public network's activations is not known
    return all_alternatives(network, (None, torch.float16) if fewer else (None,), part="backbone" if fewer else "")


def same_faces(first: Sequence[Face], other: Sequence[Face], *, conf: float) -> bool:
    """Do both hold the same faces, at least one? A face scored within `SCORE` of `conf` may be missing in one."""
    sure = [[face for face in faces if face.score >= conf + SCORE] for faces in (first, other)]
    pairs = ((sure[0], other), (sure[1], first))
    return all(some and all(any(_is_same(one, face) for face in others) for one in some) for some, others in pairs)


def _is_same(one: Face, other: Face) -> bool:
    apart = (one.box_xyxy - other.box_xyxy, one.landmarks_xy - other.landmarks_xy)
    return abs(one.score - other.score) <= SCORE and all(bool((np.abs(each) <= PIXELS).all()) for each in apart)
