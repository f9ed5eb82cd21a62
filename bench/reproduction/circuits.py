"""Circuits that did not exist when a method was submitted.

Shapes: S sections.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np
from jaxtyping import Float

from bench.models.planted.build import build_planted
from bench.models.subject import SubjectModel
from bench.perturbation.layout import lay_out, no_progress
from bench.perturbation.stages import plain_behaviour
from bench.profiles.promptwise import ProfileName
from bench.results.targets import NORM_GROWTH, Nulls, measure_yardstick
from bench.scores.nulls import ANALYTIC
from bench.tasks.drawing import draw_prompts
from bench.tasks.planted import PlantedRecipe, draw_placement
from bench.tasks.prompts import Prompt
from bench.tasks.spec import Task

MOST_NULL = 0.5
"""A draw in which a null finds more than this part of a profile is drawn again: the
planted tasks of ``core`` were chosen by the same rule."""
DISCOVERY = 32
"""Prompts of a fresh circuit, as many as the planted tasks of ``core`` have."""
FEWEST_REFERENCE = 17
"""Prompts that the recipe wants drawn for a reference; none is measured here."""


@dataclass(frozen=True, order=True)
class Shape:
    """What a planted circuit looks like from outside."""

    architecture: str
    blocks: int
    redundant: bool
    """Whether two sections share the copying."""


@dataclass(frozen=True)
class Circuit:
    """A planted circuit: a shape and the seed that decides everything else."""

    shape: Shape
    seed: int

    @property
    def recipe(self) -> PlantedRecipe:
        """What the model is built by."""
        return PlantedRecipe(seed=self.seed, redundant=self.shape.redundant)

    @property
    def truth(self) -> dict[ProfileName, Float[np.ndarray, " S"]]:
        """The profiles, known by construction."""
        placement = draw_placement(self.recipe, blocks=self.shape.blocks)
        return placement.truth(2 * self.shape.blocks)

    def build(self) -> SubjectModel:
        """Write the model."""
        shape = self.shape
        model = build_planted(
            self.recipe, architecture=shape.architecture, blocks=shape.blocks
        )
        model.module.eval().requires_grad_(False)
        return model

    def prompts(self) -> tuple[Prompt, ...]:
        """Draw what a method sees."""
        recipe = self.recipe.prompts(discovery=DISCOVERY, reference=FEWEST_REFERENCE)
        return tuple(p for p in draw_prompts(recipe) if p.split == "discovery")


def planted_tasks(tasks: Iterable[Task]) -> tuple[Task, ...]:
    """Return the public tasks with a planted circuit, by name."""
    found = [task for task in tasks if task.spec.model.planted is not None]
    return tuple(sorted(found, key=lambda task: task.id))


def circuit_of(task: Task) -> Circuit:
    """Return the circuit of a planted task.

    Raises:
        ValueError: The task's model is not a planted one.
    """
    source = task.spec.model
    if source.planted is None:
        raise ValueError(f"The model of '{task.id}' is not planted.")
    recipe = source.planted
    shape = Shape(source.architecture, source.blocks, recipe.redundant)
    return Circuit(shape, recipe.seed)


def fresh_circuits(
    shapes: Sequence[Shape], *, each: int, commit: str, digest: str
) -> tuple[Circuit, ...]:
    """Derive circuits that nobody could know before the commit.

    Args:
        shapes: Shapes to draw; those of the public planted tasks, so that fresh and
            public ones differ in nothing but their seeds.
        each: Circuits of each shape.
        commit: The commit that the submission is judged at.
        digest: The submission's.

    Returns:
        The circuits, all shapes in turn.
    """
    many = [shape for _ in range(each) for shape in shapes]
    return tuple(
        _fresh(shape, f"{commit}\n{digest}\n{index}")
        for index, shape in enumerate(many)
    )


def _fresh(shape: Shape, key: str) -> Circuit:
    seeds = (hashed_seed(f"{key}\n{attempt}") for attempt in count())
    return next(c for c in (Circuit(shape, s) for s in seeds) if leaves_room(c))


def hashed_seed(key: str) -> int:
    """Hash a key to a seed of 63 bits."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) >> 1


def leaves_room(circuit: Circuit) -> bool:
    """Whether no null that needs no model finds more than half of a profile."""
    nulls = analytic_nulls(2 * circuit.shape.blocks)
    found = (
        measure_yardstick(nulls, profile, ceiling=1.0).best_null[1]
        for profile in circuit.truth.values()
    )
    return max(found) <= MOST_NULL


def analytic_nulls(n_sections: int) -> dict[str, Float[np.ndarray, " S"]]:
    """Return the nulls that know the number of sections alone."""
    return {name: build(n_sections) for name, build in ANALYTIC.items()}


def measured_nulls(model: SubjectModel, prompts: Sequence[Prompt]) -> Nulls:
    """Return the analytic nulls and the growth of the residual's norm."""
    bench = lay_out(model, prompts, seed=0)
    growth = plain_behaviour(bench, progress=no_progress)["norm_growth"]
    return analytic_nulls(model.n_sections) | {NORM_GROWTH: growth}
