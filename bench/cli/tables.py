"""Tables and bars for terminals; plain text everywhere."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from tabulate import tabulate

from bench.results.report import plain_score
from bench.results.scoring import MeanSkill, TaskScores
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
    """Print every score of every task and profile, what each means above its column."""
    rows = [
        {
            "task": task.task,
            "profile": name,
            "overlap": number(profile.overlap),
            "best null": "{} {:.2f}".format(*profile.yardstick.best_null),
            "ceiling": f"{profile.yardstick.ceiling:.2f}",
            "skill": number(profile.skill),
            "95 %": interval(profile.interval),
        }
        | {key.replace("_", " "): number(score) for key, score in profile.shown.items()}
        for task in scores
        for name, profile in task.profiles.items()
    ]
    return tabulate(rows, headers="keys", disable_numparse=True)


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
    bounds = interval(mean.interval)
    return (
        f"Mean skill {mean.score.value:.2f} {bounds}: 0 is no better than trivial, "
        "1 as good as the reference allows."
    )
