"""How far do skills move with the seed of a method's randomness?

Methods that draw (causal tracing's noise, the masks of subnetwork probing, the lenses'
batches, probed directions), and some that do not: theirs moves with the untrained model
that their own null is measured on. Run, 40 minutes on one core:
``python experiments/0008-seeds/study.py FOLDER``; the same command continues.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from tabulate import tabulate

DRAWING = ["causal-tracing", "subnetwork-probing", "tuned-lens", "linear-response"]
FIXED = ["attribution-patching", "mean-ablation", "gim", "information-flow-routes"]
SEEDS = range(5)
PROFILES = ("emergence", "composition")


def evaluated(folder: Path, seed: int) -> list[dict]:
    """Evaluate all methods with a seed; what was evaluated before is kept."""
    place = folder / f"seed-{seed}"
    place.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "bench", "evaluate", *DRAWING, *FIXED]
    command += ["--seed", str(seed), "--json"]
    done = subprocess.run(  # noqa: S603  (names above, and numbers)
        command, cwd=place, check=True, stdout=subprocess.PIPE
    )
    return json.loads(done.stdout)


def skills(document: dict) -> np.ndarray:
    """Return the skill on each task and profile."""
    return np.array(
        [[task["profiles"][p]["skill"] for p in PROFILES] for task in document["tasks"]]
    )


def main() -> None:
    """Print the spread over seeds of every method's mean skill and single skills."""
    runs = [evaluated(Path(sys.argv[1]), seed) for seed in SEEDS]
    rows = []
    for number, document in enumerate(runs[0]):
        found = np.array([skills(run[number]) for run in runs])
        means = found.mean(axis=(1, 2))
        spread = found.std(axis=0, ddof=1)
        low, high = document["prompt_interval"]
        moved = means.mean(), means.std(ddof=1), np.ptp(means)
        single = *spread.mean(axis=0), spread.max()
        rows.append([document["method"], *moved, *single, high - low])
    heads = ["method", "mean skill", "sd over seeds", "range"]
    heads += ["sd, emergence", "sd, composition", "largest sd", "prompt interval"]
    print(tabulate(rows, heads, floatfmt=".3f"))


if __name__ == "__main__":
    main()
