"""Every kind of page in a real browser: what loads, leads, is drawn and can be read."""

from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any
from urllib.parse import urldefrag

import pytest
from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select

from bench.leaderboard.site.pages import page_of, page_of_task
from tests.leaderboard.site.boards import HOSTILE, LONG, METHODS
from tests.leaderboard.site.visitor import Scheme, Visitor

TASK = page_of_task("induction/early")
KINDS = ["index.html", page_of("eap-ig"), TASK]
PHONE = 390
CONTRAST = (Path(__file__).parent / "contrast.js").read_text()
LINKS = "return [...document.querySelectorAll('a')].map((a) => a.href)"
TARGETS = "return [...document.querySelectorAll('[id]')].map((found) => found.id)"

OVERFLOWS = """
const place = arguments[0] ?? document.documentElement;
return place.scrollWidth - place.clientWidth;
"""
PLOT = """
return arguments[0].querySelector(".background").getBoundingClientRect().width;
"""
NAMES = """
return [...arguments[0].querySelectorAll("text")].map((found) => found.textContent);
"""
INK = """
const found = document.querySelector(".chart:last-of-type text");
return found && getComputedStyle(found).fill;
"""
MARKS = """
return [...document.querySelectorAll(".chart")].map((chart) => {
  const svg = chart.querySelector("svg");
  return [chart.id, svg?.clientWidth ?? 0, svg?.querySelectorAll(".mark-rect path, "
    + ".mark-symbol path, .mark-rule line, .mark-line path").length ?? 0];
});
"""
POINTS = """
return [...document.querySelectorAll("#chart-overlay .mark-symbol path")]
  .map((point) => point.getAttribute("transform"));
"""
POINT_OF = """
return [...document.querySelectorAll("#chart-forest .mark-symbol path")]
  .find((point) => point.getAttribute("aria-label")?.includes(arguments[0]));
"""
TOOLTIP = """
return document.getElementById("vg-tooltip-element")?.textContent ?? "";
"""
BRIGHT = """
const paper = getComputedStyle(document.body).backgroundColor.match(/\\d+/g);
return Math.min(...paper) > 127;
"""
FOCUS = """
const found = document.activeElement, style = getComputedStyle(found);
return [found.tagName, found.textContent.trim().slice(0, 40), style.outlineStyle,
  parseFloat(style.outlineWidth), found.getBoundingClientRect().left];
"""


@pytest.mark.parametrize("page", KINDS)
def test_nothing_fails_and_nothing_leaves(page: str, visitor: Visitor) -> None:
    """The console stays empty, and all that a page loads is a file beside it."""
    visitor.open(page)

    assert visitor.messages() == []
    asked = visitor.requests()
    assert visitor.address(page) in asked
    assert visitor.address("static/vendor/vega.min.js") in asked
    assert [
        url for url in asked if not url.startswith(("file:", "data:", "blob:"))
    ] == []


def test_every_link_arrives(visitor: Visitor) -> None:
    """On every page, links lead to pages of the site, and to places on them."""
    targets: dict[str, list[str]] = {}
    links: list[tuple[str, str]] = []
    for file in sorted(visitor.folder.rglob("*.html")):
        visitor.open_bare(file.relative_to(visitor.folder).as_posix())
        targets[file.as_uri()] = visitor.run(TARGETS)
        links += [(file.name, link) for link in visitor.run(LINKS)]

    assert len(targets) > len(METHODS) + len(HOSTILE)
    for _, link in links:
        place, fragment = urldefrag(link)
        assert place in targets
        assert not fragment or fragment in targets[place]


@pytest.mark.parametrize(
    ("text", "page"), [("eap-ig", page_of("eap-ig")), ("induction/early", TASK)]
)
def test_links_are_followed(text: str, page: str, visitor: Visitor) -> None:
    """One press leads from the board to a method and to a task, and one back."""
    visitor.open("index.html")
    visitor.driver.find_element(By.LINK_TEXT, text).click()
    visitor.wait(lambda: visitor.page() == page)
    assert visitor.driver.find_element(By.TAG_NAME, "h1").text.startswith(text)

    visitor.driver.find_element(By.LINK_TEXT, "Leaderboard").click()
    visitor.wait(lambda: visitor.page() == "index.html")


@pytest.mark.parametrize("page", KINDS)
def test_charts_are_drawn(page: str, visitor: Visitor) -> None:
    """Every place of a chart holds a picture that shows something."""
    visitor.open(page)
    found = visitor.run(MARKS)

    assert len(found) >= 2
    for name, pixels, marks in found:
        assert pixels > 200, name
        assert marks > 0, name


def test_a_method_is_chosen(visitor: Visitor) -> None:
    """Of all methods that found something, the points are those of the chosen one."""
    visitor.open(TASK)
    choice = Select(visitor.driver.find_element(By.TAG_NAME, "select"))
    offered = [option.get_property("value") for option in choice.options]
    before = visitor.run(POINTS)
    assert set(offered) == {*METHODS, *HOSTILE} - {"says-nothing"}

    choice.select_by_value("attribution-patching")
    visitor.wait(lambda: visitor.run(POINTS) != before)
    assert len(visitor.run(POINTS)) == len(before)


@pytest.mark.parametrize("page", [*KINDS, page_of(LONG)])
def test_pages_fit_a_phone(page: str, visitor: Visitor) -> None:
    """Tables and charts scroll in their own places; the page never does."""
    visitor.open(page, width=PHONE)

    assert visitor.run("return innerWidth") == PHONE
    assert visitor.run(OVERFLOWS) <= 0


def test_forest_fits_a_phone(visitor: Visitor) -> None:
    """Every name is to be read in full beside its line, without scrolling."""
    visitor.open("index.html", width=PHONE)
    (forest,) = visitor.driver.find_elements(By.ID, "chart-forest")
    names = visitor.run(NAMES, forest)

    assert set(METHODS) - set(names) == {"says-nothing"}
    assert visitor.run(OVERFLOWS, forest) <= 0
    assert visitor.run(PLOT, forest) > 0.85 * PHONE


def test_scheme_changes_at_once(visitor: Visitor) -> None:
    """Who turns dark in the evening gets new charts, and no second list of methods."""
    visitor.open(TASK)
    ink = visitor.run(INK)
    visitor.look(width=1280, scheme="dark")
    visitor.wait(lambda: visitor.run(INK) not in (ink, None))

    assert len(visitor.driver.find_elements(By.TAG_NAME, "select")) == 1
    assert visitor.messages() == []


@pytest.mark.parametrize("page", KINDS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_can_be_read(page: str, scheme: Scheme, visitor: Visitor) -> None:
    """In both schemes each text has the contrast that WCAG 2 asks for, charts too."""
    visitor.open(page, scheme=scheme)
    found = visitor.run(CONTRAST)

    assert visitor.run(BRIGHT) == (scheme == "light")
    assert len(found) > 50
    assert [(text, ratio) for text, ratio in found if ratio < 4.5] == []


@pytest.mark.parametrize("page", ["index.html", TASK])
def test_hostile_names_are_text(page: str, visitor: Visitor) -> None:
    """Whatever a method is called stands in the table, and no script of it runs."""
    visitor.open(page)
    cells = visitor.driver.find_elements(By.CSS_SELECTOR, "tbody th bdi")
    shown = [cell.get_property("textContent") for cell in cells]

    assert set(HOSTILE) <= set(shown)
    assert visitor.run("return typeof window.hacked") == "undefined"
    assert visitor.messages() == []


@pytest.mark.parametrize("name", HOSTILE[:3])
def test_hostile_names_in_charts(name: str, visitor: Visitor) -> None:
    """What pops up beside a point of the chart is text, too."""
    visitor.open("index.html")
    point = visitor.run(POINT_OF, name)
    ActionChains(visitor.driver).move_to_element(point).perform()
    visitor.wait(lambda: name in visitor.run(TOOLTIP))

    assert visitor.run("return typeof window.hacked") == "undefined"
    assert visitor.messages() == []


@pytest.mark.parametrize("name", HOSTILE)
def test_page_of_a_hostile_name(name: str, visitor: Visitor) -> None:
    """Its own page is titled with the very text."""
    visitor.open(page_of(name))
    (title,) = visitor.driver.find_elements(By.CSS_SELECTOR, "h1 bdi")

    assert title.get_property("textContent") == name
    assert visitor.run("return document.title") == name
    assert visitor.run("return typeof window.hacked") == "undefined"
    assert visitor.messages() == []


@pytest.mark.parametrize("page", KINDS)
def test_pages_can_be_heard(page: str, visitor: Visitor) -> None:
    """Language, one title, headings of tables, and a name for all that has none."""
    visitor.open(page)
    find = visitor.driver.find_elements

    assert visitor.run("return document.documentElement.lang") == "en"
    assert len(find(By.TAG_NAME, "h1")) == 1
    assert find(By.CSS_SELECTOR, "thead th:not([scope=col])") == []
    assert find(By.CSS_SELECTOR, "tbody tr:not(:has(> th[scope=row]))") == []
    assert find(By.CSS_SELECTOR, "table:not(:has(> caption))") == []
    # what is inside a picture is not there for those who hear the page
    assert find(By.CSS_SELECTOR, "[role=img] :is(a, button, input, select)") == []
    pictures = find(By.CSS_SELECTOR, ".chart")
    assert {picture.aria_role for picture in pictures} == {"image"}
    # as the template says it: each says something of its own, and none is Vega's
    names = {picture.accessible_name for picture in pictures}
    assert len(names) == len(pictures)
    assert not any("Vega" in name for name in names)
    named = find(By.CSS_SELECTOR, ".chart, input, select, button, nav, a")
    assert [e.get_attribute("outerHTML") for e in named if not e.accessible_name] == []


@pytest.mark.parametrize("page", KINDS)
def test_focus_is_visible(page: str, visitor: Visitor) -> None:
    """Whoever uses the keyboard sees where they are, from the first stop on."""
    visitor.open(page)
    stops = list(takewhile(lambda stop: stop[0] != "BODY", tabs(visitor, limit=12)))

    assert stops[0][:2] == ["A", "Skip to content"]
    assert len(stops) >= 5
    for _, text, style, width, left in stops:
        assert (style, width >= 2, left >= 0) == ("solid", True, True), text


def tabs(visitor: Visitor, *, limit: int) -> Iterator[list[Any]]:
    """Press Tab again and again, and say where the focus is."""
    for _ in range(limit):
        ActionChains(visitor.driver).send_keys(Keys.TAB).perform()
        yield visitor.run(FOCUS)
