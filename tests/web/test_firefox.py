"""Firefox opens the page and finds the sample's faces: the page is not made for one browser."""

from __future__ import annotations

import pytest
from helpers.browsers.firefox import Firefox

pytestmark = [pytest.mark.long, pytest.mark.thorough]


def test_firefox_finds_the_faces_of_the_sample(site):
    with Firefox() as browser:
        browser.call("WebDriver:Navigate", url=site.address)
        browser.wait_for("document.body.dataset.ready === 'yes'")
        browser.evaluate("document.getElementById('sample').click()")
        browser.wait_for("Number(document.getElementById('stage').dataset.frames) > 1")
        assert browser.evaluate("document.getElementById('stage').dataset.faces") == "4"
        assert "happiness" in browser.evaluate("document.getElementById('spoken').textContent")
