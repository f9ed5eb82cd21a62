"""Tables and bars of scores."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from rich.bar import Bar
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from bench.cli.console import table
from bench.results.aggregate import MeanSkill
from bench.results.report import plain_score
from bench.results.scoring import SPECS, ProfileScores, TaskScores
from bench.results.wording import interval, number
from bench.scores.score import Score

BAR = 24
"""Width of a full bar in characters."""
GOOD, POOR = 0.5, 0.0
"""Skills from which and below which a skill is coloured."""


def bar(value: float, *, full: float) -> RenderableType:
    """Draw a value as a bar; a negative one is drawn as nothing."""
    return Bar(max(full, 1e-300), 0.0, max(0.0, value), width=BAR)


def profile_table(
    sections: Sequence[str], profiles: Sequence[tuple[str, Float[np.ndarray, " S"]]]
) -> Table:
    """Show named profiles side by side, each value with its bar."""
    headers = [header for name, _ in profiles for header in (name, "")]
    found = table("section", *headers)
    for index, section in enumerate(sections):
        cells: list[RenderableType] = [section]
        for _, values in profiles:
            value = float(values[index])
            cells += [f"{value:.3f}", bar(value, full=float(np.max(values)))]
        found.add_row(*cells)
    return found


def scores_table(task: TaskScores) -> Table:
    """Show every score on a task, a column for each profile."""
    columns = {name: _profile_cells(p) for name, p in task.profiles.items()}
    found = table(task.task, *columns)
    for label in next(iter(columns.values())):
        found.add_row(label, *(cells[label] for cells in columns.values()))
    return found


def _profile_cells(scores: ProfileScores) -> dict[str, RenderableType]:
    null, best = scores.yardstick.best_null
    shown = {
        f"{key.replace('_', ' ')} ({_better(key)})": number(score.value)
        for key, score in scores.shown.items()
    }
    return {
        "skill": skill_text(scores),
        "overlap (higher)": number(scores.overlap.value),
        "best null": f"{number(best)} {null}",
        "ceiling": number(scores.yardstick.ceiling),
        **shown,
    }


def _better(key: str) -> str:
    return next(spec.better for spec in SPECS if spec.name == key)


def skill_text(scores: ProfileScores, *, short: bool = False) -> Text:
    """Print a skill, coloured by what it is worth.

    Args:
        scores: The scores that it is part of.
        short: Leave out its interval over prompts.
    """
    room = "" if scores.ranked else ", not ranked: too little room"
    spread = "" if short else interval(scores.interval)
    text = f"{number(scores.skill.value)} {spread}".strip() + room
    return Text(text, style=_style(scores.skill))


def _style(skill: Score) -> str:
    value = plain_score(skill)
    if value is None:
        return "dim"
    return "green" if value >= GOOD else "red" if value < POOR else "yellow"


def mean_line(mean: MeanSkill) -> str:
    """Print a mean skill in a sentence."""
    if mean.score.value is None:
        return f"Mean skill: undefined ({mean.score.undefined})."
    over = {"other tasks": mean.interval, "other prompts": mean.prompt_interval}
    bounds = ", ".join(f"{interval(b)} with {o}" for o, b in over.items() if b)
    return (
        f"Mean skill {number(mean.score.value)} ({bounds}): 0 is no better than "
        "trivial, 1 as good as the reference allows."
    )
