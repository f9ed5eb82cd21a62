"""What does a disguise of the trained models do to honest methods?

    python experiments/0010-reproduction/trained.py --out OUT

runs methods on the trained public models and on disguised ones of the same function,
and prints the overlap with the reference of both.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from run import METHODS

from bench.errors import MethodFailedError
from bench.evaluation.answers import run_method
from bench.evaluation.contexts import OpenedTask
from bench.methods.context import TaskContext
from bench.methods.discovery import FoundMethod, find_method
from bench.models.behaviour import PromptBatch
from bench.models.subject import SubjectModel
from bench.profiles.attribution import as_writes
from bench.profiles.promptwise import PROFILES
from bench.reproduction.disguise import disguise, moved
from bench.results.reference_record import read_reference
from bench.results.store import write_atomically
from bench.scores.overlap import overlap
from bench.tasks.registry import data_root, find_task

TASKS = ("small-gpt2", "small-llama", "small-gemma2")
SEEDS = (0, 1)


@dataclass(frozen=True)
class Case:
    """A model, its prompts, and the profiles to find."""

    model: SubjectModel
    prompts: PromptBatch
    profiles: list[np.ndarray]

    def score(self, found: FoundMethod) -> list[float]:
        """Return a method's overlap with each profile."""
        ctx = TaskContext(
            self.model, self.prompts.clone(), torch.Generator().manual_seed(0)
        )
        answer, _ = run_method(found, ctx)
        writes = as_writes(answer, kind=found.method.kind).values
        return [overlap(writes, p).value or 0.0 for p in self.profiles]


def main() -> None:
    """Run all methods, task by task."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    out = parser.parse_args().out
    torch.set_num_threads(1)
    root, rows = data_root(), []
    for name in TASKS:
        task = find_task(f"induction/{name}", root=root)
        opened = OpenedTask(task, device="cpu", seed=0)
        reference = read_reference(task, root=root).promptwise
        plain = Case(
            opened.subject, opened.prompts, [reference.profile(p) for p in PROFILES]
        )
        cases = [plain, *(disguised(plain, seed) for seed in SEEDS)]
        for method in METHODS:
            rows.append(row(name, find_method(method), cases))
            print(json.dumps(rows[-1]), flush=True)
    write_atomically(out / "trained.json", json.dumps(rows, indent=0).encode())


def disguised(case: Case, seed: int) -> Case:
    """Disguise a case."""
    made = disguise(case.model, case.prompts, seed=seed)
    n = made.model.n_sections
    return Case(
        made.model,
        made.prompts,
        [moved(p, made.kept, n_sections=n) for p in case.profiles],
    )


def row(task: str, found: FoundMethod, cases: list[Case]) -> dict[str, Any]:
    """Score a method on the public model and on its disguises."""
    try:
        plain, *others = [float(np.mean(case.score(found))) for case in cases]
    except MethodFailedError as error:
        return {"task": task, "method": found.method.name, "error": str(error)}
    drops = [round(plain - other, 4) for other in others]
    return {
        "task": task,
        "method": found.method.name,
        "plain": round(plain, 4),
        "drops": drops,
    }


if __name__ == "__main__":
    main()
