"""Do the intervals behind the ranks over prompts hold all differences at once?

The stored prompts of six references and of ten methods stand for all prompts there are.
As many are drawn from them with replacement, skills and their resamples are computed as
for the board (but for each method's null on an untrained model, which is left out), and
each method's differences from the nine others are compared with those of all prompts.
Run, some minutes: ``python experiments/0007-ranking/prompt_ranks.py``.
"""

from pathlib import Path

import numpy as np
from tabulate import tabulate

from bench.cli.trusted import read_trusted
from bench.profiles.promptwise import PROFILES, PromptwiseReference
from bench.results.targets import Target, Targets
from bench.scores.max_t import simultaneous_reach
from bench.scores.nulls import random_overlap
from bench.scores.overlap import overlaps
from bench.scores.skill import skills
from bench.submissions.collect import collect_submissions

ROOT = Path(__file__).parents[2]
SAMPLES, RESAMPLES = 200, 200
METHODS = (
    "optimal-ablation",
    "mean-ablation",
    "resample-ablation",
    "gim",
    "eap-ig",
    "attn-lrp",
    "logit-lens",
    "attribution-patching",
    "layer-conductance",
    "hisp",
)


def skills_of(owns: np.ndarray, target: Target, targets: np.ndarray) -> np.ndarray:
    """Return skills [M, B] of attributions [M, B, S] on resampled profiles [B, S]."""
    nulls = target.nulls.values()
    found = [overlaps(np.broadcast_to(null, targets.shape), targets) for null in nulls]
    best = np.max([*np.nan_to_num(found), random_overlap(targets)], axis=0)
    room = target.ceiling - best
    return np.array([skills(overlaps(own, targets), best, room) for own in owns])


def drawn(reference: PromptwiseReference, rows: np.ndarray) -> PromptwiseReference:
    """Take some prompts of a reference."""
    return PromptwiseReference(
        gain=reference.gain[rows],
        signature=reference.signature[rows],
        ablated=reference.ablated[rows],
    )


def task_skills(
    rng: np.random.Generator | None, found: Targets, owns: np.ndarray
) -> np.ndarray:
    """Return skills [M, 1 + B] on a task: of a sample, and of its resamples.

    Args:
        rng: None for the skills of all prompts.
        found: What attributions on the task are scored against.
        owns: Attributions, methods x prompts x sections.
    """
    measured = found[PROFILES[0]].reference.promptwise
    if rng is not None:
        measured = drawn(measured, rng.integers(0, measured.n_prompts, 32))
        owns = owns[:, rng.integers(0, owns.shape[1], owns.shape[1])]
    n, n_own = measured.n_prompts, owns.shape[1]
    rows = own_rows = np.zeros((0, 1), dtype=int)
    if rng is not None:
        rows = rng.integers(0, n, (RESAMPLES, n))
        own_rows = rng.integers(0, n_own, (RESAMPLES, n_own))
    rows = [np.arange(n), *rows]
    own_rows = [np.arange(n_own), *own_rows]
    values = np.array([[own[r].mean(axis=0) for r in own_rows] for own in owns])
    both = [
        skills_of(values, found[name], measured.profiles(name, np.array(rows)))
        for name in PROFILES
    ]
    return np.mean(both, axis=0)


def main() -> None:
    """Print how often all of a method's differences lie in their intervals."""
    trusted = read_trusted(ROOT)
    found = {s.manifest.method.name: s for s in collect_submissions(ROOT, trusted)}
    tasks = []
    for task in trusted.suite("core").tasks:
        owns = [found[m].records[task].writes.per_prompt for m in METHODS]
        tasks.append((trusted.targets(task, "core"), np.array(owns)))
    truth = np.mean([task_skills(None, *task)[:, 0] for task in tasks], axis=0)
    rng = np.random.default_rng(0)
    held, wrong = [], []
    for _ in range(SAMPLES):
        sample = np.mean([task_skills(rng, *task) for task in tasks], axis=0)
        points, draws = sample[:, 0], sample[:, 1:]
        for i in range(len(METHODS)):
            gaps = points - points[i]
            reach = simultaneous_reach(gaps, draws - draws[i])
            off = np.abs(gaps - truth + truth[i])
            held.append(np.all(off <= reach + 1e-9))
            reversed_ = np.sign(gaps) == -np.sign(truth - truth[i])
            wrong.append(np.any((np.abs(gaps) > reach) & reversed_))
        print(".", end="", flush=True)
    share = np.reshape(held, (SAMPLES, -1)).mean(axis=0)
    errors = np.reshape(wrong, (SAMPLES, -1)).mean(axis=0)
    print()
    rows = list(zip(METHODS, truth, share, errors, strict=True))
    rows.append(("all", truth.mean(), share.mean(), errors.mean()))
    heads = ["method", "skill", "all differences held", "separated the wrong way"]
    print(tabulate(rows, heads, floatfmt=".3f"))


if __name__ == "__main__":
    main()
