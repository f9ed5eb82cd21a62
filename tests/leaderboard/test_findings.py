from dataclasses import replace

import numpy as np
import pytest

from bench.leaderboard.findings import collect_findings, render_findings
from bench.leaderboard.rows import Entry, Row, collect_rows
from bench.results.attribution_record import AttributionRecord
from bench.results.scoring import score_record
from bench.results.trusted import Trusted
from tests.conftest import CIRCUITS

pytestmark = pytest.mark.usefixtures("few_resamples")


@pytest.fixture
def page(trusted: Trusted, rows: list[Row]) -> str:
    """The findings of three methods on two synthetic tasks."""
    suite = trusted.suite("core")
    return render_findings(
        collect_findings(rows, trusted, suite), name="core", suite=suite
    )


@pytest.fixture
def rows(trusted: Trusted, make_record: object) -> list[Row]:
    """The reference itself, the same marked as an oracle, and a constant."""
    found: list[Entry] = []
    for name, oracle, cost in (
        ("right", False, 9.0),
        ("exact", True, 1.0),
        ("flat", False, 3.0),
    ):
        records = []
        for task in CIRCUITS:
            profile = trusted.reference(task).promptwise.profile("emergence")
            values = np.ones_like(profile) if name == "flat" else profile
            record: AttributionRecord = make_record(
                values, task=task, name=name, cost_forward_equivalents=cost
            )  # type: ignore[operator]
            method = record.method.model_copy(
                update={"oracle": oracle, "origin": "built-in"}
            )
            records.append(record.model_copy(update={"method": method}))
        targets = [trusted.targets(task, "no suite") for task in CIRCUITS]
        scores = tuple(map(score_record, records, targets))
        found.append(Entry(records[0].method, tuple(records), scores))
    return collect_rows(found, trusted, suite="core")


def section(page: str, title: str) -> str:
    """Take one section of a page."""
    return page.partition(f"## {title}\n")[2].partition("\n## ")[0]


def test_claims_and_incomplete_rows_stay_out(rows: list[Row], trusted: Trusted) -> None:
    """What others say, and what was not run on all tasks, is no finding."""
    right = next(row for row in rows if row.method == "right")
    claim = replace(right, method="claim", kind="submission")
    half = replace(
        right, method="half", scores=right.scores[:1], records=right.records[:1]
    )
    suite = trusted.suite("core")
    plain = collect_findings(rows, trusted, suite)

    assert collect_findings([*rows, claim, half], trusted, suite).rows == plain.rows
    assert {row.method for row in plain.rows} == {"right", "exact", "flat"}


def test_methods_that_recover_a_profile_are_named(page: str) -> None:
    """The right one is, the oracle and the constant are not."""
    text = section(page, "Where the signature emerges")

    assert "Methods with a mean skill of 0.5 or more: right. Mean" in text
    assert "*exact* (oracle)" in text


def test_rows_are_in_order_of_skill(page: str) -> None:
    """The best comes first, and each architecture has its column."""
    lines = section(page, "Where the signature emerges").splitlines()
    table = [line for line in lines if line.startswith("|")]

    assert [line.split("|")[1].strip() for line in table[2:]] == [
        "*exact* (oracle)", "right", "flat",
    ]  # fmt: skip
    assert "llama" in table[0]
    assert table[4].split("|")[-2].strip() == "llama"


def test_front_of_cost_and_skill(page: str) -> None:
    """Cheap and poor, dear and good: both are on the front; the oracle is not."""
    text = section(page, "Agreement against cost")

    assert "than flat (-" in text
    assert "for 3.0), right (" in text
    assert "exact" not in text


def test_page_is_stable(page: str, trusted: Trusted, rows: list[Row]) -> None:
    """The same results give the same bytes, whatever their order."""
    suite = trusted.suite("core")
    turned = collect_findings(rows[::-1], trusted, suite)

    assert render_findings(turned, name="core", suite=suite) == page
