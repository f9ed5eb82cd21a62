"""``leaderboard.csv``: all scores, a line for each method, task and profile."""

import csv
from io import StringIO

from bench.leaderboard.document import Board, BoardProfile, BoardRow

SCORES = (
    "overlap",
    "skill",
    "pearson",
    "spearman",
    "top_k_recall",
    "onset_error",
    "wasserstein",
)
COLUMNS: tuple[str, ...] = (
    "method",
    "kind",
    "tier",
    "task",
    "profile",
    *SCORES,
    "skill_low",
    "skill_high",
    "ranked",
    "ceiling",
    "best_null",
    "best_null_overlap",
    "cost_forward_equivalents",
)


def render_csv(board: Board) -> str:
    """Write ``leaderboard.csv``; what is undefined is empty."""
    text = StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in board.rows:
        for task, found in row.tasks.items():
            for name, profile in found.profiles.items():
                place = {"task": task, "profile": name}
                cost = {"cost_forward_equivalents": found.cost_forward_equivalents}
                writer.writerow(_method(row) | place | _profile(profile) | cost)
    return text.getvalue()


def _method(row: BoardRow) -> dict[str, object]:
    return {"method": row.method, "kind": row.kind, "tier": row.tier}


def _profile(profile: BoardProfile) -> dict[str, object]:
    low, high = profile.interval or (None, None)
    scores: dict[str, object] = {name: getattr(profile, name) for name in SCORES}
    return scores | {
        "skill_low": low,
        "skill_high": high,
        "ranked": profile.ranked,
        "ceiling": profile.ceiling,
        "best_null": profile.best_null.name,
        "best_null_overlap": profile.best_null.overlap,
    }
