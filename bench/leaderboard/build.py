"""Turn ranked rows into the document that every view of the leaderboard shows."""

from collections.abc import Mapping, Sequence

from bench.leaderboard.document import Board
from bench.leaderboard.ranking import RankedRow
from bench.profiles.promptwise import PROFILES
from bench.results.erratum_record import Versions
from bench.results.report import (
    Plain,
    plain_interval,
    plain_mean,
    plain_score,
    plain_task,
)
from bench.results.reproduction_record import ReproductionRecord
from bench.results.trusted import Trusted
from bench.scores.version import SCORES_VERSION
from bench.tasks.registry import Suite


def build_board(
    rows: Sequence[RankedRow],
    *,
    name: str,
    trusted: Trusted,
    withdrawn: Mapping[str, str],
) -> Board:
    """Return the leaderboard as data.

    Args:
        rows: What it shows, in order.
        name: The suite.
        trusted: The repository's tasks and references.
        withdrawn: Method to the reason why it was withdrawn.
    """
    suite = trusted.suite(name)
    document = {
        "suite": name,
        "suite_version": suite.version,
        "versions": present_versions(suite, trusted),
        "rows": tuple(plain_row(row) for row in rows),
        "reference_pending": {
            other: tuple(tasks)
            for other in trusted.suites
            if other != name and (tasks := trusted.pending(other))
        },
        "withdrawn": tuple(
            {"method": method, "reason": reason}
            for method, reason in sorted(withdrawn.items())
        ),
    }
    return Board.model_validate(document, strict=False)


def present_versions(suite: Suite, trusted: Trusted) -> Versions:
    """Return the versions that numbers are computed by."""
    tasks = {task: trusted.tasks[task].spec.version for task in suite.tasks}
    return Versions(scores=SCORES_VERSION, suite=suite.version, tasks=tasks)


def plain_row(ranked: RankedRow) -> Plain:
    """Return a row as data."""
    row = ranked.row
    records = {record.task.id: record for record in row.records}
    return {
        "method": row.method,
        "kind": row.kind,
        "tier": row.tier,
        "summary": row.summary,
        "digest": row.digest,
        "fresh": None if row.reproduction is None else _fresh(row.reproduction),
        "notes": row.notes,
        **plain_mean(row.mean),
        "profiles": {p: plain_mean(row.profile_mean(p), "skill") for p in PROFILES},
        "rank_interval": ranked.rank_interval,
        "prompt_rank_interval": ranked.prompt_rank_interval,
        "in_top_group": ranked.in_top_group,
        "tasks_done": len(row.suite_tasks) - len(row.missing),
        "tasks_total": len(row.suite_tasks),
        "cost_forward_equivalents": row.cost,
        "date": row.date,
        "tasks": {
            # the nulls have rows of their own
            s.task: plain_task(s, records.get(s.task), nulls=False)
            for s in row.scores
        },
    }


def _fresh(record: ReproductionRecord) -> Plain:
    return {
        "verdict": record.verdict,
        "commit": record.commit,
        "circuits": len(record.fresh),
        "skill": plain_score(record.fresh_skill),
        "interval": plain_interval(record.fresh_interval),
    }
