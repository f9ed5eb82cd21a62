from itertools import permutations

import numpy as np
import pytest

from bench.leaderboard.ranking import RankedRow, rank_rows, task_values
from bench.leaderboard.rows import Kind, Row
from bench.profiles.promptwise import PROFILES
from bench.results.scoring import ProfileScores, TaskScores
from bench.scores.score import Score, undefined
from bench.scores.skill import Yardstick

TASKS = tuple(f"induction/task-{i}" for i in range(6))
WOBBLE = np.array([0.02, -0.01, 0.03, -0.03, 0.01, -0.02])


def row(
    name: str,
    skills: np.ndarray | list[float | None],
    *,
    kind: Kind = "builtin",
    tasks: tuple[str, ...] = TASKS,
) -> Row:
    """Make a row with one skill on both profiles of each task."""
    found = dict(zip(tasks, np.asarray(skills, dtype=object).tolist(), strict=False))
    return Row(
        method=name,
        kind=kind,
        tier="built-in" if kind == "builtin" else "claimed",
        summary="",
        scores=tuple(task_scores(task, skill) for task, skill in found.items()),
        records=(),
        suite_tasks=tasks,
    )


def task_scores(task: str, skill: float | None) -> TaskScores:
    """Make scores of a task; None is undefined."""
    score = undefined("nothing positive") if skill is None else Score(float(skill))
    profile = ProfileScores(
        overlap=score,
        skill=score,
        draws=None if skill is None else np.full(400, float(skill)),
        shown={},
        yardstick=Yardstick(nulls={"constant": 0.0}, ceiling=1.0),
    )
    return TaskScores(task=task, profiles=dict.fromkeys(PROFILES, profile))


def ranks(rows: list[Row]) -> dict[str, tuple[int, int] | None]:
    """Rank rows and map their names to their places."""
    return {found.row.method: found.rank_interval for found in rank_rows(rows)}


def test_places_and_top_group() -> None:
    """Two that six tasks cannot tell apart are first together, a worse one is not."""
    rows = [
        row("good", WOBBLE + 0.8),
        row("as-good", WOBBLE[::-1] + 0.8),
        row("worse", WOBBLE + 0.1),
        row("worst", -WOBBLE - 0.5),
    ]
    found = rank_rows(rows)

    assert ranks(rows) == {
        "good": (1, 2),
        "as-good": (1, 2),
        "worse": (3, 3),
        "worst": (4, 4),
    }
    assert [r.in_top_group for r in found] == [True, True, False, False]


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_order_of_rows_changes_nothing(order: tuple[int, ...]) -> None:
    """Rows come out the same, whatever order they were collected in."""
    rng = np.random.default_rng(0)
    rows = [
        row(f"method-{i}", rng.normal(0.1 * i, 0.2, 6).clip(-1, 1)) for i in range(4)
    ]

    def seen(found: list[RankedRow]) -> list[tuple]:
        return [(r.row.method, r.rank_interval, r.in_top_group) for r in found]

    assert seen(rank_rows([rows[i] for i in order])) == seen(rank_rows(rows))


def test_what_never_ranks() -> None:
    """An undefined task, a missing one, a claim, a null: shown, and no place taken."""
    best = np.full(6, 1.0)
    rows = [
        row("undefined", [1.0, 1.0, 1.0, 1.0, 1.0, None]),
        row("incomplete", best[:5]),
        row("claim", best, kind="submission"),
        row("null", best, kind="null"),
        row("oracle", best, kind="oracle"),
        row("ranked", WOBBLE),
    ]
    found = rank_rows(rows)

    assert [r.row.method for r in found][-2:] == ["incomplete", "undefined"]
    assert {name for name, place in ranks(rows).items() if place} == {"ranked"}
    assert ranks(rows)["ranked"] == (1, 1)
    assert {r.row.method for r in found if r.in_top_group} == {"ranked"}


def test_nobody_to_rank() -> None:
    """A board of claims has no ranks."""
    assert ranks([row("claim", WOBBLE, kind="submission")]) == {"claim": None}
    assert ranks([]) == {}


def test_clones_are_never_separated() -> None:
    """A difference in the seventh digit on every task is no difference."""
    rows = [row("one", WOBBLE + 0.5), row("other", WOBBLE + 0.5 - 1e-7)]

    assert ranks(rows) == {"one": (1, 2), "other": (1, 2)}


def test_families_weigh_alike() -> None:
    """Four tasks of one family do not outvote two of another."""
    tasks = (*(f"induction/{i}" for i in range(4)), "stable/0", "stable/1")
    one = row("one", [0.4, 0.4, 0.4, 0.4, 0.0, 0.0], tasks=tasks)
    other = row("other", [0.0, 0.0, 0.0, 0.0, 0.5, 0.5], tasks=tasks)

    assert one.mean.score.value == pytest.approx(0.2)
    assert other.mean.score.value == pytest.approx(0.25)
    values = task_values([one, other])
    np.testing.assert_allclose(values.mean(axis=1), [0.2, 0.25])
    assert [found.row.method for found in rank_rows([one, other])] == ["other", "one"]
