"""about.json: what live.py and the files say, and no number of it a second time in the page."""

from __future__ import annotations

import json
import re

import pytest
from helpers.paths import ROOT

from live import Settings
from models.checkpoint import SHIPPED, load_checkpoint
from pipeline.drawing.labels import PALETTE
from pipeline.live.keys import KEYS
from retinaface.defaults import IMGSZ
from support import UserError
from web import about as module
from web.about import about


def test_defaults_are_those_of_live():
    told = about()
    assert told["page"]["imgsz"] == IMGSZ
    assert told["detector"]["max_faces"] == Settings.max_faces
    assert told["detector"]["conf"] == Settings.conf
    assert told["tracking"]["smooth_s"] == Settings.smooth_s
    assert told["drawing"]["alpha"] == Settings.alpha
    shares = "the share of a crowd's votes that an expression would get"
    assert told["percentages"] == f"Percentages: {shares}; all expressions taken as equally frequent."


def test_names_colours_and_keys_are_pythons():
    told = json.loads(json.dumps(about()))
    assert told["classifier"]["class_names"] == list(load_checkpoint(SHIPPED).class_names)
    assert {name: tuple(colour) for name, colour in told["drawing"]["palette"].items()} == PALETTE
    own = {"space", "q / Esc", "c"}
    assert {key: words for key, words in told["keys"] if key not in own}.items() <= dict(KEYS).items()


def test_the_page_has_the_twin_of_every_explainer():
    table = (ROOT / "web/page/analysis/gradcam.js").read_text().split("export const EXPLAINERS = {")[1].split("\n};")[0]
    assert re.findall(r'^  "?([\w+]+)"?: ', table, re.MULTILINE) == about()["explainers"]


@pytest.mark.parametrize(
    "number", ["0.326", "0.377", "0.586", "0.754", "0.299", "0.587", "0.114", "1e-6", "0.55", "0.22"]
)
def test_numbers_are_not_written_twice(number):
    for path in (ROOT / "web" / "page").rglob("*.js"):
        code = re.sub(r"/\*.*?\*/|//[^\n]*", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        assert not re.search(rf"(?<![\d.]){re.escape(number)}(?!\d)", code), path


def test_words_are_not_written_twice():
    pages = [path.read_text(encoding="utf-8") for path in (ROOT / "web" / "page").rglob("*.*")]
    told = about()
    assert not any(told["notice"] in page for page in pages)
    for name in told["classifier"]["class_names"]:
        assert not any(re.search(rf"[\"'`]{name}[\"'`]", page) for page in pages)


def test_a_network_that_the_page_cannot_explain_is_refused(monkeypatch):
    real = module.load_session

    def without_head(path, **options):
        session = real(path, **options)
        session.metadata = session.metadata | ({"head": None} if "head" in session.metadata else {})
        return session

    monkeypatch.setattr(module, "load_session", without_head)
    with pytest.raises(UserError, match=r"explains networks in closed form, which .* does not allow"):
        about()
