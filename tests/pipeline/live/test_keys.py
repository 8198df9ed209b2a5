"""What `?` shows: every key that a session answers, and how it reads and computes."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

from pipeline.live import session
from pipeline.live.keys import KEYS, help_on


def test_every_key_that_does_something_is_listed():
    code = Path(session.__file__).read_text(encoding="utf-8")
    answered = set(re.findall(r'case "(.+?)"', code))
    assert answered | {"q / Esc"} == {key for key, _ in KEYS}


def test_help_tells_the_prior_and_how_a_card_computes():
    pipeline = SimpleNamespace(classifier=SimpleNamespace(prior="dataset"), computing=["faces: float16"])
    assert help_on(pipeline)[len(KEYS) :] == (
        ("--prior", "as frequent as in the data set"),
        ("--amp", "faces: float16"),
    )
