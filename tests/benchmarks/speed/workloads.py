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
from bench.perturbation.replacements import clean_writes, mean_of_others
from tests.benchmarks.speed.engines import Forward

STRENGTH = 0.05
"""Large, so that engines agree to rounding; time does not depend on it."""
DIFFERENCE = FiniteDifference(STRENGTH)


def ablated_sections(bench: Bench) -> list[int]:
    """Return two sections, a quarter and three quarters up: half way in the mean."""
    return [bench.model.n_sections * k // 4 for k in (1, 3)]


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
    """Measure a few prompts' final relative responses under ablations, [A, P, J, K].

    Read are the K positions from the first copy or control site on.
    """
    writes, runs = mean_of_others(clean_writes(bench)), bench.runs(bench.repeated)
    first = first_site(bench)
    points = [(group, runs.points(group, DIFFERENCE)) for group in runs.groups]
    found: list[Tensor] = []
    for section in ablated_sections(bench):
        ablation = runs.ablate(section, writes[section])
        parts: list[Tensor] = []
        for group, each in points:
            response = runs.respond_under(
                ablation, group, DIFFERENCE, points=each, sites_from=first
            )
            parts.append(response.relative[:, :, 0])
        found.append(torch.cat(parts, dim=1))
    return torch.stack(found)


def rival_ablations(bench: Bench, forward: Forward) -> Tensor:
    """Measure the same with one run for each source and ablated section."""
    values = mean_of_others(clean_writes(bench))
    first = first_site(bench)
    found = [
        torch.stack([f[-1, first:] for f in one_prompt(bench, forward, row, edits)])
        for section in ablated_sections(bench)
        for row in range(len(bench))
        for edits in [{section: replace_write(values[section, row][None])}]
    ]
    return torch.stack(found).unflatten(0, (-1, len(bench)))
