"""The section of the first page that says what was corrected."""

import pytest

from bench.leaderboard.generate import Leaderboard, with_errata
from bench.leaderboard.site.pages import render_site
from bench.results.erratum_record import Erratum, ErratumRow, Versions
from bench.results.trusted import Trusted

pytestmark = pytest.mark.usefixtures("few_resamples")


def test_errata_on_the_first_page(board: Leaderboard, trusted: Trusted) -> None:
    """The latest comes first, undefined is n/a, and no reason is markup."""
    one, two, three = (
        Versions(scores=number, suite="1.0", tasks={}) for number in (1, 2, 3)
    )
    row = ErratumRow(method="my-method", digest="a" * 64, before=None, after=0.25)
    errata = (
        Erratum(reason="<b>First</b>", before=one, after=two, rows=(row,)),
        Erratum(reason="Second", before=two, after=three, rows=()),
    )
    shown = with_errata(board, errata)
    page = render_site(shown.board, shown.rows, trusted)["index.html"]
    text = page.decode() if isinstance(page, bytes) else page

    section = text.partition('id="errata"')[2]
    assert section.index("<h3>0002</h3>") < section.index("<h3>0001</h3>")
    assert "No number on the leaderboard moved." in section
    assert "&lt;b&gt;First&lt;/b&gt;" in section
    assert '<td class="number">n/a</td><td class="number">0.25</td>' in section


def test_no_section_without_errata(board: Leaderboard, trusted: Trusted) -> None:
    """A board that was never corrected does not speak of it."""
    page = render_site(board.board, board.rows, trusted)["index.html"]
    text = page.decode() if isinstance(page, bytes) else page

    assert "errata" not in text
