import json
import re
from html.parser import HTMLParser
from pathlib import PurePosixPath
from posixpath import normpath

import numpy as np
import pytest

from bench.leaderboard.document import Board
from bench.leaderboard.generate import Leaderboard
from bench.leaderboard.site.charts import board_charts
from bench.leaderboard.site.pages import page_of, page_of_task, render_site
from bench.results.trusted import Trusted
from bench.scores.shares import shares
from tests.leaderboard.site.boards import HOSTILE

EARLY, LATE = "induction/early", "induction/late"

Site = dict[str, str]


@pytest.fixture(scope="module")
def site(board: Leaderboard, trusted: Trusted) -> Site:
    """The pages of a board."""
    return pages(board.board, board, trusted)


def pages(board: Board, generated: Leaderboard, trusted: Trusted) -> Site:
    """Render the pages of a board, as text."""
    found = render_site(board, generated.rows, trusted)
    return {path: text.decode() for path, text in found.items() if "vendor" not in path}


class Page(HTMLParser):
    """What a browser would make of a page: elements, links and visible text."""

    def __init__(self, text: str) -> None:
        """Read the whole page."""
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text: list[str] = []
        self.handlers: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take down an element and where it leads."""
        self.tags.append(tag)
        for name, value in attrs:
            if name in ("href", "src") and value:
                self.links.append(value)
            if name.startswith("on"):
                self.handlers.append(name)

    def handle_data(self, data: str) -> None:
        """Take down text."""
        self.text.append(data)


def charts(page: str) -> dict[str, dict]:
    """Read the specifications of a page."""
    found = re.search(r'id="charts">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def test_every_row_and_task_has_its_page(site: Site, board: Leaderboard) -> None:
    """There is a page for each, and the front page leads to all of them."""
    wanted = {page_of(row.method) for row in board.board.rows}
    wanted |= {page_of_task(EARLY), page_of_task(LATE)}

    assert {path for path in site if path.endswith(".html")} == wanted | {"index.html"}
    assert wanted <= set(Page(site["index.html"]).links)


def test_links_stay_within_the_site(
    site: Site, board: Leaderboard, trusted: Trusted
) -> None:
    """Every link leads to a file of the site; nothing is loaded from elsewhere."""
    files = set(render_site(board.board, board.rows, trusted))
    for path, text in site.items():
        if not path.endswith(".html"):
            continue
        for link in Page(text).links:
            if link.startswith("#"):
                continue
            assert ":" not in link
            assert normpath(PurePosixPath(path).parent / link) in files


def test_pages_allow_nothing_from_outside(site: Site) -> None:
    """A policy forbids what the pages do not need, whatever they hold."""
    for path, text in site.items():
        if path.endswith(".html"):
            assert "default-src 'none'; script-src 'self'" in text
            assert not Page(text).handlers


def test_charts_hold_the_board_s_numbers(site: Site, board: Leaderboard) -> None:
    """Skills and intervals are those of the board."""
    found = charts(site["index.html"])
    (data,) = {id(layer): layer for layer in [found["forest"]["data"]]}.values()
    by_method = {row["method"]: row for row in data["values"]}

    drawn = [row for row in board.board.rows if row.mean_skill is not None]
    assert set(by_method) == {row.method for row in drawn}
    for row in drawn:
        assert by_method[row.method]["skill"] == row.mean_skill
        low, high = row.interval or (None, None)
        assert by_method[row.method]["tasks low"] == low
        assert by_method[row.method]["tasks high"] == high


def test_wins_by_hand(board: Leaderboard) -> None:
    """Who is better on both of two tasks wins all of them, and the other none."""
    rows = [row for row in board.board.rows if row.method in ("eap-ig", "constant")]
    ranked = [row.model_copy(update={"rank_interval": (1, 2)}) for row in rows]
    found = board_charts(board.board.model_copy(update={"rows": tuple(ranked)}))
    wins = {(d["method"], d["other"]): d["wins"] for d in data_of(found["wins"])}

    assert wins == {("eap-ig", "constant"): 1.0, ("constant", "eap-ig"): 0.0}


def data_of(chart: object) -> list[dict]:
    """Return the values of a chart."""
    assert isinstance(chart, dict)
    return chart["data"]["values"]


def test_profiles_are_those_of_reference_and_method(
    site: Site, board: Leaderboard, trusted: Trusted
) -> None:
    """A method's page draws its shares over those of the reference."""
    found = data_of(charts(site[page_of("eap-ig")])["profile-0"])
    record = next(row for row in board.rows if row.method == "eap-ig").records[0]
    reference = trusted.references[record.task.id].promptwise
    drawn = [d for d in found if d["profile"] == "composition"]

    expected = shares(reference.profile("composition"))
    np.testing.assert_allclose([d["reference"] for d in drawn], expected, atol=6e-5)
    expected = shares(record.writes.values)
    np.testing.assert_allclose([d["method"] for d in drawn], expected, atol=6e-5)
    assert [d["section"] for d in drawn[:2]] == ["attn 0", "mlp 0"]


def test_only_what_can_be_drawn_is_offered(site: Site) -> None:
    """A method that found nothing has no points, and would take the bars along."""
    found = charts(site[page_of_task(EARLY)])["overlay"]
    (chosen,) = found["params"]

    assert chosen["value"] in chosen["bind"]["options"]
    assert set(chosen["bind"]["options"]) == {d["method"] for d in data_of(found)}
    assert "my-method" in chosen["bind"]["options"]
    assert "says-nothing" not in chosen["bind"]["options"]


def test_names_beside_costs_by_hand(board: Leaderboard) -> None:
    """Named are the cheapest and the best; no oracle, and none stands in the way."""
    fields = ("method", "kind", "mean_skill", "cost_forward_equivalents")
    wanted = [
        ("cheap", "builtin", 0.1, 1.0),
        ("worse", "builtin", 0.0, 2.0),
        ("best", "builtin", 0.5, 3.0),
        ("true", "oracle", 0.9, 1.0),
    ]
    rows = tuple(
        row.model_copy(update=dict(zip(fields, values, strict=True)))
        for row, values in zip(board.board.rows, wanted, strict=False)
    )
    found = board_charts(board.board.model_copy(update={"rows": rows}))

    named = {d["method"] for d in data_of(found["cost"]) if d["front"]}
    assert named == {"cheap", "best"}


def test_method_page_says_what_to_cite(site: Site, board: Leaderboard) -> None:
    """A built-in method's own words with its source, and the exact result."""
    own, other = site["methods/eap-ig.html"], site["methods/my-method.html"]

    assert "Source: Hanna et al. 2024 (arXiv 2403.17806)." in own
    assert "Known failure:" in own
    assert "<pre>" not in other
    row = next(row for row in board.rows if row.method == "my-method")
    digest = row.records[0].method.source_sha256[:16]
    assert f"source SHA-256 <code>{digest}</code>, evaluated {row.date}." in other
    assert "Cite" not in site["methods/constant.html"]


def test_task_page_shows_gates(site: Site, trusted: Trusted) -> None:
    """Every gate stands there with what was measured."""
    text = " ".join(Page(site[page_of_task(EARLY)]).text)

    for gate in trusted.references[EARLY].record.gates:
        assert gate.meaning in text
        assert f"{gate.measured:.4g}" in text


@pytest.mark.parametrize("name", [*HOSTILE, "../../escape"])
def test_hostile_names_are_text(
    name: str, board: Leaderboard, trusted: Trusted, site: Site
) -> None:
    """Whatever a method is called and says, it adds no element to a page."""
    rows = tuple(
        row.model_copy(update={"method": name, "summary": name, "undefined": name})
        if row.method == "my-method"
        else row
        for row in board.board.rows
    )
    found = pages(board.board.model_copy(update={"rows": rows}), board, trusted)

    assert re.fullmatch(r"methods/[a-z0-9-]+\.html", page_of(name))
    assert set(found) == set(site) - {page_of("my-method")} | {page_of(name)}
    for path in ("index.html", page_of_task(EARLY)):
        assert Page(found[path]).tags == Page(site[path]).tags
        assert name in Page(found[path]).text
    assert name in Page(found[page_of(name)]).text
    assert name in json.dumps(charts(found["index.html"]), ensure_ascii=False) or (
        '"' in name or "\\" in name
    )


def test_same_bytes_every_time(
    board: Leaderboard, trusted: Trusted, site: Site
) -> None:
    """Rendering again in the same process changes nothing: Altair counts its charts."""
    assert pages(board.board, board, trusted) == site
