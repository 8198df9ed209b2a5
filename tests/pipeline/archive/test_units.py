"""Which sources go together."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from pipeline.archive.sources import Source
from pipeline.archive.stretches import Stretch
from pipeline.archive.units import MOST_BYTES, MOST_FILMS, MOST_PICTURES, Unit, stretches_folder, units_of


def sources(kind, count, size):
    return [(Source(f"/{kind}{i}", f"{kind}{i}", kind == "picture"), size) for i in range(count)]


def test_pictures_go_in_groups_and_small_films_too():
    given = sources("picture", 6450, 10**7) + sources("film", 25, 10) + sources("long", 2, MOST_BYTES)
    units = list(units_of(given))
    assert [len(unit.sources) for unit in units] == [MOST_PICTURES] * 64 + [50, MOST_FILMS, 5, 1, 1]
    assert [source for unit in units for source in unit.sources] == [source for source, _ in given]
    assert [unit.is_film for unit in units] == [False] * 67 + [True] * 2


@pytest.mark.parametrize(("count", "units"), [(1, 1), (6, 6), (64, 64), (300, 75), (1000, 67), (100_000, 1000)])
def test_few_sources_are_enough_for_many_cores(count, units):
    assert len(list(units_of(sources("picture", count, 1)))) == units


def test_keys_are_their_sources():
    first, second = sources("picture", 2, 1)
    assert Unit((first[0],)).key == Unit((first[0],)).key
    keys = {
        Unit((first[0],)).key,
        Unit((second[0],)).key,
        Unit((first[0], second[0])).key,
        Unit((first[0],), sha256="1").key,
        Unit((replace(first[0], own=("control",)),), sha256="1").key,  # whose rows hold them already
        Unit((replace(first[0], own=("treated",)),), sha256="1").key,
    }
    assert len(keys) == 6
    assert all(len(key) == 16 for key in keys)


def test_a_second_try_takes_each_source_alone_and_a_film_in_one_go():
    films = [source for source, _ in sources("film", 2, 1)]
    assert Unit(tuple(films)).alone() == [Unit((film,), whole=True) for film in films]
    assert Unit((films[0],)).alone() == [Unit((films[0],), whole=True)]
    (picture, _), *_ = sources("picture", 1, 1)
    assert Unit((picture,)).alone() == [Unit((picture,))]
    stretch = Stretch(1, 2, 9, None, 5, 0, Fraction(0), Fraction(0), None, 20, 20)
    cut = Unit((films[0],), stretch, "12")
    assert cut.alone() == [cut]
    assert not cut.is_film
    assert not Unit((films[0],), whole=True).is_film
    assert cut.name == f"{stretches_folder(films[0])}/{cut.key}/00001.parquet"
    assert cut.film.name == f"faces/part-{cut.key}.parquet"
