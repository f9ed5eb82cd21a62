"""Which bootstrap interval over prompts covers the overlap that all prompts would give?

The stored prompts of a reference and of a method stand for all prompts there are. As
many are drawn from them with replacement, as a measurement would, and three intervals
are made of resamples of this sample. Run, some minutes:
``python experiments/0007-ranking/prompts.py``.
"""

from pathlib import Path

import numpy as np
from tabulate import tabulate

from bench.cli.trusted import read_trusted
from bench.profiles.promptwise import PROFILES, PromptwiseReference
from bench.results.attribution_record import AttributionRecord
from bench.scores.overlap import overlap, overlaps
from bench.submissions.collect import collect_submissions

ROOT = Path(__file__).parents[2]
SAMPLES, RESAMPLES = 200, 200
METHODS = ("mean-ablation", "attribution-patching", "eap-ig", "logit-lens", "gim")


def per_prompt(record: AttributionRecord) -> np.ndarray:
    """Return the writes of each prompt."""
    writes = record.writes.per_prompt
    if writes is None:
        raise ValueError(f"'{record.method.name}' gives nothing for single prompts.")
    return writes


def sampled(
    rng: np.random.Generator, reference: PromptwiseReference, own: np.ndarray
) -> tuple[PromptwiseReference, np.ndarray]:
    """Draw as many prompts again, of both sides."""
    rows = rng.integers(0, reference.n_prompts, size=reference.n_prompts)
    taken = PromptwiseReference(
        gain=reference.gain[rows],
        signature=reference.signature[rows],
        ablated=reference.ablated[rows],
    )
    return taken, own[rng.integers(0, len(own), size=len(own))]


def intervals(
    rng: np.random.Generator, reference: PromptwiseReference, own: np.ndarray, name: str
) -> tuple[float, dict[str, tuple[float, float]]]:
    """Return the overlap of a sample and three 95 % intervals around it."""
    point = overlap(own.mean(axis=0), reference.profile(name)).value or 0.0
    n = reference.n_prompts
    targets = reference.profiles(name, rng.integers(0, n, size=(RESAMPLES, n)))
    rows = rng.integers(0, len(own), size=(RESAMPLES, len(own)))
    draws = np.nan_to_num(overlaps(own[rows].mean(axis=1), targets))
    low, high = np.quantile(draws, [0.025, 0.975])
    spread = 1.96 * draws.std(ddof=1)
    return point, {
        "percentile": (low, high),
        "basic": (2 * point - high, 2 * point - low),
        "standard error": (point - spread, point + spread),
    }


def main() -> None:
    """Print how often each interval holds the overlap of all prompts."""
    trusted = read_trusted(ROOT)
    found = {s.manifest.method.name: s for s in collect_submissions(ROOT, trusted)}
    rows = []
    for method in METHODS:
        for task in trusted.suite("core").tasks:
            reference = trusted.reference(task).promptwise
            own = per_prompt(found[method].records[task])
            for name in PROFILES:
                rows.append([method, task, name, *coverage(reference, own, name)])
                print(".", end="", flush=True)
    heads = ["bias", "percentile", "basic", "standard error"]
    print()
    print(tabulate(rows, ["method", "task", "profile", *heads], floatfmt=".3f"))
    print(dict(zip(heads, np.mean([row[3:] for row in rows], axis=0), strict=True)))


def coverage(
    reference: PromptwiseReference, own: np.ndarray, name: str
) -> tuple[float, ...]:
    """Return the bias of a sample's overlap, and the coverage of each interval."""
    rng = np.random.default_rng(0)
    truth = overlap(own.mean(axis=0), reference.profile(name)).value or 0.0
    points, held = [], []
    for _ in range(SAMPLES):
        point, found = intervals(rng, *sampled(rng, reference, own), name)
        points.append(point)
        held.append([low <= truth <= high for low, high in found.values()])
    return float(np.mean(points)) - truth, *np.mean(held, axis=0)


if __name__ == "__main__":
    main()
