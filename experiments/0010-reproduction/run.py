"""Run built-in methods on fresh circuits and on the public ones.

Question and answer are in ``README.md`` beside this file. Run

    python experiments/0010-reproduction/run.py --out OUT
    python experiments/0010-reproduction/study.py OUT/skills.json

One JSON file a circuit is kept in ``OUT/cells``, so the same command continues after an
interruption, and several may run at once on different ``--part``s.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import torch

from bench.errors import MethodFailedError
from bench.evaluation.answers import run_method
from bench.methods.context import TaskContext
from bench.methods.discovery import find_method
from bench.models.behaviour import to_batch
from bench.profiles.promptwise import PROFILES
from bench.reproduction.circuits import (
    Circuit,
    circuit_of,
    fresh_circuits,
    measured_nulls,
    planted_tasks,
)
from bench.reproduction.grading import grade
from bench.results.store import write_atomically
from bench.tasks.registry import data_root, find_task, task_files

EACH = 30
COMMIT, DIGEST = "0" * 40, "0" * 64
METHODS = (
    "activation-patching-denoising",
    "attn-lrp",
    "attribution-patching",
    "direct-logit-attribution",
    "eap-layer-in",
    "eap-layer-in-absolute",
    "gim",
    "gradient-norm",
    "gradient-x-activation",
    "hisp",
    "information-flow-routes",
    "logit-lens",
    "mean-ablation",
    "ov-copying-score",
    "path-patching-direct",
    "prefix-matching-score",
    "relp",
    "resample-ablation",
    "write-patching-noising",
    "zero-ablation",
)
"""The cheap ones, of every family."""


def main() -> None:
    """Run what is missing, then collect."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--part", default="0/1", help="as in 0/2 and 1/2")
    options = parser.parse_args()
    torch.set_num_threads(1)
    public = [circuit_of(task) for task in public_tasks()]
    shapes = [circuit.shape for circuit in public]
    fresh = fresh_circuits(shapes, each=EACH, commit=COMMIT, digest=DIGEST)
    part, parts = map(int, options.part.split("/"))
    for index, circuit in enumerate((*public, *fresh)):
        path = options.out / "cells" / f"{index:03d}.json"
        if index % parts == part and not path.is_file():
            found = measure(circuit) | {"public": index < len(public)}
            write_atomically(path, json.dumps(found).encode())
    cells = sorted((options.out / "cells").glob("*.json"))
    rows = [json.loads(cell.read_text()) for cell in cells]
    write_atomically(options.out / "skills.json", json.dumps(rows, indent=0).encode())
    print(f"{len(rows)} circuits")


def public_tasks() -> tuple[Any, ...]:
    """Return the planted tasks of the repository."""
    root = data_root()
    return planted_tasks(find_task(name, root=root) for name in task_files(root))


def measure(circuit: Circuit) -> dict[str, Any]:
    """Run every method on a circuit."""
    model, prompts = circuit.build(), circuit.prompts()
    nulls = measured_nulls(model, prompts)
    shape = circuit.shape
    methods: dict[str, Any] = {}
    for name in METHODS:
        found = find_method(name)
        ctx = TaskContext(
            model, to_batch(prompts, device="cpu"), torch.Generator().manual_seed(0)
        )
        started = time.perf_counter()
        try:
            answer, _ = run_method(found, ctx)
        except MethodFailedError as error:
            methods[name] = {"error": str(error)}
            continue
        graded = grade(
            answer.values, kind=found.method.kind, truth=circuit.truth, nulls=nulls
        )
        methods[name] = {
            "overlap": [graded.overlap[p].value for p in PROFILES],
            "skill": [graded.skill[p].value for p in PROFILES],
            "wall_s": round(time.perf_counter() - started, 2),
        }
    return {
        "architecture": shape.architecture,
        "blocks": shape.blocks,
        "redundant": shape.redundant,
        "seed": circuit.seed,
        "methods": methods,
    }


if __name__ == "__main__":
    main()
