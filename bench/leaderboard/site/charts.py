"""The charts of the board, as Vega-Lite specifications made by Altair."""
# pyright: basic, reportUnknownMemberType=false

from collections.abc import Sequence

import altair as alt
import numpy as np
from jaxtyping import Float

from bench.leaderboard.document import Board, BoardRow
from bench.leaderboard.front import Candidate, on_front
from bench.profiles.promptwise import PROFILES

Spec = dict[str, object]

MOST_SHOWN = 60
"""Rows of a chart with a line for each; the table shows all."""

# each at least 3 to 1 against both a white and a dark page
TIERS = alt.Scale(
    domain=["built-in", "reproduced", "claimed", "oracle", "null"],
    range=["#2a86c8", "#aa4499", "#d55e00", "#009e73", "#888888"],
)
SKILL = alt.Scale(domain=[-1, 1], scheme="blueorange", reverse=True)
ROW, NARROW_ROW, NARROW_WIDTH = 18, 34, 560
"""Pixels; charts.js takes what is narrow on a phone."""
POWERS = alt.Axis(tickCount=4, format="~g")

BESIDE = "beside"
"""Style of an axis of names: beside their lines, and above them on a phone."""


def board_charts(board: Board) -> dict[str, Spec]:
    """Return every chart of the front page by name."""
    rows = [row for row in board.rows if row.mean_skill is not None]
    shown = _shown(rows)
    charts = {
        "forest": forest(shown),
        "wins": wins([row for row in shown if row.rank_interval is not None]),
        "tasks": task_map(shown),
        "cost": cost(rows),
    }
    return {name: chart.to_dict() for name, chart in charts.items()}


def _shown(rows: Sequence[BoardRow]) -> list[BoardRow]:
    """Take the first rows, and the null that comes first as their measure."""
    null = next((row for row in rows if row.kind == "null"), None)
    shown = list(rows[:MOST_SHOWN])
    return shown if null is None or null in shown else [*shown, null]


def forest(rows: Sequence[BoardRow]) -> alt.TopLevelMixin:
    """Skill of each method with both of its intervals."""
    data = [
        {
            "method": row.method,
            "tier": row.tier,
            "skill": row.mean_skill,
            **_bounds("tasks", row.interval),
            **_bounds("prompts", row.prompt_interval),
        }
        for row in rows
    ]
    order = [row.method for row in rows]
    names = alt.Axis(labelLimit=260, style=BESIDE)
    base = alt.Chart(alt.Data(values=data)).encode(
        y=alt.Y("method:N", sort=order, title=None, axis=names),
        color=alt.Color("tier:N", scale=TIERS, title=None),
        tooltip=["method:N", "tier:N", alt.Tooltip("skill:Q", format=".3f")],
    )
    tasks = base.mark_rule(strokeWidth=1.5, opacity=1).encode(
        x=_mean_skill("tasks low"), x2="tasks high:Q"
    )
    prompts = base.mark_rule(strokeWidth=5, opacity=0.5).encode(
        x=_mean_skill("prompts low"), x2="prompts high:Q"
    )
    points = base.mark_point(filled=True, size=45, opacity=1).encode(
        x=_mean_skill("skill")
    )
    # a number: a step does not go with a width that fits, Vega-Lite warns and drops it
    return alt.layer(tasks, prompts, points).properties(
        width="container",
        height=ROW * len(rows),
        autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
        usermeta={"narrow": {"height": NARROW_ROW * len(rows)}},
    )


def _mean_skill(field: str) -> alt.X:
    at_zero = alt.condition("datum.value === 0", alt.value(3), alt.value(1))
    axis = alt.Axis(tickCount=10, gridWidth=at_zero)
    scale = alt.Scale(domain=[-1, 1])
    return alt.X(f"{field}:Q", scale=scale, axis=axis, title="mean skill")


def _bounds(name: str, interval: tuple[float, float] | None) -> dict[str, float | None]:
    low, high = interval or (None, None)
    return {f"{name} low": low, f"{name} high": high}


def wins(rows: Sequence[BoardRow]) -> alt.TopLevelMixin:
    """On which share of the tasks the method of a row beats that of a column."""
    order = [row.method for row in rows]
    skills = {row.method: task_skills(row) for row in rows}
    data = [
        {"method": a, "other": b, "wins": _wins(skills[a], skills[b])}
        for a in order
        for b in order
        if a != b
    ]
    return (
        alt.Chart(alt.Data(values=data))
        .mark_rect()
        .encode(
            y=alt.Y("method:N", sort=order, title=None, axis=alt.Axis(labelLimit=260)),
            x=alt.X("other:N", sort=order, title=None, axis=alt.Axis(labelLimit=260)),
            color=alt.Color(
                "wins:Q",
                scale=alt.Scale(domain=[0, 1], scheme="blueorange", reverse=True),
                title="tasks won",
            ),
            tooltip=["method:N", "other:N", alt.Tooltip("wins:Q", format=".0%")],
        )
        .properties(width=alt.Step(ROW), height=alt.Step(ROW))
    )


def task_skills(row: BoardRow) -> dict[str, float]:
    """Return the mean skill of the ranked profiles of each task."""
    found: dict[str, float] = {}
    for name, task in row.tasks.items():
        skills = [p.skill for p in task.profiles.values() if p.ranked]
        values = [skill for skill in skills if skill is not None]
        if values:
            found[name] = float(np.mean(values))
    return found


def _wins(one: dict[str, float], other: dict[str, float]) -> float:
    shared: Float[np.ndarray, " N"] = np.array(
        [one[task] - other[task] for task in one if task in other]
    )
    # a draw is half a win
    return round(float(np.mean(np.sign(shared) / 2 + 0.5)), 4) if len(shared) else 0.5


def task_map(rows: Sequence[BoardRow]) -> alt.TopLevelMixin:
    """Skill of every method on every task and profile."""
    data = [
        {
            "method": row.method,
            "task": name.partition("/")[2],
            "profile": profile,
            "skill": task.profiles[profile].skill,
        }
        for row in rows
        for name, task in row.tasks.items()
        for profile in PROFILES
    ]
    order = [row.method for row in rows]
    return (
        alt.Chart(alt.Data(values=data))
        .mark_rect()
        .encode(
            y=alt.Y("method:N", sort=order, title=None, axis=alt.Axis(labelLimit=260)),
            x=alt.X("task:N", title=None, axis=alt.Axis(labelAngle=-45)),
            column=alt.Column(
                "profile:N",
                title=None,
                sort=list(PROFILES),
                header=alt.Header(labelAnchor="start"),
            ),
            color=alt.Color("skill:Q", scale=SKILL),
            tooltip=[
                "method:N",
                "task:N",
                "profile:N",
                alt.Tooltip("skill:Q", format=".3f"),
            ],
        )
        .properties(width=alt.Step(34), height=alt.Step(ROW))
    )


def cost(rows: Sequence[BoardRow]) -> alt.TopLevelMixin:
    """Skill against cost in forward-equivalents; the names of those on the front."""
    measured = [
        (row, Candidate(row.method, round(row.cost_forward_equivalents, 3), skill))
        for row in rows
        if row.cost_forward_equivalents and (skill := row.mean_skill) is not None
    ]
    # oracles cost less than what they repeat
    front = on_front(found for row, found in measured if row.kind != "oracle")
    data = [
        {"tier": row.tier, "front": row.method in front, **found._asdict()}
        for row, found in measured
    ]
    base = alt.Chart(alt.Data(values=data)).encode(
        x=alt.X(
            "cost:Q",
            scale=alt.Scale(type="log", nice=False, padding=20),
            axis=POWERS,
            title="cost in forward-equivalents",
        ),
        y=alt.Y("skill:Q", title="mean skill"),
        tooltip=[
            "method:N",
            alt.Tooltip("skill:Q", format=".3f"),
            alt.Tooltip("cost:Q", format=".1f"),
        ],
    )
    points = base.mark_point(filled=True, size=60, opacity=1).encode(
        color=alt.Color("tier:N", scale=TIERS, title=None)
    )
    # names of all would hide each other
    names = (
        base.mark_text(align="left", dx=4, dy=-9, limit=180)
        .encode(text="method:N")
        .transform_filter("datum.front")
    )
    return alt.layer(points, names).properties(
        width="container", height=420, usermeta={"narrow": {"width": NARROW_WIDTH}}
    )
