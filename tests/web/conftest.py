"""What the tests of the page share: the site, written once a run, and a Chromium that has opened it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.browsers.chromium import Chromium
from helpers.browsers.page import close_source, open_page

from web.export import export
from web.runtime import is_there
from web.serve import Site


@pytest.fixture(scope="session")
def site_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The static folder; tests are skipped where onnxruntime-web was not fetched, because tests fetch nothing."""
    if not is_there():
        pytest.skip("needs onnxruntime-web: cd web && npm ci")
    return export(tmp_path_factory.mktemp("web") / "site")


@pytest.fixture(scope="session")
def site(site_folder: Path) -> Iterator[Site]:
    """The server, with a log of what was asked for."""
    with Site(site_folder) as site:
        yield site


@pytest.fixture(scope="session")
def opened_page(site: Site) -> Iterator[Chromium]:
    """Chromium with the page open, its networks loaded; with two fake cameras that may be used."""
    with Chromium("--use-fake-device-for-media-stream=device-count=2", "--use-fake-ui-for-media-stream") as browser:
        browser.resize(1280, 800)
        open_page(browser, site)
        yield browser


@pytest.fixture
def page(opened_page: Chromium) -> Iterator[Chromium]:
    """The page for one test: with no source at its start, and at rest after it."""
    close_source(opened_page)
    opened_page.console.clear()
    yield opened_page
    close_source(opened_page)


@pytest.fixture
def downloads(page: Chromium, tmp_path: Path) -> Path:
    """Where the page saves."""
    folder = tmp_path / "downloads"
    folder.mkdir()
    page.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
    return folder
