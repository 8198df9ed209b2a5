"""Labels and bars: they say what the result says, lie in the frame, and cover no other face, label or panel."""

import itertools

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

from pipeline.panel import (
    PALETTE,
    QUIET,
    TRACK,
    colour_of,
    paint_bars,
    paint_label,
    place_bars,
    place_labels,
    visible_box,
)
from pipeline.plates import Rect, paint_heat_scale
from pipeline.run import FaceResult
from retinaface.face import Face

NAMES = tuple(PALETTE)
FRAME, SIZE = Rect(0, 0, 640, 480), 14

# What the three kinds of colour-blind eyes make of linear RGB (Machado et al. 2009, severity 1.0).
EYES = {
    "trichromat": np.eye(3),
    "protanope": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranope": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanope": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}


def face(box_xyxy, *, label="happiness", confidence=0.82, names=NAMES, explained=None):
    probabilities = np.full(len(names), (1 - confidence) / max(1, len(names) - 1), np.float32)
    probabilities[names.index(label)] = confidence
    found = Face(np.array(box_xyxy, np.float32), np.zeros((5, 2), np.float32), 0.9)
    return FaceResult(found, probabilities, label, confidence, None, explained, np.zeros((2, 3)))


def placed(faces, *, names=NAMES, bounds=FRAME, taken=()):
    boxes = [visible_box(one, FRAME) for one in faces]
    common = {
        "boxes": boxes,
        "colours": [colour_of(one.label, names.index(one.label)) for one in faces],
        "bounds": bounds,
        "taken": taken,
        "size": SIZE,
    }
    labels = place_labels(faces, **common)
    return boxes, labels, place_bars(faces, class_names=names, labels=labels, heat=True, **common)


def words(label):
    return " ".join(text for text, _, _ in label.pieces)


def test_a_face_with_room_gets_the_whole_sentence_above_and_bars_at_its_right():
    (box,), (label,), (bars,) = placed([face((200, 150, 300, 280))])
    assert words(label) == "looks like happiness 82 %"
    assert label.rect.left == box.left
    assert label.rect.bottom < box.top
    assert bars.rect.left > box.right
    assert bars.rect.top == box.top


@pytest.mark.parametrize("corner", list(itertools.product((0, 540), (0, 360))))
def test_faces_in_the_corners_keep_label_and_bars_inside(corner):
    x, y = corner
    (box,), (label,), (bars,) = placed([face((x - 15, y - 15, x + 115, y + 135))])
    for rect in (label.rect, bars.rect):
        assert rect.inside(FRAME)
        assert not rect.touches(box)
    assert not label.rect.touches(bars.rect)


@pytest.mark.parametrize("count", [2, 5, 12, 30])
def test_nothing_covers_another_face_label_or_panel(count):
    rng = np.random.default_rng(count)
    for _ in range(10):
        corners = rng.uniform(-30, 600, (count, 2)) * [1, 0.75]
        sizes = rng.uniform(12, 700 / count, (count, 1)) * [1, 1.3]
        faces = [face((*corner, *(corner + size))) for corner, size in zip(corners, sizes, strict=True)]
        bounds, taken = Rect(5, 40, 635, 445), [Rect(200, 400, 440, 440)]
        boxes, labels, panels = placed(faces, bounds=bounds, taken=taken)
        rects = [label.rect for label in labels if label] + [panel.rect for panel in panels]
        assert all(rect.inside(bounds) for rect in rects)
        assert not any(one.touches(other) for one, other in itertools.combinations([*rects, *taken], 2))
        for label, box in zip(labels, boxes, strict=True):
            assert not label or not any(label.rect.touches(other) for other in boxes if other is not box)


@pytest.mark.parametrize("count", [2, 4, 6])
def test_bars_stay_beside_their_own_face(count):
    rng = np.random.default_rng(count)
    for _ in range(20):
        corners = rng.uniform(0, 520, (count, 2)) * [1, 0.75]
        faces = [face((*corner, *(corner + [70, 90]))) for corner in corners]
        boxes, labels, panels = placed(faces)
        for panel in panels:
            owner = next(i for i, one in enumerate(faces) if one.probabilities is panel.probabilities)
            near = [rect for rect in (boxes[owner], labels[owner] and labels[owner].rect) if rect]
            reach = Rect(
                panel.rect.left - SIZE, panel.rect.top - SIZE, panel.rect.right + SIZE, panel.rect.bottom + SIZE
            )
            assert any(reach.touches(rect) for rect in near), "a panel on its own belongs to nobody"


def test_a_crowd_gets_short_labels_and_small_faces_no_bars():
    faces = [face((60 + 200 * i, 60 + 100 * j, 90 + 200 * i, 100 + 100 * j)) for i in range(3) for j in range(3)]
    _, labels, panels = placed(faces)
    assert [words(label) for label in labels] == ["happiness 82 %"] * 9
    assert panels == []


def test_a_label_without_room_gets_shorter_and_then_stays_away():
    one = face((300, 200, 340, 240))
    walls = [Rect(0, 0, 640, 150), Rect(0, 290, 640, 480)]
    assert words(placed([one], taken=[*walls, Rect(440, 150, 640, 290)])[1][0]) == "happiness 82 %"
    assert words(placed([one], taken=[*walls, Rect(405, 150, 640, 290)])[1][0]) == "happiness"
    assert placed([one], taken=[*walls, Rect(345, 150, 640, 290)])[1] == [None]


def test_a_face_that_fills_the_frame_is_labelled_inside_and_hardly_covered():
    (box,), (label,), (bars,) = placed([face((60, -20, 580, 500))])
    assert label.rect.inside(box)
    assert bars.rect.inside(FRAME)
    assert bars.rect.overlap(box) <= 0.2 * box.width * box.height


def test_bars_are_as_long_as_the_probabilities():
    *_, (bars,) = placed([face((200, 150, 300, 280), label="surprise", confidence=0.65)])
    canvas = np.zeros((480, 640, 3), np.uint8)
    paint_bars(canvas, bars)
    half = bars.rect._replace(left=bars.rect.left + bars.rect.width // 2).of(canvas)  # without the names
    top, other, track = (
        (half == colour).all(axis=2).sum(axis=1).max() for colour in (PALETTE["surprise"], QUIET, TRACK)
    )
    full = track + other
    assert top == pytest.approx(0.65 * full, abs=1)
    assert other == pytest.approx(0.05 * full, abs=1)


def test_the_explained_class_is_marked_in_its_row():
    faces = [face((200, 150, 300, 280), explained=name) for name in (None, "neutral", "contempt")]
    pictures = []
    for one in faces:
        *_, (bars,) = placed([one])
        pictures.append(np.zeros((480, 640, 3), np.uint8))
        paint_bars(pictures[-1], bars)
    scale = np.zeros((20, 4, 3), np.uint8)
    paint_heat_scale(scale, Rect(0, 0, 4, 20))
    for picture, third in ((pictures[1], slice(0, 1)), (pictures[2], slice(2, 3))):
        rows, columns = np.nonzero((picture != pictures[0]).any(axis=2))
        assert columns.max() < bars.rect.left + 0.5 * SIZE
        part = int(3 * (rows.mean() - bars.rect.top) / bars.rect.height)
        assert part == third.start
        assert (picture == scale[0, 0]).all(axis=2).any()  # the colour of the highest heat


def test_painting_stays_on_the_plates():
    _, (label,), (bars,) = placed([face((200, 150, 300, 280), explained="fear")])
    canvas = np.full((480, 640, 3), 255, np.uint8)
    paint_label(canvas, label)
    paint_bars(canvas, bars)
    assert tuple(canvas[(label.rect.top + label.rect.bottom) // 2, label.rect.left + 4]) == PALETTE["happiness"]
    for rect in (label.rect, bars.rect):
        rect.of(canvas)[:] = 255
    assert (canvas == 255).all()


def test_names_of_any_script_and_length():
    names = ("Überraschung", "悲しみ", "a name that goes on and on and on", "\udc80\n")
    for label in names:
        *_, (drawn,), (bars,) = placed([face((200, 150, 300, 280), label=label, names=names)], names=names)
        canvas = np.zeros((480, 640, 3), np.uint8)
        paint_label(canvas, drawn)
        paint_bars(canvas, bars)
        for rect in (drawn.rect, bars.rect):
            rect.of(canvas)[:] = 0
        assert not canvas.any()


def test_boxes_outside_of_the_frame_shrink_to_its_edge():
    assert visible_box(face((-50, 100, -10, 200)), FRAME) == Rect(0, 100, 1, 200)
    assert visible_box(face((630, 470, 900, 900)), FRAME) == Rect(630, 470, 640, 480)
    assert visible_box(face((700, 500, 800, 600)), FRAME) == Rect(639, 479, 640, 480)


def test_unknown_names_take_colours_by_their_index():
    assert [colour_of(f"class {i}", i) for i in range(8)] == list(PALETTE.values())
    assert colour_of("class 9", 9) == colour_of("class 1", 1)


@pytest.mark.parametrize("eye", EYES)
def test_every_two_colours_differ_for_colour_blind_eyes(eye):
    encoded = np.array(list(PALETTE.values())) / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.array(EYES[eye]).T, 0, 1)
    lab = rgb2lab(np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055)[None])[0]
    assert min(deltaE_ciede2000(one, other) for one, other in itertools.combinations(lab, 2)) > 11
    luminance = linear @ [0.2126, 0.7152, 0.0722]
    plate = ((64 / 255 + 0.055) / 1.055) ** 2.4  # on white ground
    assert ((luminance + 0.05) / (plate + 0.05)).min() >= 3  # WCAG 2.2, 1.4.11: graphics
