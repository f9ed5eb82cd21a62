"""One board for all tests of the site, and one browser: to be read, not changed."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome

from bench.leaderboard.generate import Leaderboard
from bench.leaderboard.site.pages import render_site
from bench.leaderboard.site.write import write_site
from bench.methods.catalogue import built_in
from bench.results.trusted import Trusted
from bench.scores import bootstrap
from tests.leaderboard.site.boards import make_board, with_hostile_names
from tests.leaderboard.site.visitor import Visitor, start

MISSING = "no Chromium here: apt install chromium chromium-driver"


@pytest.fixture(scope="session")
def trusted(repository_template: Path) -> Trusted:
    """What the synthetic repository trusts."""
    return Trusted(repository_template, built_in=frozenset(built_in()))


@pytest.fixture(scope="session")
def board(trusted: Trusted) -> Leaderboard:
    """A board of five methods and the nulls."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bootstrap, "N_RESAMPLES", 2)  # nobody looks at intervals
        return make_board(trusted)


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """Chromium without a window."""
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if binary is None or driver is None:
        pytest.skip(MISSING)
    browser = start(binary, driver, profile=tmp_path_factory.mktemp("profile"))
    yield browser
    browser.quit()


@pytest.fixture(scope="session")
def visitor(
    chromium: Chrome,
    board: Leaderboard,
    trusted: Trusted,
    tmp_path_factory: pytest.TempPathFactory,
) -> Visitor:
    """Somebody who looks at the pages of the board, hostile names among them."""
    folder = tmp_path_factory.mktemp("site")
    hostile = with_hostile_names(board)
    write_site(render_site(hostile.board, hostile.rows, trusted), folder)
    return Visitor(chromium, folder)
