"""RetinaFace: frames in, faces out.

In:  frames (H, W, 3) uint8 RGB, which may differ in size.
Out: for each frame its faces, best score first, in pixels of that frame.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from retinaface.anchors import anchors_for, iou, non_maximum_suppression
from retinaface.defaults import CANDIDATES, CONF, IMGSZ
from retinaface.engines import Engine, OnnxEngine, TorchEngine
from retinaface.face import Face, Faces, best_faces, boxes_of
from retinaface.near_faces import NEAR, POSSIBLE, whole_faces
from retinaface.tiles import tiles_of
from support import UserError, notify
from support.onnx.session import open_session

if TYPE_CHECKING:  # torch is imported where it is used: a start with ONNX Runtime needs none
    import torch

    from retinaface.checkpoint import Network

ONNX_FORMAT = "retinaface-onnx/2"  # of the .onnx file beside them
EXPORT = "python -m retinaface.export --weights"
SHIPPED = Path(__file__).parent / "weights" / "retinaface.safetensors"
BLANK_HW = (64, 64)  # pixels of the frame that an .onnx file is tried on
IOU_THRESHOLD = 0.5  # of two boxes that overlap more only the better one stays
CONTAINMENT = 0.9  # share of a box inside a surer one from which on it is a part of that face: a mouth and nose
HALVINGS = 3  # sizes of a frame that are made ready before there is one: its own, and smaller ones for large faces
FARTHEST = 1e6  # pixels; coordinates beyond this mean that the network's numbers are wrong
SMALLER = 0.5  # the scale at which a frame that is searched in tiles is searched for large faces
VOTING_IOU = 0.6  # IoU with the best box of a face from which on another anchor votes on its box and landmarks
VOTING_SHARE = 0.5  # share of the best score that such an anchor must have
BOX_POWER = 32  # votes on the box are weighted by this power of the score; those on landmarks by the score


class RetinaFace:
    """A detector on one device.

    network: in torch, or an engine that runs it.
    conf: faces scored lower are not reported, 0 to 1.
    max_faces: the best so many of a frame; None: all.
    imgsz: frames are reduced to so many pixels on their longer side for the search (None: never); faces come back in
        pixels of the frame as given. What is then still larger than a tile (`retinaface.tiles`) is searched in tiles.
    """

    def __init__(
        self,
        network: Network | OnnxEngine,
        *,
        conf: float = CONF,
        max_faces: int | None = None,
        imgsz: int | None = IMGSZ,
    ) -> None:
        self.engine: Engine = network if isinstance(network, OnnxEngine) else TorchEngine(network)
        if not 0 <= conf <= 1 or not (max_faces is None or max_faces >= 1) or not (imgsz is None or imgsz >= 1):
            raise UserError(
                f"conf lies in 0 to 1, max_faces and imgsz are 1 or more, or None, not {conf}, {max_faces}, {imgsz}."
            )
        self.conf, self.max_faces, self.imgsz = conf, max_faces, imgsz

    @classmethod
    def from_file(
        cls,
        path: str | Path | None = None,
        *,
        device: torch.device | str = "cpu",
        engine: str = "auto",
        threads: int = 2,
        conf: float = CONF,
        max_faces: int | None = None,
        imgsz: int | None = IMGSZ,
    ) -> RetinaFace:
        """The detector with the weights at `path`: ours, the public .pth or an .onnx file; without it the shipped ones.

        engine, threads: as for `support.onnx.session.open_session`.
        """
        path = SHIPPED if path is None else Path(path)
        session, advice = open_session(
            path, wanted_format=ONNX_FORMAT, engine=engine, device=device, threads=threads, command=EXPORT
        )
        network: Network | OnnxEngine
        if session is not None:
            blank = np.zeros((1, *BLANK_HW, 3), np.uint8)
            anchors = len(anchors_for(BLANK_HW))
            session.check_outputs(blank, [(1, anchors), (1, anchors, 4), (1, anchors, 5, 2)], path=path)
            network = OnnxEngine(session)
        else:
            import torch

            from retinaface.checkpoint import load_network

            network = load_network(path).to(device).to(memory_format=torch.channels_last)
            if advice:
                notify(advice)
        return cls(network, conf=conf, max_faces=max_faces, imgsz=imgsz)

    @property
    def computing(self) -> str:
        """As that of `TorchEngine`."""
        return self.engine.computing

    def warm_up(
        self, sizes_hw: Iterable[tuple[int, int]], *, amp: bool = True, trial: Callable[[], np.ndarray] | None = None
    ) -> None:
        """As `retinaface.face.Detector`, also for faces that are so large that smaller frames are searched."""
        searched = []
        for size_hw in sizes_hw:
            zoom = min(1.0, self.imgsz / max(size_hw)) if self.imgsz else 1.0
            searched += [scaled_size(size_hw, zoom * 0.5**halvings) for halvings in range(HALVINGS)]
        whole = [size_hw for size_hw in searched if len(tiles_of(size_hw)) == 1]
        self.engine.warm_up(whole, amp=amp, trial=trial, agree=self._agree)

    def close(self) -> None:
        """End the threads of the engine; more than once is fine."""
        self.engine.close()

    def __call__(self, frames: Sequence[np.ndarray], *, imgsz: Sequence[int | None] | None = None) -> list[Faces]:
        """As `retinaface.face.Detector`; frames of one size go through the network together. No frames, no faces."""
        for frame in frames:
            if not isinstance(frame, np.ndarray):
                raise UserError(f"a frame is an array (H, W, 3) uint8 RGB, not a {type(frame).__name__}.")
            if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8 or not frame.size:
                raise UserError(f"a frame is (H, W, 3) uint8 RGB, not {frame.shape} {frame.dtype}; convert it first.")
        found = [Faces() for _ in frames]
        limits = [self.imgsz] * len(frames) if imgsz is None else imgsz
        searches = [(frame.shape[:2], limit) for frame, limit in zip(frames, limits, strict=True)]
        for search in dict.fromkeys(searches):
            size_hw, limit = search
            reduced = max(1.0, max(size_hw) / limit) if limit else 1.0
            rows = [row for row, other in enumerate(searches) if other == search]
            for row, faces in zip(rows, self._detect([frames[row] for row in rows], 1 / reduced), strict=True):
                sure = [face for face in faces if face.score >= self.conf]
                found[row] = best_faces(sure, self.max_faces, reduced=reduced)
        return found

    def _detect(self, frames: Sequence[np.ndarray], zoom: float) -> list[list[Face]]:
        """All faces of frames (H, W, 3) uint8 RGB of one size, searched `zoom` times as large, in tiles if need be.

        Also those that score less than `conf` and at least `POSSIBLE`.

        A face that fills the frame, and so is larger than the anchors, is scored too low, or its parts are taken for
        faces. In a smaller frame it is one face, and its landmarks are more exact: frames with what may be a large face
        are searched there, too.
        """
        if len(tiles_of(scaled_size(frames[0].shape[:2], zoom))) > 1:
            return [self._detect_in_tiles(frame, zoom) for frame in frames]
        detected = self._search(frames, zoom)
        for i, faces in enumerate(detected):
            largest = zoom * max((face.size for face in faces if face.score >= POSSIBLE), default=0)
            if largest >= NEAR:
                halvings = 1 + math.floor(math.log2(largest / NEAR))  # it is smaller than NEAR then
                (smaller,) = self._search([frames[i]], zoom * 0.5**halvings)
                detected[i] = whole_faces(faces, smaller, near=NEAR / zoom, iou_threshold=IOU_THRESHOLD)
        return detected

    def _detect_in_tiles(self, frame: np.ndarray, zoom: float) -> list[Face]:
        """All faces of a frame too large for one pass: in tiles, and large ones in the frame made smaller."""
        searched, scale = scaled(frame, zoom)
        small: list[Face] = []
        for tile in tiles_of(searched.shape[:2]):
            (faces,) = self._forward([tile.view(searched)])
            small += tile.owned([face.moved(tile.rect_xyxy[:2]) for face in faces])
        scores = np.array([face.score for face in small])
        kept = self._suppress(boxes_of(small), scores)  # a face on a seam is found in both tiles
        small = [small[i].scaled(scale) for i in kept]
        (smaller,) = self._detect([frame], zoom * SMALLER)
        return whole_faces(small, smaller, near=NEAR / zoom, iou_threshold=IOU_THRESHOLD)

    def _search(self, frames: Sequence[np.ndarray], zoom: float) -> list[list[Face]]:
        """The faces of frames of one size in the frames made `zoom` times as large."""
        searched, scales = zip(*(scaled(frame, zoom) for frame in frames), strict=True)
        return [[face.scaled(scales[0]) for face in faces] for faces in self._forward(searched)]

    def _forward(self, frames: Sequence[np.ndarray]) -> list[list[Face]]:
        """The faces of frames of one size by one pass of the network."""
        batch = np.stack(frames) if len(frames) > 1 else np.ascontiguousarray(frames[0])[None]
        outputs = zip(*self.engine(batch), strict=True)
        return [self._faces(scores, boxes, points) for scores, boxes, points in outputs]

    def _faces(self, scores: np.ndarray, boxes: np.ndarray, landmarks: np.ndarray) -> list[Face]:
        """The faces among the anchors of one frame, with those that only a smaller frame can tell."""
        rows = np.flatnonzero(scores >= min(self.conf, VOTING_SHARE * POSSIBLE))
        rows = rows[np.argsort(-scores[rows], kind="stable")[:CANDIDATES]]
        boxes_xyxy = boxes[rows]
        numbers = (scores, boxes_xyxy / FARTHEST, landmarks[rows] / FARTHEST)
        if not all((np.abs(some) <= 1).all() for some in numbers):  # nor is it so of NaN
            raise UserError("the detector gives numbers that mean nothing; name other --detector-weights.")
        faces = np.count_nonzero(scores[rows] >= min(self.conf, POSSIBLE))  # the first; the others only vote
        kept = self._suppress(boxes_xyxy[:faces], scores[rows[:faces]])
        voted = vote(boxes_xyxy, landmarks[rows], scores[rows], kept)
        return [
            Face(box_xyxy=box, landmarks_xy=points, score=float(score))
            for box, points, score in zip(*voted, scores[rows[kept]], strict=True)
        ]

    def _agree(self, first: list[np.ndarray], other: list[np.ndarray]) -> bool:
        """Does what an engine gave for one frame in two ways hold the same faces?"""
        from retinaface.precision import same_faces

        if not all(np.isfinite(values).all() for values in other):
            return False
        faces, others = (self._faces(*(values[0] for values in outputs)) for outputs in (first, other))
        return same_faces(faces, others, conf=self.conf)

    def _suppress(self, boxes_xyxy: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """Indices of the boxes (N, 4) that stay."""
        return non_maximum_suppression(boxes_xyxy, scores, iou_threshold=IOU_THRESHOLD, containment=CONTAINMENT)


def scaled_size(size_hw: Sequence[int], zoom: float) -> tuple[int, int]:
    """Height and width of a frame of `size_hw` made `zoom` times as large."""
    height, width = size_hw
    return max(1, round(height * zoom)), max(1, round(width * zoom))


def scaled(frame: np.ndarray, zoom: float) -> tuple[np.ndarray, np.ndarray]:
    """The frame made `zoom` times as large, and what its pixels' x and y are to be multiplied by, (2,) float32."""
    size_hw = scaled_size(frame.shape[:2], zoom)
    if size_hw == frame.shape[:2]:
        return frame, np.ones(2, np.float32)
    scale = np.array([frame.shape[1] / size_hw[1], frame.shape[0] / size_hw[0]], np.float32)
    return cv2.resize(frame, size_hw[::-1], interpolation=cv2.INTER_AREA), scale


def vote(
    boxes: np.ndarray, landmarks: np.ndarray, scores: np.ndarray, kept: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Boxes (K, 4) and landmarks (K, 5, 2) float32 of the `kept` faces (K,): means over the anchors that agree on them.

    They have an IoU of `VOTING_IOU` with its box and `VOTING_SHARE` of its score, so `conf` decides nothing here; one
    that scores more is of another face, which suppressed it.
    Landmarks are weighted by score. Boxes are weighted by its power `BOX_POWER`: the best one's, but where two anchors
    are equally good, it does not jump from one's to the other's as noise favours either.

    boxes (A, 4) xyxy, landmarks (A, 5, 2) and scores (A,) of all candidates; `kept` are rows of them.
    """
    share = np.maximum(scores, np.finfo(np.float32).tiny) / np.maximum(scores[kept, None], np.finfo(np.float32).tiny)
    agrees = (iou(boxes[kept], boxes) >= VOTING_IOU) & (share >= VOTING_SHARE) & (share <= 1)  # (K, A)
    agrees[np.arange(len(kept)), kept] = True  # also a box too small to have an area
    share = np.where(agrees, share, 0)
    of_boxes, of_landmarks = (weight / weight.sum(axis=1, keepdims=True) for weight in (share**BOX_POWER, share))
    return of_boxes @ boxes, np.einsum("ka,apx->kpx", of_landmarks, landmarks)
