"""Room for labels and bars: inside the frame, on no other face, label or panel, and where they were previous."""

import itertools

import numpy as np
import pytest
from helpers.placed_labels import FRAME, SIZE, face, placed

from pipeline.drawing.layout import visible_box
from pipeline.drawing.primitives import Rect


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
        assert not rect.intersects(box)
    assert not label.rect.intersects(bars.rect)


@pytest.mark.parametrize("count", [2, 5, 12, 30])
def test_nothing_covers_another_face_label_or_panel(count):
    rng = np.random.default_rng(count)
    for _ in range(10):
        corners = rng.uniform(-30, 600, (count, 2)) * [1, 0.75]
        sizes = rng.uniform(12, 700 / count, (count, 1)) * [1, 1.3]
        faces = [face((*corner, *(corner + size))) for corner, size in zip(corners, sizes, strict=True)]
        bounds, occupied = Rect(5, 40, 635, 445), [Rect(200, 400, 440, 440)]
        boxes, labels, panels = placed(faces, bounds=bounds, occupied=occupied)
        rects = [label.rect for label in labels if label] + [panel.rect for panel in panels]
        assert all(rect.inside(bounds) for rect in rects)
        assert not any(one.intersects(other) for one, other in itertools.combinations([*rects, *occupied], 2))
        for label, box in zip(labels, boxes, strict=True):
            assert not label or not any(label.rect.intersects(other) for other in boxes if other is not box)
        for panel in panels:
            owner = faces.index(panel.face)
            near = [rect for rect in (boxes[owner], labels[owner] and labels[owner].rect) if rect]
            assert any(panel.rect.padded(SIZE).intersects(rect) for rect in near), "a panel belongs to nobody"


def test_a_crowd_gets_short_labels_and_small_faces_no_bars():
    faces = [face((60 + 200 * i, 60 + 100 * j, 90 + 200 * i, 100 + 100 * j)) for i in range(3) for j in range(3)]
    _, labels, panels = placed(faces)
    assert [words(label) for label in labels] == ["happiness 82 %"] * 9
    assert panels == []


def test_a_label_without_room_gets_shorter_and_then_stays_away():
    one = face((300, 200, 340, 240))
    walls = [Rect(0, 0, 640, 150), Rect(0, 290, 640, 480)]
    assert words(placed([one], occupied=[*walls, Rect(440, 150, 640, 290)])[1][0]) == "happiness 82 %"
    assert words(placed([one], occupied=[*walls, Rect(405, 150, 640, 290)])[1][0]) == "happiness"
    assert placed([one], occupied=[*walls, Rect(345, 150, 640, 290)])[1] == [None]


def test_a_face_that_fills_the_frame_is_labelled_inside_and_hardly_covered():
    (box,), (label,), (bars,) = placed([face((60, -20, 580, 500))])
    assert label.rect.inside(box)
    assert bars.rect.inside(FRAME)
    assert bars.rect.intersection(box).area <= 0.2 * box.area


def test_boxes_outside_of_the_frame_shrink_to_its_edge():
    assert visible_box(face((-50, 100, -10, 200)), FRAME) == Rect(0, 100, 1, 200)
    assert visible_box(face((630, 470, 900, 900)), FRAME) == Rect(630, 470, 640, 480)
    assert visible_box(face((700, 500, 800, 600)), FRAME) == Rect(639, 479, 640, 480)


def test_an_occupied_position_is_given_up():
    one = face((200, 150, 300, 280), track=7)
    previous = ({7: "below"}, {7: "left, top"})
    (box,), (label,), (bars,) = placed([one], previous=previous, occupied=[Rect(0, 0, 640, 122)])
    assert label.rect.top > box.bottom
    assert bars.rect.right < box.left
    walls = [Rect(0, 100, 195, 400), Rect(150, 285, 400, 400)]
    (box,), (label,), (bars,) = placed([one], previous=previous, occupied=walls)
    assert label.rect.bottom < box.top
    assert bars.rect.left > box.right
    assert (label.position, bars.position, bars.face.track) == ("above", "right, top", 7)


def test_a_slightly_larger_face_takes_nobodys_position():
    left, right = (160, 150, 260, 280), (410, 150, 510, 280)  # between them is room for the bars of one
    wall = [Rect(515, 0, 640, 480), Rect(0, 0, 155, 480)]
    previous, owners = ({}, {}), []
    for frame in range(10):
        delta = 0.5 if frame % 2 else -0.5
        faces = [face(left, track=1), face((*right[:3], right[3] + delta), track=2)]
        _, _, panels = placed(faces, previous=previous, occupied=wall)
        previous = ({}, {panel.face.track: panel.position for panel in panels})
        owners.append([panel.face.track for panel in panels if panel.rect.left > 260 and panel.rect.right < 410])
    assert owners == owners[:1] * 10


def test_a_label_goes_up_again_only_where_there_is_ample_room():
    one = face((200, 150, 300, 280), track=7)
    previous = ({7: "below"}, {})
    _, (label,), _ = placed([one], previous=previous)
    assert label.position == "above"
    ceiling = Rect(0, 0, 640, label.rect.top - 2)  # free, but only just
    _, (label,), _ = placed([one], previous=previous, occupied=[ceiling])
    assert label.position == "below"
    _, (label,), _ = placed([one], occupied=[ceiling])
    assert label.position == "above"


@pytest.mark.parametrize("larger", [1, 2])
def test_where_there_is_room_for_the_bars_of_one_the_larger_face_has_them(larger):
    walls = [Rect(505, 0, 640, 480), Rect(0, 0, 95, 480)]
    faces = [
        face((left, 150, left + 100, 340 if track == larger else 310), track=track)
        for track, left in ((1, 100), (2, 400))
    ]
    _, _, panels = placed(faces, occupied=walls)
    assert [panel.face.track for panel in panels if panel.rect.left > 200 and panel.rect.right < 400] == [larger]
