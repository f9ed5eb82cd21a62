"""Tables and bars for terminals; plain text everywhere."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from tabulate import tabulate

from bench.results.aggregate import MeanSkill
from bench.results.report import plain_score
from bench.results.scoring import SPECS, ProfileScores, TaskScores
from bench.scores.score import Score

BAR = 24
"""Width of a full bar in characters."""

PARTS = " ▏▎▍▌▋▊▉█"


def bar(value: float, *, full: float) -> str:
    """Draw a value as a bar; a negative one is drawn as nothing."""
    if full <= 0:
        return ""
    eighths = round(8 * BAR * min(1.0, max(0.0, value / full)))
    whole, rest = divmod(eighths, 8)
    return PARTS[8] * whole + (PARTS[rest] if rest else "")


def profile_table(
    sections: Sequence[str], columns: Mapping[str, Float[np.ndarray, " S"]]
) -> str:
    """Print profiles side by side, each value with its bar."""
    header = ["section"]
    cells: list[list[str]] = [[name] for name in sections]
    for name, values in columns.items():
        header += [name, ""]
        full = float(np.max(values))
        for row, value in zip(cells, values, strict=True):
            row += [f"{value:.3f}", bar(float(value), full=full)]
    return tabulate(cells, headers=header, disable_numparse=True)


def scores_table(scores: Sequence[TaskScores]) -> str:
    """Print every score, a table for each task and a column for each profile."""
    return "\n\n".join(_task_table(task) for task in scores)


def _task_table(task: TaskScores) -> str:
    columns = {name: _profile_cells(p) for name, p in task.profiles.items()}
    labels = next(iter(columns.values()))
    rows = [[label, *(cells[label] for cells in columns.values())] for label in labels]
    return tabulate(rows, headers=[task.task, *columns], disable_numparse=True)


def _profile_cells(scores: ProfileScores) -> dict[str, str]:
    null, best = scores.yardstick.best_null
    shown = {
        f"{key.replace('_', ' ')} ({_better(key)})": number(score)
        for key, score in scores.shown.items()
    }
    room = "" if scores.ranked else ", not ranked: too little room"
    return {
        "skill": f"{number(scores.skill)} {interval(scores.interval)}{room}".strip(),
        "overlap (higher)": number(scores.overlap),
        "best null": f"{best:.2f} {null}",
        "ceiling": f"{scores.yardstick.ceiling:.2f}",
        **shown,
    }


def _better(key: str) -> str:
    return next(spec.better for spec in SPECS if spec.name == key)


def number(score: Score) -> str:
    """Print a score, or n/a where it is undefined."""
    value = plain_score(score)
    return "n/a" if value is None else f"{value:.2f}"


def interval(bounds: tuple[float, float] | None) -> str:
    """Print an interval."""
    return "" if bounds is None else f"[{bounds[0]:.2f}, {bounds[1]:.2f}]"


def mean_line(mean: MeanSkill) -> str:
    """Print a mean skill in a sentence."""
    if mean.score.value is None:
        return f"Mean skill: undefined ({mean.score.undefined})."
    over = {"other tasks": mean.interval, "other prompts": mean.prompt_interval}
    bounds = ", ".join(f"{interval(b)} with {o}" for o, b in over.items() if b)
    return (
        f"Mean skill {mean.score.value:.2f} ({bounds}): 0 is no better than trivial, "
        "1 as good as the reference allows."
    )
