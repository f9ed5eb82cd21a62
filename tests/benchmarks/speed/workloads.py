"""The same work for every engine, counted in runs of a prompt.

Shapes: P prompts, J sources, N residual points, T positions, A ablated sections.
"""

from collections.abc import Iterator

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
    """Measure the same with one run of all prompts for each source, and a clean one."""
    return torch.stack(list(by_source(bench, forward, {}))).permute(2, 0, 1, 3)


def by_source(
    bench: Bench, forward: Forward, edits: dict[int, Edit]
) -> Iterator[Tensor]:
    """Measure the relative responses of one source of each prompt at a time, [N, P, T].

    Prompts share a run, as they do in ours.
    """
    probing = bench.repeated
    ids, still = probing.ids, torch.zeros_like(probing.embeddings)
    clean = torch.stack(forward(ids, still, edits).points)
    rows = torch.arange(len(bench))
    for number in range(probing.n_sources):
        change = still.clone()
        tangents = probing.tangents[:, number]
        change[rows, probing.positions[:, number]] = STRENGTH * tangents
        moved = torch.stack(forward(ids, change, edits).points) - clean
        yield moved.norm(dim=-1) / STRENGTH / clean.norm(dim=-1)


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
    first = first_site(bench)
    found = [
        torch.stack(
            [
                responses[-1][:, first:]
                for responses in by_source(
                    bench, forward, {section: replace_write(value)}
                )
            ],
            dim=1,
        )
        for section, value in ablated_values(bench).items()
    ]
    return torch.stack(found)
