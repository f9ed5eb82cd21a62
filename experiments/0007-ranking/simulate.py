"""How often are intervals over tasks and tie groups right, with as few tasks as here?

Methods have known skills over all tasks that might have been drawn; what a task adds is
drawn from three distributions, the third one made of the board's own residuals. Run:
``python experiments/0007-ranking/simulate.py`` (ten minutes on one core).
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from scipy import stats
from tabulate import tabulate

from bench.scores.across_tasks import student_interval
from bench.scores.places import places
from bench.scores.sign_flips import (
    separated,
    sign_flip_separations,
    sign_patterns,
    unanimity,
)

BOARD = Path(__file__).parents[2] / "leaderboard.json"
RUNS = 400
TRUE_SKILLS = np.repeat([0.6, 0.4, 0.3, 0.0, -0.3], [1, 4, 5, 5, 5])
"""20 methods: a best one, and groups that are equally good."""

Noise = Callable[[np.random.Generator, int, int], np.ndarray]


def normal(rng: np.random.Generator, methods: int, tasks: int) -> np.ndarray:
    """Half of the variance is shared by related methods (every fourth)."""
    shared = rng.normal(size=(4, tasks))[np.arange(methods) % 4]
    return 0.2 * (shared + rng.normal(size=(methods, tasks))) / np.sqrt(2)


def skewed(rng: np.random.Generator, methods: int, tasks: int) -> np.ndarray:
    """Most tasks a little above the mean, few far below: exponential, related alike."""
    shared = rng.exponential(size=(4, tasks))[np.arange(methods) % 4]
    own = rng.exponential(size=(methods, tasks))
    return 0.2 * (2 - shared - own) / np.sqrt(2)


def from_board(rng: np.random.Generator, methods: int, tasks: int) -> np.ndarray:
    """Random mixtures of the board's residuals: its variances, its correlations."""
    residuals = board_skills() - board_skills().mean(axis=1, keepdims=True)
    known = residuals.shape[1]
    weights = rng.normal(size=(known, tasks)) / np.sqrt(known - 1)
    chosen = rng.choice(len(residuals), size=methods, replace=False)
    return residuals[chosen] @ weights


def board_skills() -> np.ndarray:
    """Skill of the ranked methods on each task, mean of both profiles."""
    rows = json.loads(BOARD.read_text())["rows"]
    return np.array(
        [
            [
                np.mean([p["skill"] for p in task["profiles"].values()])
                for task in row["tasks"].values()
            ]
            for row in rows
            if row["kind"] == "builtin"
        ]
    )


def uncorrected(differences: np.ndarray) -> np.ndarray:
    """Paired t tests at 5 % each."""
    return p_values(differences) <= 0.05


def holm(differences: np.ndarray) -> np.ndarray:
    """Paired t tests after Holm."""
    p = p_values(differences)
    order = np.argsort(p)
    kept = np.maximum.accumulate(p[order] * (len(p) - np.arange(len(p)))) <= 0.05
    found = np.zeros(len(p), dtype=bool)
    found[order] = kept
    return found


def single_step(differences: np.ndarray) -> np.ndarray:
    """Sign flips, max-T, without stepping down."""
    statistics = unanimity(differences, sign_patterns(differences.shape[1]))
    largest = statistics.max(axis=1)
    return (largest[:, None] >= statistics[0] - 1e-9).mean(axis=0) <= 0.05


def p_values(differences: np.ndarray) -> np.ndarray:
    """Two-sided paired t tests."""
    mean = differences.mean(axis=1)
    error = differences.std(axis=1, ddof=1) / np.sqrt(differences.shape[1])
    freedom = differences.shape[1] - 1
    return 2 * stats.t.sf(np.abs(mean) / np.maximum(error, 1e-12), freedom)


PROCEDURES = {
    "paired t, uncorrected": uncorrected,
    "paired t, Holm": holm,
    "sign flips, one step": single_step,
    "sign flips, step-down": separated,
}
NOISES = {"normal": normal, "skewed": skewed, "board": from_board}


def main() -> None:
    """Print both tables."""
    intervals, ties = [], []
    for noise, draw in NOISES.items():
        for tasks in (6, 10, 20):
            rng = np.random.default_rng(tasks)
            drawn = [
                TRUE_SKILLS[:, None] + draw(rng, len(TRUE_SKILLS), tasks)
                for _ in range(RUNS)
            ]
            intervals.append([noise, tasks, *coverages(drawn, rng)])
            ties += [[noise, tasks, *row] for row in error_rates(drawn)]
            print(f"{noise}, {tasks} tasks", flush=True)
    print(tabulate(intervals, ["noise", "tasks", "Student t", "percentile bootstrap"]))
    heads = ["noise", "tasks", "procedure", "wrong separation", "rank held", "width"]
    print(tabulate(ties, [*heads, "best in top group"]))


def coverages(drawn: list[np.ndarray], rng: np.random.Generator) -> Iterator[float]:
    """Return how often the mean skill lies in its interval, by both methods."""
    held = {"t": [], "bootstrap": []}
    for values in drawn:
        rows = rng.integers(0, values.shape[1], size=(400, values.shape[1]))
        for truth, own in zip(TRUE_SKILLS, values, strict=True):
            low, high = student_interval([own]) or (0.0, 0.0)
            held["t"].append(low <= truth <= high)
            low, high = np.quantile(own[rows].mean(axis=1), [0.025, 0.975])
            held["bootstrap"].append(low <= truth <= high)
    return (round(float(np.mean(found)), 3) for found in held.values())


def error_rates(drawn: list[np.ndarray]) -> Iterator[list[object]]:
    """Return for each procedure how often it errs, and how much it says."""
    for name, procedure in PROCEDURES.items():
        found = [judge(values, procedure) for values in drawn]
        yield [name, *np.round(np.mean(found, axis=0), 3).tolist()]


def judge(values: np.ndarray, procedure: Callable) -> tuple[float, ...]:
    """Return the rates of one draw of tasks, means over methods.

    A separation is wrong between equals, or in the wrong direction. A rank is held if
    the interval meets the places that the method shares with its equals.
    """
    means = values.mean(axis=1)
    wrong, held, widths = [], [], []
    apart = [procedure(values - own) for own in values]
    for i, found in enumerate(apart):
        sign = np.sign(means - means[i])
        wrong.append((found & (sign != np.sign(TRUE_SKILLS - TRUE_SKILLS[i]))).any())
        best = 1 + (found & (sign > 0)).sum()
        worst = len(values) - (found & (sign < 0)).sum()
        above = (TRUE_SKILLS[i] < TRUE_SKILLS).sum()
        equal = (TRUE_SKILLS[i] == TRUE_SKILLS).sum()
        held.append(best <= above + equal and worst >= above + 1)
        widths.append(worst - best + 1)
    top = not (apart[0] & (means > means[0])).any()  # method 0 is the best one
    return float(np.mean(wrong)), float(np.mean(held)), float(np.mean(widths)), top


if __name__ == "__main__":
    main()
    skills = board_skills()
    print("board:", places(skills.sum(axis=1), sign_flip_separations(skills)))
