"""Drawn faces: only brows, eyes and mouth tell the expression, and they stand where a crop has them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from data.cartoon_faces import EXPRESSIONS, EYES, MOUTH, NOSE, REGIONS, Expression, Look, cartoon_face, random_cartoon
from models.preprocess import CROP_TEMPLATE
from support.emotions import EMOTIONS


def test_every_expression_of_the_project_can_be_drawn():
    assert tuple(EXPRESSIONS) == EMOTIONS


def test_the_parts_of_a_face_are_where_a_crop_has_them():
    np.testing.assert_allclose([*EYES, NOSE], CROP_TEMPLATE[:3])
    np.testing.assert_allclose(MOUTH, CROP_TEMPLATE[3:].mean(axis=0))


@pytest.mark.parametrize(("one", "other"), list(itertools.combinations(EXPRESSIONS, 2)))
def test_two_expressions_differ_in_the_regions_and_nowhere_else(one, other):
    side = 100
    faces = [cartoon_face(EXPRESSIONS[name], size=side).astype(int) for name in (one, other)]
    differing = np.abs(faces[0] - faces[1]).max(axis=2) > 8
    assert differing.any()
    for (top, bottom), (left, right) in REGIONS.values():
        differing[round(top * side) : round(bottom * side), round(left * side) : round(right * side)] = False
    assert not differing.any()


def test_one_look_is_one_picture_and_another_look_another():
    again = [random_cartoon("fear", np.random.default_rng(3)) for _ in range(2)]
    assert np.array_equal(*again)
    assert again[0].shape == (48, 48, 3)
    assert again[0].dtype == np.uint8
    assert not np.array_equal(again[0], random_cartoon("fear", np.random.default_rng(4)))


def test_a_smile_is_dark_below_the_line_of_the_mouth_and_a_sad_mouth_above_it():
    side, middle = 200, round(MOUTH[1] * 200)
    corner = slice(round(0.3 * side), round(0.42 * side))  # the left end of the mouth

    def dark_rows(expression: Expression) -> np.ndarray:
        face = cartoon_face(expression, Look(skin=220), size=side)
        return np.flatnonzero((face[middle - 20 : middle + 30, corner].max(axis=2) < 90).any(axis=1)) + middle - 20

    assert dark_rows(Expression(smile=1.0)).min() < middle - 3
    assert dark_rows(Expression(smile=-1.0)).max() > middle + 3


def test_between_two_expressions():
    half = EXPRESSIONS["neutral"].mixed(EXPRESSIONS["anger"], 0.5)
    assert half.brow_tilt == pytest.approx(-0.5)
    assert EXPRESSIONS["fear"].mixed(EXPRESSIONS["anger"], 0.0) == EXPRESSIONS["fear"]
