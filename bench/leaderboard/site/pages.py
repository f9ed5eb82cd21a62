"""The pages of the static site: the board, one page a method, one page a task."""
# pyright: reportUnknownMemberType=false

import hashlib
import re
from collections.abc import Mapping, Sequence
from importlib.resources import files

import numpy as np
from jaxtyping import Float
from jinja2 import Environment, PackageLoader, StrictUndefined

from bench.leaderboard.document import Board, BoardRow
from bench.leaderboard.render import rank
from bench.leaderboard.rows import Row
from bench.leaderboard.site.charts import board_charts
from bench.leaderboard.site.profile_charts import (
    overlay,
    overlays,
    signature_curve,
    strength_curve,
)
from bench.methods.catalogue import built_in
from bench.profiles.promptwise import PROFILES
from bench.results.attribution_record import AttributionRecord
from bench.results.reference_record import Reference
from bench.results.trusted import Trusted
from bench.results.wording import interval, number
from bench.scores.shares import has_shares
from bench.tasks.spec import SLUG

STATIC = (
    "style.css",
    "table.js",
    "charts.js",
    *(
        f"vendor/{name}"
        for tool in ("vega", "vega-lite", "vega-embed")
        for name in (f"{tool}.min.js", f"{tool}.LICENSE")
    ),
)


def render_site(
    board: Board, rows: Sequence[Row], trusted: Trusted
) -> dict[str, bytes]:
    """Return every file of the site: path to content."""
    environment = _environment()
    records = {row.method: row.records for row in rows}
    pages = {"index.html": _front(environment, board)}
    for row in board.rows:
        own = records.get(row.method, ())
        pages[page_of(row.method)] = _method(environment, board, row, own, trusted)
    for task in _tasks(board):
        pages[page_of_task(task)] = _task(environment, board, task, records, trusted)
    return {path: text.encode() for path, text in pages.items()} | _static()


def page_of(method: str) -> str:
    """Return the page of a method; what is no plain name goes by its digest."""
    plain = re.fullmatch(SLUG, method) is not None
    name = method if plain else hashlib.sha256(method.encode()).hexdigest()[:16]
    return f"methods/{name}.html"


def page_of_task(task: str) -> str:
    """Return the page of a task."""
    return f"tasks/{task.replace('/', '-')}.html"


def _environment() -> Environment:
    found = Environment(
        loader=PackageLoader("bench.leaderboard.site"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters |= {"number": number, "interval": interval, "rank": rank}
    found.globals |= {"page_of": page_of, "page_of_task": page_of_task}
    return found


def _front(environment: Environment, board: Board) -> str:
    return environment.get_template("index.html").render(
        board=board,
        tasks=_tasks(board),
        profiles=PROFILES,
        charts=board_charts(board),
        up="",
    )


def _tasks(board: Board) -> list[str]:
    """Name every task that somebody was run on."""
    return list(dict.fromkeys(task for row in board.rows for task in row.tasks))


def _method(
    environment: Environment,
    board: Board,
    row: BoardRow,
    records: Sequence[AttributionRecord],
    trusted: Trusted,
) -> str:
    charts = {
        f"profile-{number}": overlay(
            trusted.reference(record.task.id), record.writes.values
        )
        for number, record in enumerate(records)
    }
    own = row.kind in ("builtin", "oracle") and row.method in built_in()
    return environment.get_template("method.html").render(
        board=board,
        row=row,
        about=built_in()[row.method].text if own else None,
        records=records,
        profiles=PROFILES,
        charts=charts,
        up="../",
    )


def _task(
    environment: Environment,
    board: Board,
    task: str,
    records: Mapping[str, Sequence[AttributionRecord]],
    trusted: Trusted,
) -> str:
    reference = trusted.reference(task)
    found = {
        row.method: record.writes.values
        for row in board.rows
        for record in records.get(row.method, ())
        if record.task.id == task and has_shares(record.writes.values)
    }
    charts = {
        "signature": signature_curve(reference.record),
        "strengths": strength_curve(reference.record),
        "overlay": overlays(reference, found or _reference_alone(reference)),
    }
    return environment.get_template("task.html").render(
        board=board,
        task=task,
        summary=trusted.tasks[task].spec.summary,
        record=reference.record,
        profiles=PROFILES,
        charts=charts,
        up="../",
    )


def _reference_alone(reference: Reference) -> dict[str, Float[np.ndarray, " S"]]:
    return {"reference": reference.promptwise.profile("emergence")}


def _static() -> dict[str, bytes]:
    folder = files("bench.leaderboard.site") / "static"
    return {f"static/{name}": (folder / name).read_bytes() for name in STATIC}
