"""The board in a real browser: sorting, filtering and what the address keeps."""

from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from bench.leaderboard.generate import Leaderboard
from tests.leaderboard.site.boards import LONG, MANY_SIGNS
from tests.leaderboard.site.visitor import Visitor

CELLS = """
const place = document.querySelector(`th[data-key="${arguments[0]}"]`).cellIndex;
return [...document.querySelectorAll("#board tbody tr")]
  .filter((row) => row.getClientRects().length > 0)
  .map((row) => row.cells[place].textContent.trim());
"""
SORTED = """
return [...document.querySelectorAll("#board th[aria-sort]")]
  .map((th) => [th.dataset.key, th.ariaSort]);
"""

Press = Callable[[WebElement], None]


def click(button: WebElement) -> None:
    """Press a button with a pointer."""
    button.click()


def enter(button: WebElement) -> None:
    """Press a button with the Enter key."""
    button.send_keys(Keys.ENTER)


def space(button: WebElement) -> None:
    """Press a button with the space bar."""
    button.send_keys(Keys.SPACE)


def heading(visitor: Visitor, key: str) -> WebElement:
    """Find the button that sorts by a column."""
    return visitor.driver.find_element(By.CSS_SELECTOR, f'th[data-key="{key}"] button')


def type_query(visitor: Visitor, text: str) -> None:
    """Type into the filter."""
    visitor.driver.find_element(By.ID, "query").send_keys(text)


def shown(visitor: Visitor, key: str = "method") -> list[str]:
    """Read a column of the rows that are to be seen, from top to bottom."""
    return visitor.run(CELLS, key)


def state(visitor: Visitor) -> str:
    """Read what the address says after the name of the page."""
    return "#" + urlsplit(visitor.driver.current_url).fragment


def fragment(visitor: Visitor) -> dict[str, list[str]]:
    """Read it as keys and values."""
    return parse_qs(state(visitor)[1:])


@pytest.mark.parametrize("press", [click, enter, space])
def test_sorting_by_numbers(press: Press, visitor: Visitor, board: Leaderboard) -> None:
    """Costs go up as numbers do, then down; rows without one stay at the end."""
    visitor.open("index.html")
    visitor.driver.find_element(By.CSS_SELECTOR, "input[value=claimed]").click()
    costs = [
        row.cost_forward_equivalents
        for row in board.board.rows
        if row.tier != "claimed"
    ]
    known = sorted(cost for cost in costs if cost is not None)
    none = [""] * costs.count(None)

    press(heading(visitor, "cost"))
    visitor.wait(lambda: visitor.run(SORTED) == [["cost", "ascending"]])
    assert known == [3.0, 20.0, 100.0]
    assert shown(visitor, "cost") == [f"{cost:.1f}" for cost in known] + none

    press(heading(visitor, "cost"))
    visitor.wait(lambda: visitor.run(SORTED) == [["cost", "descending"]])
    assert shown(visitor, "cost") == [f"{cost:.1f}" for cost in known[::-1]] + none


def test_undefined_is_last_either_way(visitor: Visitor) -> None:
    """No order puts n/a before a number; negative numbers are numbers."""
    visitor.open("index.html")
    for _ in range(2):
        before = visitor.run(SORTED)
        heading(visitor, "skill").click()
        visitor.wait(lambda before=before: visitor.run(SORTED) != before)
        *skills, last = shown(visitor, "skill")
        order = [float(skill) for skill in skills]
        falling = visitor.run(SORTED) == [["skill", "descending"]]

        assert last == "n/a"
        assert min(order) < 0 < max(order)
        assert order == sorted(order, reverse=falling)


def test_sorting_by_text(visitor: Visitor) -> None:
    """Names go by the alphabet."""
    visitor.open("index.html")
    heading(visitor, "method").click()
    visitor.wait(lambda: visitor.run(SORTED) == [["method", "ascending"]])

    assert shown(visitor) == sorted(shown(visitor))


def test_filter_leaves_what_matches(visitor: Visitor) -> None:
    """Only rows with the text in their name stay, and their number is announced."""
    visitor.open("index.html")
    names = shown(visitor)
    type_query(visitor, "PATCHING")
    wanted = [name for name in names if "patching" in name]
    visitor.wait(lambda: shown(visitor) == wanted)

    assert len(wanted) == 2
    announced = visitor.driver.find_element(By.CSS_SELECTOR, "[aria-live=polite]")
    assert announced.text == f"2 of {len(names)} rows"


def test_tiers_are_left_out(visitor: Visitor) -> None:
    """A tier that is not ticked is not shown."""
    visitor.open("index.html")
    visitor.driver.find_element(By.CSS_SELECTOR, "input[value=null]").click()
    visitor.wait(lambda: "null" not in shown(visitor, "tier"))

    assert set(shown(visitor, "tier")) == {"built-in", "claimed"}
    assert fragment(visitor)["tiers"] == ["built-in,reproduced,claimed,oracle"]


def test_address_keeps_order_and_filter(visitor: Visitor) -> None:
    """Who opens the address anew sees the same rows in the same order."""
    visitor.open("index.html")
    heading(visitor, "cost").click()
    heading(visitor, "cost").click()
    type_query(visitor, "a")
    visitor.wait(lambda: "q" in fragment(visitor))
    found = shown(visitor)

    assert fragment(visitor) == {"sort": ["cost"], "down": ["1"], "q": ["a"]}
    visitor.open("index.html", state=state(visitor))
    assert shown(visitor) == found
    assert visitor.run(SORTED) == [["cost", "descending"]]
    assert visitor.run("return document.getElementById('query').value") == "a"


def test_address_keeps_any_text(visitor: Visitor) -> None:
    """No sign is mistaken for another part of the address, and no speed loses any."""
    visitor.open("index.html")
    for name in (MANY_SIGNS, LONG):
        visitor.driver.find_element(By.ID, "query").clear()
        type_query(visitor, name)
        visitor.wait(lambda name=name: fragment(visitor) == {"q": [name]})
        assert shown(visitor) == [name]

    visitor.open("index.html", state=state(visitor))
    assert shown(visitor) == [LONG]


def test_back_returns_to_the_order(visitor: Visitor) -> None:
    """Sorting is no step of its own: back leads from a method to the sorted board."""
    visitor.open("index.html")
    steps = visitor.run("return history.length")
    heading(visitor, "method").click()
    type_query(visitor, "eap")
    visitor.wait(lambda: "q" in fragment(visitor))
    assert visitor.run("return history.length") == steps

    visitor.driver.find_element(By.LINK_TEXT, "eap-ig").click()
    visitor.wait(lambda: visitor.page() == "methods/eap-ig.html")
    visitor.driver.back()
    visitor.wait(lambda: visitor.page() == "index.html")
    visitor.wait(lambda: shown(visitor) == ["eap-ig"])
    assert visitor.run(SORTED) == [["method", "ascending"]]


def test_skip_link_keeps_the_order(visitor: Visitor) -> None:
    """The link to the content moves the focus and nothing else."""
    visitor.open("index.html", state="#sort=method&q=a")
    found = shown(visitor)
    ActionChains(visitor.driver).send_keys(Keys.TAB, Keys.ENTER).perform()
    visitor.wait(lambda: visitor.driver.current_url.endswith("#content"))

    assert shown(visitor) == found
    heading(visitor, "tier").click()
    visitor.wait(lambda: fragment(visitor) == {"sort": ["tier"], "q": ["a"]})
