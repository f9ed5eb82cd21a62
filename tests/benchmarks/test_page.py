"""The page of timings says what was measured."""

import json
from pathlib import Path

from tests.benchmarks.page import GROUPS, WORK, grouped, page, shown

DOCS = Path(__file__).parents[2] / "docs"


def test_page_is_of_its_measurements() -> None:
    """Nothing was written by hand, or by another version of what writes it."""
    document = json.loads((DOCS / "performance.json").read_text())

    assert (DOCS / "performance.md").read_text() == page(document)
    assert set(grouped(document)) >= GROUPS


def test_ratios_by_hand() -> None:
    """The median of another engine, over ours; bytes in MB; the growth of a curve."""
    document = json.loads((DOCS / "performance.json").read_text())
    for row in document["benchmarks"]:
        ours = (row["params"] or {}).get("name") == "ours"
        row["wall_s"] = {"min": 1.0, "median": 2.0 if ours else 7.0, "max": 8.0}
        if row["group"] in WORK:
            row["extra_info"] |= {"peak_bytes": 3_400_000, "cpu_s": 1.25}
        if row["group"] == "scaling: width":
            row["wall_s"]["median"] = row["params"]["value"] ** 1.5
    text = page(document)

    cells = [part.strip() for part in text.partition("| ours")[2].split("|")]
    assert cells[1:6] == ["2.00", "1.00 to 8.00", "1.25", "1.0", "3"]
    cells = [part.strip() for part in text.partition("| plain hooks")[2].split("|")]
    assert cells[1:6] == ["7.00", "1.00 to 8.00", "1.25", "3.5", "3"]
    width = text.partition("| width")[2].partition("| threads")[0]
    assert " 1.50 " in width


def test_what_is_kept_of_a_measurement() -> None:
    """Who measured, what, and its times."""
    row = {
        "group": "reference: responses",
        "name": "test[x]",
        "params": {"name": "ours"},
        "extra_info": {"cpu_s": 1.0},
        "stats": {"min": 1.0, "median": 2.0, "max": 3.0, "data": [1.0, 2.0, 3.0]},
    }
    other = row | {"group": "bootstrap of a skill"}
    machine = {"cpu": {"brand_raw": "A chip"}, "machine": "x", "python_version": "3.11"}
    commit = {"id": "0123456789abcdef"}

    assert shown(
        {"machine_info": machine, "commit_info": commit, "benchmarks": [row, other]}
    ) == {
        "machine": "A chip",
        "python": "3.11",
        "commit": "0123456789ab",
        "benchmarks": [
            {
                "group": "reference: responses",
                "params": {"name": "ours"},
                "extra_info": {"cpu_s": 1.0},
                "wall_s": {"min": 1.0, "median": 2.0, "max": 3.0},
            }
        ],
    }
