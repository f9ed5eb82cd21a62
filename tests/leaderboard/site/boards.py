"""Boards that the site is made of in tests."""

from dataclasses import replace

import numpy as np

from bench.leaderboard.generate import Leaderboard, generate
from bench.leaderboard.rows import Entry
from bench.results.attribution_record import AttributionRecord, MethodKey, task_key
from bench.results.reference_record import Reference
from bench.results.scoring import score_record
from bench.results.trusted import Trusted

METHODS = {
    # name: origin, weights of emergence, composition and a constant, cost
    "eap-ig": ("built-in", (1.0, 1.0, 0.0), 100.0),
    "attribution-patching": ("built-in", (1.0, 0.0, 0.0), 3.0),
    "activation-patching-sources-denoising": ("built-in", (0.0, 1.0, 1.0), 20.0),
    "my-method": ("file", (1.0, 1.0, 1.0), 5.0),
    "says-nothing": ("file", (0.0, 0.0, 0.0), None),
}

LONG = "x" * 200
MANY_SIGNS = "a|b `c` \"d\" 'e' &amp; {{ 7 * 7 }} #&tiers=null%20"
HOSTILE = (
    "<script>window.hacked = 1; alert(1)</script>",
    "</script><script>window.hacked = 1</script>",
    "<img src=x onerror='window.hacked = 1'>",
    MANY_SIGNS,
    "right\u202eleft\u2066",
    LONG,
)
"""Names that no submission may have; the pages have to bear them all the same."""


def make_board(trusted: Trusted) -> Leaderboard:
    """Make a board of five methods and the nulls."""
    return generate([_entry(name, trusted) for name in METHODS], trusted)


def _entry(name: str, trusted: Trusted) -> Entry:
    records = tuple(_record(name, t, trusted) for t in trusted.suite("core").tasks)
    targets = [trusted.targets(record.task.id, "core") for record in records]
    scores = tuple(map(score_record, records, targets))
    return Entry(method=records[0].method, records=records, scores=scores)


def _record(name: str, task: str, trusted: Trusted) -> AttributionRecord:
    origin, weights, cost = METHODS[name]
    reference = trusted.reference(task)
    method = {
        "name": name,
        "kind": "write",
        "origin": origin,
        "source": f"{name}.py",
        "source_sha256": "0" * 64,
        "summary": "Say something.",
    }
    return AttributionRecord(
        task=task_key(trusted.tasks[task]),
        method=MethodKey.model_validate(method),
        values=_values(reference, weights),
        per_prompt=None,
        untrained=None,
        untrained_reason="not tried",
        cost_forward_equivalents=cost,
        cost_reason="not counted" if cost is None else None,
        wall_s=0.5,
        provenance=reference.record.provenance,
    )


def _values(reference: Reference, weights: tuple[float, ...]) -> tuple[float, ...]:
    *of_profiles, flat = weights
    promptwise = reference.promptwise
    found = np.full(promptwise.n_sections, flat / promptwise.n_sections)
    for name, weight in zip(("emergence", "composition"), of_profiles, strict=True):
        positive = np.clip(promptwise.profile(name), 0.0, None)
        found += weight * positive / positive.sum()
    return tuple(found.tolist())


def with_hostile_names(board: Leaderboard) -> Leaderboard:
    """Add a method of each hostile name, with all that a method has."""
    shown = next(row for row in board.board.rows if row.method == "my-method")
    found = next(row for row in board.rows if row.method == "my-method")
    more = [
        shown.model_copy(update={"method": name, "summary": name, "undefined": name})
        for name in HOSTILE
    ]
    rows = (*board.board.rows, *more)
    return replace(
        board,
        board=board.board.model_copy(update={"rows": rows}),
        rows=(*board.rows, *(replace(found, method=name) for name in HOSTILE)),
    )
