"""The same work for every engine, counted in runs of a prompt.

Shapes: P prompts, J sources, N residual points, T positions, A ablated sections.
"""

import torch
from torch import Tensor
from torch.nn import functional

from bench.models.edits import Edit, replace_write
from bench.perturbation.differences import FiniteDifference
from bench.perturbation.layout import Bench, no_progress
from bench.perturbation.readout import CONTROL, COPY
from bench.perturbation.replacements import clean_writes
from tests.benchmarks.speed.engines import Forward

STRENGTH = 0.05
"""Large, so that engines agree to rounding; time does not depend on it."""
DIFFERENCE = FiniteDifference(STRENGTH)


def ablated_values(bench: Bench) -> dict[int, Tensor]:
    """Return half of the sections, as deep in the mean as all; each writes a mean."""
    means = clean_writes(bench).mean(dim=(1, 2), keepdim=True)
    return {s: mean for s, mean in enumerate(means) if s % 4 in (0, 3)}


def our_responses(bench: Bench, difference: FiniteDifference = DIFFERENCE) -> Tensor:
    """Measure relative responses at every residual point, [P, J, N, T]."""

    def work(prompts: slice, _step: object) -> Tensor:
        runs = bench.runs(bench.repeated.rows(prompts))
        parts = [
            functional.pad(runs.respond(group, difference).relative, (group.start, 0))
            for group in runs.groups
        ]
        return torch.cat(parts, dim=1)

    return torch.cat(bench.by_chunks(work, steps=1, progress=no_progress))


def rival_responses(bench: Bench, forward: Forward) -> Tensor:
    """Measure the same with one run for each source, and one clean run a prompt."""
    rows = [
        torch.stack(one_prompt(bench, forward, row, {})) for row in range(len(bench))
    ]
    return torch.stack(rows)


def one_prompt(
    bench: Bench, forward: Forward, row: int, edits: dict[int, Edit]
) -> list[Tensor]:
    """Measure the relative responses of one prompt's sources, [N, T] each."""
    probing, rows = bench.repeated, slice(row, row + 1)
    ids, still = probing.ids[rows], torch.zeros_like(probing.embeddings[rows])
    clean = torch.cat(forward(ids, still, edits).points)
    found: list[Tensor] = []
    for position, tangent in zip(
        probing.positions[row], probing.tangents[row], strict=True
    ):
        change = still.clone()
        change[0, position] = STRENGTH * tangent
        moved = torch.cat(forward(ids, change, edits).points) - clean
        found.append(moved.norm(dim=-1) / STRENGTH / clean.norm(dim=-1))
    return found


def first_site(bench: Bench) -> int:
    """Return the first position that is read under ablations."""
    return bench.readouts.first_site((COPY, CONTROL))


def our_ablations(bench: Bench) -> Tensor:
    """Measure final relative responses under ablations, [A, P, J, K].

    Read are the K positions from the first copy or control site on.
    """
    values, first = ablated_values(bench), first_site(bench)

    def work(prompts: slice, _step: object) -> Tensor:
        runs = bench.runs(bench.repeated.rows(prompts))
        state, last = runs.clean.points[0], runs.groups[-1].start
        ablations = [
            runs.ablate(section, value.expand_as(state), last_start=last)
            for section, value in values.items()
        ]
        found: list[Tensor] = []
        for group in runs.groups:
            each = runs.respond_under(ablations, group, DIFFERENCE, sites_from=first)
            found.append(torch.stack([one.relative[:, :, 0] for one in each]))
        return torch.cat(found, dim=2)

    return torch.cat(bench.by_chunks(work, steps=1, progress=no_progress), dim=1)


def rival_ablations(bench: Bench, forward: Forward) -> Tensor:
    """Measure the same with one run for each source and ablated section."""
    first, found = first_site(bench), []
    for section, value in ablated_values(bench).items():
        edits: dict[int, Edit] = {section: replace_write(value)}
        found += [
            torch.stack([f[-1, first:] for f in one_prompt(bench, forward, row, edits)])
            for row in range(len(bench))
        ]
    return torch.stack(found).unflatten(0, (-1, len(bench)))
