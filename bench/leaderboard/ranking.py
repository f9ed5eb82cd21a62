"""Order rows and give ranks: undefined never ranks, equals share their places."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.leaderboard.rows import Row
from bench.results.report import plain_score


@dataclass(frozen=True)
class RankedRow:
    """A row with its place."""

    row: Row
    rank_interval: tuple[int, int] | None
    """Best and worst place among equals; None for a row that is not ranked."""


def rank_rows(rows: Sequence[Row]) -> list[RankedRow]:
    """Sort rows by mean skill, undefined ones last, equals by name."""
    ordered = sorted(rows, key=_sort_key)
    values = [_value(row) for row in ordered if row.ranked]
    return [
        RankedRow(row, _places(_value(row), values) if row.ranked else None)
        for row in ordered
    ]


def _value(row: Row) -> float:
    """Return the printed skill, by which rows are compared; undefined is the lowest."""
    value = plain_score(row.mean.score)
    return float("-inf") if value is None else value


def _sort_key(row: Row) -> tuple[float, str]:
    return -_value(row), row.method


def _places(value: float, values: Sequence[float]) -> tuple[int, int]:
    better = sum(other > value for other in values)
    return better + 1, better + values.count(value)
