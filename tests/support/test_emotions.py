"""Every data set's words lead to the same eight names."""

from __future__ import annotations

import pytest

from support.emotions import EMOTIONS, SYNONYMS, canonical_name


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("Happy", "happiness"),  # FER2013
        ("joy", "happiness"),  # FERG
        ("Surprise", "surprise"),  # RAF-DB
        (" Angry ", "anger"),
        ("SAD", "sadness"),
        ("fearful", "fear"),
        ("NE", "neutral"),  # JAFFE
        ("Contempt", "contempt"),
    ],
)
def test_words_of_data_sets_map_to_names(word, name):
    assert canonical_name(word) == name


def test_an_unknown_word_stays_itself_in_lower_case():
    assert canonical_name(" Bored") == "bored"
    assert canonical_name("very\xa0 Happy") == "very happy"


def test_names_map_to_themselves_and_no_word_to_two():
    assert [canonical_name(name) for name in EMOTIONS] == list(EMOTIONS)
    assert SYNONYMS.keys() == set(EMOTIONS)
    words = [word for name, others in SYNONYMS.items() for word in (name, *others)]
    assert len(words) == len(set(words))
