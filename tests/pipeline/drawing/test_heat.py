"""Heat where the crop was cut and nowhere else, as the explainers' own picture; many faces as each alone."""

import cv2
import numpy as np
import pytest
from helpers.turned_faces import CROP, noise, spot, turned_face
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from gradcam import blend
from pipeline.drawing.heat import groups, paint_heatmaps


def crop_coordinates(matrix, height, width):
    """(height, width, 2): where each pixel of the frame lies in the crop."""
    y, x = np.mgrid[:height, :width]
    return np.stack([matrix[i, 0] * x + matrix[i, 1] * y + matrix[i, 2] for i in (0, 1)], axis=-1)


def in_frame(heatmap, to_crop):
    """(240, 320): the heatmap where its crop was cut from, 0 elsewhere."""
    return cv2.warpAffine(heatmap, to_crop, (320, 240), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)


@pytest.mark.parametrize("centre", [(150, 120), (5, 10), (315, 230)])
@pytest.mark.parametrize("degrees", [0, 33, -75])
def test_heat_changes_nothing_outside_the_crop_square(centre, degrees):
    face = turned_face(centre, degrees=degrees, heatmap=np.ones((CROP, CROP), np.float32))
    frame = np.full((240, 320, 3), 90, np.uint8)
    canvas = frame.copy()
    paint_heatmaps(canvas, [face], alpha=0.5)
    place = crop_coordinates(face.to_crop, 240, 320)
    changed = (canvas != frame).any(axis=2)
    inside = ((place >= 0) & (place <= CROP - 1)).all(axis=2)
    outside = ((place <= -1) | (place >= CROP)).any(axis=2)  # between the two: the crop's last pixel fades out
    assert changed[inside].all()
    assert not changed[outside].any()


@pytest.mark.parametrize(
    ("heatmap", "alpha", "side"),
    [
        (np.zeros((CROP, CROP), np.float32), 1.0, 100),
        (spot(16, 16), 0.0, 100),
        (None, 1.0, 100),
        (spot(16, 16), 1.0, 0),  # landmarks that all lie in one place
    ],
)
def test_no_heat_no_strength_or_no_crop_leaves_every_pixel(heatmap, alpha, side):
    frame = noise(240, 320)
    canvas = frame.copy()
    paint_heatmaps(canvas, [turned_face((150, 120), side=side, degrees=20, heatmap=heatmap)], alpha=alpha)
    assert (canvas == frame).all()


@pytest.mark.parametrize("alpha", [0.3, 0.55, 1.0])
def test_heat_is_that_of_the_explainers_own_picture(alpha):
    """The overlay paints in whole numbers what `gradcam.blend` computes in floats."""
    heatmap = np.random.default_rng(1).random((CROP, CROP)).astype(np.float32)
    face, background = turned_face((150, 120), degrees=20, heatmap=heatmap), noise(240, 320)
    canvas = background.copy()
    paint_heatmaps(canvas, [face], alpha=alpha)
    whole = in_frame(heatmap, face.to_crop)
    away = np.abs(canvas.astype(int) - blend(background, whole, alpha=alpha))
    assert away.max() <= 8  # a step of one in 256 heights
    assert away.mean() < 0.5


def random_face(seed, centre, *, side=60):
    heatmap = np.random.default_rng(seed).random((CROP, CROP)).astype(np.float32)
    return turned_face(centre, side=side, degrees=25 * seed, heatmap=heatmap)


def painted(faces, background):
    canvas = background.copy()
    paint_heatmaps(canvas, faces, alpha=0.7)
    return canvas


def test_faces_that_do_not_overlap_are_painted_as_one_after_the_other():
    faces = [random_face(seed, (60 + 100 * (seed % 3), 60 + 120 * (seed // 3))) for seed in range(6)]
    one_by_one = noise(240, 320)
    for face in faces:
        one_by_one = painted([face], one_by_one)
    np.testing.assert_array_equal(painted([*faces, turned_face((9, 9))], noise(240, 320)), one_by_one)


def test_where_crops_overlap_the_higher_heat_is_painted_whatever_the_order():
    background, faces = noise(240, 320), [random_face(1, (130, 110), side=100), random_face(2, (165, 130), side=100)]
    first, second = (in_frame(face.heatmap, face.to_crop) for face in faces)
    alone = [painted([face], background).astype(int) for face in faces]
    wanted = np.where((first > second)[..., None], *alone)
    together = painted(faces, background)
    assert ((first > 0) & (second > 0)).sum() > 1000
    differs = np.abs(first - second) < 2 / 255  # in whole heights they may be the same, or the other way round
    np.testing.assert_array_equal(together[~differs], wanted[~differs])
    np.testing.assert_array_equal(painted(faces[::-1], background), together)


def test_rectangles_are_grouped_along_chains_of_overlaps():
    rects = np.array([
        [0, 0, 10, 10], [20, 0, 30, 10], [8, 2, 22, 4], [30, 0, 40, 10],  # the third joins the first two; the fourth
        [50, 50, 50, 60], [50, 50, 60, 60], [0, 9, 1, 12],  # only touches; the fifth is empty; the last meets the first
    ])  # fmt: skip
    assert groups(rects) == [[0, 1, 2, 6], [3], [5]]
    assert groups(np.empty((0, 4), int)) == []


def test_groups_of_many_rectangles_are_the_connected_ones(rng):
    corners = rng.integers(0, 250, (150, 2))
    rects = np.hstack([corners, corners + rng.integers(1, 30, (150, 2))])
    low, high = rects[:, None, :2], rects[None, :, 2:]
    meets = (low < high).all(axis=2)
    count, labels = connected_components(csr_matrix(meets & meets.T), directed=False)
    wanted = [np.flatnonzero(labels == i).tolist() for i in range(count)]
    assert sorted(groups(rects)) == sorted(wanted)
    assert max(map(len, wanted)) > 5
