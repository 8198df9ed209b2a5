"""RetinaFace on real pictures: against batch-face with the same weights, and by itself with the shipped ones."""

from __future__ import annotations

import threading

import cv2
import numpy as np
import pytest
import torch

from data.sources.sample import sample_frame
from retinaface.anchors import iou
from retinaface.checkpoint import load_network
from retinaface.detector import BOX_POWER, SHIPPED, VOTING_IOU, VOTING_SHARE, RetinaFace, scaled, vote
from retinaface.engines import OnnxEngine
from retinaface.export import export_weights
from retinaface.precision import alternatives
from support import UserError

EYES_XY = np.array([[205.0, 103.0], [244.0, 103.0]])  # of the portrait, read off by eye


@pytest.fixture(scope="module")
def detector() -> RetinaFace:
    return RetinaFace.from_file()


def moved(portrait: np.ndarray, scale: float, turn_deg: float) -> np.ndarray:
    matrix = cv2.getRotationMatrix2D((223, 130), turn_deg, scale)
    return cv2.warpAffine(portrait, matrix, (480, 360), borderValue=(90, 120, 150))


def test_the_shipped_weights_find_the_one_face(detector, portrait):
    (faces,) = detector([portrait])
    assert len(faces) == 1
    assert faces[0].score > 0.8
    np.testing.assert_allclose(faces[0].landmarks_xy[:2], EYES_XY, atol=8)
    assert iou(faces[0].box_xyxy[None], np.array([[178, 57, 270, 175]]))[0, 0] > 0.6


@pytest.mark.parametrize("scale", [0.45, 0.7, 1.0, 2.0])
@pytest.mark.parametrize("turn_deg", [-25, 0, 25])
def test_the_face_is_found_small_large_and_turned(detector, portrait, scale, turn_deg):
    (faces,) = detector([moved(portrait, scale, turn_deg)])
    assert faces, "no face"
    matrix = cv2.getRotationMatrix2D((223, 130), turn_deg, scale)
    eyes = EYES_XY @ matrix[:, :2].T + matrix[:, 2]
    np.testing.assert_allclose(faces[0].landmarks_xy[:2], eyes, atol=0.2 * 39 * scale + 2)


def test_frames_of_several_sizes_keep_their_order(detector, portrait):
    small, blank = moved(portrait, 0.5, 0), np.full((100, 120, 3), 128, np.uint8)
    together = detector([portrait, blank, small, portrait])
    alone = [detector([frame])[0] for frame in (portrait, blank, small, portrait)]
    assert [len(faces) for faces in together] == [len(faces) for faces in alone] == [1, 0, 1, 1]
    for a, b in zip(together, alone, strict=True):
        for x, y in zip(a, b, strict=True):
            np.testing.assert_allclose(x.box_xyxy, y.box_xyxy, atol=1e-2)
    assert detector([]) == []


def test_the_search_on_a_reduced_frame_answers_in_pixels_of_the_frame(portrait):
    detector = RetinaFace.from_file(imgsz=512)
    large = cv2.resize(portrait, None, fx=3, fy=3, interpolation=cv2.INTER_NEAREST)  # reduced, it is the portrait again
    (face,), (small,) = detector([large, portrait])
    np.testing.assert_allclose(face.landmarks_xy[:2], 3 * EYES_XY, atol=24)
    # The middle of a pixel, x, becomes that of three: 3 x + 1.
    np.testing.assert_allclose(face.landmarks_xy, 3 * small.landmarks_xy + 1, atol=0.01)
    np.testing.assert_allclose(face.box_xyxy, 3 * small.box_xyxy + 1, atol=0.01)


def test_threshold_and_number_of_faces_are_kept(portrait):
    grid = np.tile(cv2.resize(portrait[:256, 96:352], (160, 160)), (2, 3, 1))
    detector = RetinaFace.from_file()
    (faces,) = detector([grid])
    assert len(faces) == 6
    assert [f.score for f in faces] == sorted((f.score for f in faces), reverse=True)
    assert (faces.left_out, faces.reduced) == ((), 1.0)
    detector.max_faces = 2
    (two,) = detector([grid])
    assert len(two) == 2
    assert [face.score for face in two.left_out] == [face.score for face in faces[2:]]
    assert [face.score for face in two] == [face.score for face in faces[:2]]
    detector.conf = 1.1
    assert detector([grid]) == [[]]


def test_each_frame_may_be_searched_at_a_size_of_its_own(portrait):
    """Batches of one size and one limit go together; the result says how much each was reduced."""
    detector, batches = RetinaFace.from_file(imgsz=256), []
    engine = detector.engine
    detector.engine = lambda batch: batches.append(batch.shape[:3]) or engine(batch)
    found = detector([portrait] * 4, imgsz=[None, 256, 512, 320])
    assert [faces.reduced for faces in found] == [1, 2, 1, 1.6]
    assert batches == [(1, 512, 512), (1, 256, 256), (1, 512, 512), (1, 320, 320)]
    assert detector([portrait])[0].reduced == 2
    assert [len(faces) for faces in found] == [1, 1, 1, 1]


def assert_same(found, wanted, *, box_px: float = 1e-2, score: float = 1e-4) -> None:
    assert len(found) == len(wanted)
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_allclose(a.box_xyxy, b.box_xyxy, atol=box_px)
        np.testing.assert_allclose(a.landmarks_xy, b.landmarks_xy, atol=box_px)
        assert a.score == pytest.approx(b.score, abs=score)


def test_both_engines_find_the_same(portrait):
    frames = [sample_frame(i) for i in (0, 100)] + [sample_frame(0, (720, 1280)), portrait, portrait[:, ::-1]]
    options = {"conf": 0.3, "max_faces": 20}
    onnx, torch_ = (RetinaFace.from_file(engine=engine, **options) for engine in ("onnx", "torch"))
    assert isinstance(RetinaFace.from_file().engine, OnnxEngine)  # where it can be, it is the default
    for found, wanted in zip(onnx(frames), torch_(frames), strict=True):
        assert len(wanted) >= 1
        assert_same(found, wanted)
    alone = [onnx([frame])[0] for frame in frames]
    for found, wanted in zip(onnx(frames), alone, strict=True):
        assert_same(found, wanted)


def near(portrait: np.ndarray, side: int) -> np.ndarray:
    """The face of the portrait, about 110 pixels high, in a square of `side` pixels enlarged to 720."""
    top, left = 118 - side // 2, 223 - side // 2
    return cv2.resize(portrait[top : top + side, left : left + side], (720, 720), interpolation=cv2.INTER_CUBIC)


@pytest.mark.parametrize("side", [150, 120, 100, 90, 80, 70])
def test_a_face_that_fills_or_overfills_the_frame_is_one_face(detector, portrait, side):
    (face,) = detector([near(portrait, side)])[0]  # fills it from a side of about 110 pixels on
    eyes = (EYES_XY - [223 - side // 2, 118 - side // 2]) * 720 / side
    np.testing.assert_allclose(face.landmarks_xy[:2], eyes, atol=0.15 * 39 * 720 / side)


def test_only_frames_with_a_large_face_are_searched_twice(detector, portrait, monkeypatch):
    searched, engine = [], detector.engine
    monkeypatch.setattr(detector, "engine", lambda batch: searched.append(batch.shape[:3]) or engine(batch))
    detector([portrait, cv2.resize(near(portrait, 100), (512, 512)), portrait])
    assert [batch[0] for batch in searched] == [3, 1]
    assert searched[0] == (3, 512, 512)
    assert searched[1][1:] in ((256, 256), (128, 128))  # smaller by as much as the face is too large


def test_anchors_that_agree_on_a_face_share_its_landmarks_by_score():
    boxes = [[0, 0, 100, 100], [0, 0, 100, 90], [0, 0, 100, 55], [300, 0, 400, 100], [0, 0, 100, 90]]
    boxes = np.array(boxes, np.float32)
    scores = np.array([0.6, 0.4, 0.6, 0.1, 0.25], np.float32)
    assert iou(boxes[:1], boxes)[0].tolist() == pytest.approx([1, 0.9, 0.55, 0, 0.9])
    assert 0.55 < VOTING_IOU < 0.9
    assert 0.25 / 0.6 < VOTING_SHARE < 0.4 / 0.6
    landmarks = np.stack([np.full((5, 2), value, np.float32) for value in (10, 20, 90, 50, 90)])
    _, found = vote(boxes, landmarks, scores, np.array([0, 3]))
    np.testing.assert_allclose(found, np.stack([np.full((5, 2), 14), np.full((5, 2), 50)]), rtol=1e-6)
    none = vote(boxes, landmarks, np.ones(5, np.float32), np.array([], int))
    assert [found.shape for found in none] == [(0, 4), (0, 5, 2)]
    box, alone = vote(np.zeros((1, 4), np.float32), landmarks[:1], np.zeros(1, np.float32), np.array([0]))
    np.testing.assert_allclose(alone, landmarks[:1])  # no area, no score, and still where it says
    assert box.tolist() == [[0, 0, 0, 0]]


def test_a_box_is_the_best_ones_but_between_two_that_are_equally_good():
    boxes = np.float32([[0, 0, 100, 100], [4, 0, 104, 100]])
    landmarks, kept = np.zeros((2, 5, 2), np.float32), np.array([0])
    for other, left in ((0.8, 2), (0.76, 4 * 0.95**BOX_POWER / (1 + 0.95**BOX_POWER)), (0.5, 0), (0.9, 0)):
        (box,), _ = vote(boxes, landmarks, np.float32([0.8, other]), kept)  # 0.9: of another face
        assert box[0] == pytest.approx(left, abs=1e-5)
    crowd = np.float32([0.01, 0.01, *np.linspace(0.5, 1, 50)])  # no power of a score is infinite
    boxes = np.concatenate([boxes, np.float32([[0, 0, 100, 100]] * 50)])
    (box,), _ = vote(boxes, np.zeros((52, 5, 2), np.float32), crowd, kept)
    assert box[0] == pytest.approx(2)


def test_anchors_that_score_less_than_a_face_vote_whatever_the_threshold():
    """At a threshold of 0.5, too, one of 0.26 votes for a face of 0.5."""
    scores, boxes = np.array([0.5, 0.26], np.float32), np.array([[0, 0, 100, 100], [2, 2, 102, 102]], np.float32)
    landmarks = np.stack([np.full((5, 2), value, np.float32) for value in (10, 50)])
    for conf in (0.5, 0.05):
        (found,) = RetinaFace.from_file(conf=conf)._faces(scores, boxes, landmarks)
        np.testing.assert_allclose(found.landmarks_xy, (0.5 * 10 + 0.26 * 50) / 0.76, rtol=1e-6)


@pytest.mark.parametrize("shape", [(40, 60), (40, 60, 4), (0, 60, 3), None])
def test_what_is_no_frame_is_refused(detector, shape):
    frame = np.zeros(shape, np.uint8) if shape else np.zeros((40, 60, 3))
    with pytest.raises(UserError, match=r"a frame is \(H, W, 3\) uint8 RGB, not \("):
        detector([frame])


@pytest.mark.parametrize("options", [{"conf": float("nan")}, {"conf": 1.1}, {"max_faces": 0}, {"imgsz": -640}])
def test_options_that_mean_nothing_are_refused(options):
    with pytest.raises(UserError, match="conf lies in 0 to 1, max_faces and imgsz are 1 or more, or None, not"):
        RetinaFace.from_file(**options)


@pytest.mark.parametrize(("frames", "came"), [("holiday.jpg", "str"), ([[[0, 0, 0]]], "list"), ([None], "NoneType")])
def test_what_is_no_array_is_refused(detector, frames, came):
    with pytest.raises(UserError, match=rf"a frame is an array \(H, W, 3\) uint8 RGB, not a {came}\."):
        detector(frames)


@pytest.mark.parametrize(("name", "value"), [
    ("backbone.stem.0.1.running_var", -1.0), ("backbone.stem.0.0.weight", 1e30), ("heads.1.scale", 1e25),
])  # fmt: skip
def test_a_network_whose_numbers_mean_nothing_is_refused(portrait, name, value):
    network = load_network(SHIPPED)
    network.state_dict()[name].fill_(value)
    with pytest.raises(UserError, match="numbers that mean nothing"):
        RetinaFace(network)([portrait])


def assert_as_batch_face(found, wanted) -> None:
    """batch-face gives the best anchor's landmarks, we the vote of all: those differ by a part of the face."""
    assert len(found) == len(wanted) > 0
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_allclose(a.box_xyxy, b.box_xyxy, atol=1)
        np.testing.assert_allclose(a.landmarks_xy, b.landmarks_xy, atol=0.04 * b.size)
        assert a.score == pytest.approx(b.score, abs=1e-3)


def test_same_weights_same_faces_as_batch_face(portrait, public_weights, tmp_path, capsys):
    pytest.importorskip("batch_face")
    from retinaface.batch_face import BatchFaceDetector

    theirs = BatchFaceDetector.from_file(public_weights, conf=0.3, imgsz=None)
    in_torch = RetinaFace.from_file(public_weights, conf=0.3, imgsz=None)
    assert "runs in torch, because there is no" in capsys.readouterr().err
    exported = export_weights(public_weights, tmp_path / "public.onnx")
    in_onnx = RetinaFace.from_file(exported, conf=0.3, imgsz=None)
    frames = [portrait, moved(portrait, 0.4, 20), np.tile(moved(portrait, 0.5, 0)[:200, :320], (2, 2, 1))]
    for ours in (in_torch, in_onnx):
        for a, b in zip(ours(frames), theirs(frames), strict=True):
            assert_as_batch_face(a, b)


@pytest.mark.parametrize("name", ["w.safetensors", "w.pth"])
def test_a_file_that_holds_no_weights_is_not_advised_to_be_exported(tmp_path, capsys, name):
    (tmp_path / name).write_text("no weights")
    with pytest.raises(UserError):
        RetinaFace.from_file(tmp_path / name)
    assert capsys.readouterr().err == ""


def test_threads_end_when_it_is_closed(portrait):
    before = threading.active_count()
    detector = RetinaFace.from_file(threads=2)
    detector([portrait, portrait])
    assert threading.active_count() > before
    detector.close()
    detector.close()
    assert threading.active_count() == before


@pytest.mark.parametrize(("imgsz", "sizes_hw"), [(640, [(360, 640), (180, 320), (90, 160)]), (None, [(360, 640)])])
def test_frames_are_made_ready_as_they_will_be_searched_also_for_large_faces(imgsz, sizes_hw):
    detector, asked = RetinaFace.from_file(engine="torch", imgsz=imgsz), []
    detector.engine.warm_up = lambda sizes, **how: asked.extend(sizes)
    detector.warm_up([(720, 1280)] if imgsz else [(360, 640)])
    assert asked[: len(sizes_hw)] == sizes_hw


def test_with_its_backbone_in_float16_the_shipped_network_finds_the_same_faces():
    detector = RetinaFace.from_file(engine="torch")
    engine, frame = detector.engine, torch.from_numpy(sample_frame(0)[None])
    first = [values.numpy() for values in engine._outputs(frame)]
    assert len(detector._faces(*(values[0] for values in first))) >= 3
    for how in alternatives(engine.network, amp=True):
        found = [values.numpy() for values in engine._outputs(frame, how)]
        assert detector._agree(first, found)
        assert (np.abs(found[0] - first[0]).max() > 1e-5) == (how.dtype is not None)
    scores, boxes, landmarks = first
    assert not detector._agree(first, [scores, boxes + 1, landmarks])
    assert not detector._agree(first, [scores, boxes, landmarks * np.nan])
    assert not detector._agree([scores * 0, boxes, landmarks], [scores * 0, boxes, landmarks])  # none to compare


def test_a_reduced_frame_is_a_mean_and_its_scale_is_that_of_each_axis():
    frame = np.zeros((2000, 30, 3), np.uint8)
    frame[:, ::3] = 240
    searched, scale = scaled(frame, 1 / 3.125)
    assert searched.shape == (640, 10, 3)
    np.testing.assert_allclose(scale, [30 / 10, 2000 / 640])
    assert np.abs(searched.astype(int) - 80).max() <= 2
