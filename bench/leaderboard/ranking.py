"""Order rows and give ranks: undefined never ranks, and a rank says how sure it is."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from bench.leaderboard.rows import Row
from bench.results.aggregate import (
    COMPARED_DIGITS,
    SMALLEST_DIFFERENCE,
    by_family,
)
from bench.results.report import plain_score
from bench.scores.across_tasks import task_weights
from bench.scores.max_t import max_t_separations
from bench.scores.places import places
from bench.scores.sign_flips import sign_flip_separations


@dataclass(frozen=True)
class RankedRow:
    """A row with its place."""

    row: Row
    rank_interval: tuple[int, int] | None
    """Best and worst place that other tasks might have given it; None for a row that
    is not ranked."""
    prompt_rank_interval: tuple[int, int] | None
    """The same for other prompts of these tasks."""

    @property
    def in_top_group(self) -> bool:
        """Whether nobody is better beyond doubt."""
        return self.rank_interval is not None and self.rank_interval[0] == 1


def rank_rows(rows: Sequence[Row]) -> list[RankedRow]:
    """Sort rows by mean skill, undefined ones last, equals by name."""
    ordered = sorted(rows, key=_sort_key)
    ranked = [row for row in ordered if row.ranked]
    found = zip(task_places(ranked), prompt_places(ranked), strict=True)
    intervals = dict(zip(map(id, ranked), found, strict=True))
    return [RankedRow(row, *intervals.get(id(row), (None, None))) for row in ordered]


def task_places(rows: Sequence[Row]) -> list[tuple[int, int]]:
    """Return the places that each row might have on other tasks."""
    values = task_values(rows)
    return places(values.sum(axis=1), sign_flip_separations(values))


def prompt_places(rows: Sequence[Row]) -> list[tuple[int, int]]:
    """Return the places that each row might have on other prompts of these tasks."""
    if not rows:
        return []
    points = np.array([_value(row) for row in rows])
    draws = np.array([row.mean.draws for row in rows])
    separations = max_t_separations(points, draws, smallest=SMALLEST_DIFFERENCE)
    return places(points, separations)


def task_values(rows: Sequence[Row]) -> Float[np.ndarray, "M N"]:
    """Return each row's skill on each task; weighted, they average to the mean."""
    if not rows:
        return np.zeros((0, 0))
    families = by_family(list(rows[0].mean.by_task))
    order = [task for tasks in families for task in tasks]
    weights = task_weights([len(tasks) for tasks in families]) * len(order)
    skills = [[row.mean.by_task[task] for task in order] for row in rows]
    return np.round(skills, COMPARED_DIGITS) * weights


def _value(row: Row) -> float:
    """Return the printed skill, by which rows are compared; undefined is the lowest."""
    value = plain_score(row.mean.score)
    return float("-inf") if value is None else value


def _sort_key(row: Row) -> tuple[float, str]:
    return -_value(row), row.method
