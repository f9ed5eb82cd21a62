"""A suite of tasks that no model was run for, and methods of known quality on it.

Shapes: P prompts, S sections.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float

from bench.leaderboard.rows import Row
from bench.profiles.attribution import LayerAttribution
from bench.results.attribution_record import MethodKey
from bench.results.reference_record import Reference
from bench.results.scoring import TaskScores
from bench.results.store import write_atomically
from bench.results.trusted import Trusted
from tests.conftest import RECIPE, score_against, write_reference, write_task

Profile = Float[np.ndarray, " S"]
Answers = Mapping[str, Profile]
"""Task to attribution."""

SUITE = """\
[core]
version = "1.0"
summary = "Simulated tasks."
tasks = {tasks}
"""
PROMPT_NOISE = 0.1
"""Of a section on a single prompt, where the peak is 1."""


def method_key(
    name: str, *, origin: Literal["file", "built-in"] = "built-in"
) -> MethodKey:
    """Return the key of a method that never ran."""
    return MethodKey(
        name=name,
        kind="write",
        origin=origin,
        source="simulated.py",
        source_sha256="0" * 64,
        summary="Simulated.",
    )


def circuit(rng: np.random.Generator, blocks: int) -> Profile:
    """Put everything on three sections anywhere."""
    weights = np.zeros(2 * blocks)
    weights[rng.choice(2 * blocks, size=3, replace=False)] = (1.0, 0.6, 0.4)
    return weights


def arrays_of(
    rng: np.random.Generator, emergence: Profile, composition: Profile
) -> dict[str, np.ndarray]:
    """Make the arrays of a reference with these profiles, up to prompt noise."""
    shape = (RECIPE.reference, len(emergence))
    gain = emergence + rng.normal(0.0, PROMPT_NOISE, shape)
    signature = np.cumsum(np.pad(gain, ((0, 0), (1, 0))), axis=1)
    lost = composition + rng.normal(0.0, PROMPT_NOISE, shape)
    # below 1 by far, where composition is clipped
    ablated = signature[:, -1:] * (1.0 - 0.8 * lost / composition.max())
    return {
        "gain": gain,
        "signature": signature,
        "ablated_mean": ablated,
        "ablated_resample": ablated,
    }


def simulated_suite(root: Path, flat: list[tuple[float, float]]) -> Trusted:
    """Write tasks with references, where one circuit is the answer to both profiles.

    Args:
        root: Where the repository shall lie.
        flat: For each task what every section has besides the circuit, in its
            emergence and in its composition.
    """
    tasks = [f"induction/task-{number:02}" for number in range(len(flat))]
    write_atomically(root / "tasks" / "suites.toml", SUITE.format(tasks=tasks).encode())
    rng = np.random.default_rng(20)
    for name, (emergence, composition) in zip(tasks, flat, strict=True):
        blocks = int(rng.integers(7, 12))
        task, own = write_task(root, name, blocks=blocks), circuit(rng, blocks)
        arrays = arrays_of(rng, own + emergence, own + composition)
        write_reference(root, task, arrays)
    return Trusted(root, built_in=frozenset())


def scored(
    references: Mapping[str, Reference], answers: Answers
) -> tuple[TaskScores, ...]:
    """Score answers, each with the references of all other tasks as a null."""
    return tuple(
        score_against(
            LayerAttribution(values=values),
            references[task],
            others=[other for name, other in references.items() if name != task],
        )
        for task, values in answers.items()
    )


def row(name: str, scores: tuple[TaskScores, ...], tasks: tuple[str, ...]) -> Row:
    """Make the row of a built-in method."""
    return Row(
        method=name,
        kind="builtin",
        tier="built-in",
        summary="",
        scores=scores,
        records=(),
        suite_tasks=tasks,
    )


def copied(
    references: Mapping[str, Reference], rng: np.random.Generator, *, noise: float
) -> Answers:
    """Answer with the reference's emergence and noise, as a part of its peak."""
    answers: dict[str, Profile] = {}
    for task, reference in references.items():
        truth = reference.promptwise.profile("emergence")
        answers[task] = truth + noise * truth.max() * rng.normal(size=len(truth))
    return answers
