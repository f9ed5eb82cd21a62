"""Perturbed runs, one for each source of each prompt, and nothing computed twice.

A model is causal, so that a run begins at its source's position, with the keys and
values that the clean run left before it. A section that writes something else leaves
all before it alone, so that a run under ablation begins there, with the residual that
the run without ablation had.

Where few prompts would make a small batch, neighbouring sources share one, which begins
at the first of them: its other rows run over a few positions that cannot have changed.

Shapes: P prompts, G sources of a group, S sections, N = S + 1 residual points, T
positions, d width.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor
from transformers import DynamicCache

from bench.models.past import NO_PAST, Past
from bench.models.rerun import Known, run_on
from bench.models.run import run_from
from bench.models.subject import SubjectModel
from bench.perturbation.differences import Difference
from bench.perturbation.response import Probing, Response
from bench.profiles.sections import SECTIONS_PER_BLOCK


@dataclass(frozen=True)
class CleanRun:
    """A run without perturbation, and what runs after it need of it."""

    points: list[Float[Tensor, "P T d"]]
    past: Past


@dataclass(frozen=True)
class Group:
    """Neighbouring sources of all prompts: their runs begin at one position."""

    sources: slice
    size: int
    start: int


@dataclass(frozen=True)
class Ablation:
    """The prompts without perturbation, while one section writes another thing."""

    section: int
    write: Float[Tensor, "P T d"]
    """What it writes."""
    final: Float[Tensor, "P T d"]
    """The last residual point."""
    past: Past
    """Of all blocks, as far as sources need it."""


@dataclass(frozen=True)
class SourceRuns:
    """The perturbed runs of a few prompts."""

    model: SubjectModel
    probing: Probing
    group_size: int
    """Sources of a group."""

    @cached_property
    def clean(self) -> CleanRun:
        """The run without perturbation, made once."""
        cache = DynamicCache()
        with torch.no_grad():
            points = run_from(
                self.model,
                self.probing.ids,
                block=0,
                state=self.probing.embeddings,
                cache=cache,
            )
        return CleanRun(points, NO_PAST.written_from(0, cache))

    @cached_property
    def groups(self) -> list[Group]:
        """All sources, in groups."""
        size = self.group_size
        firsts = range(0, self.probing.n_sources, size)
        return [self._group(slice(first, first + size)) for first in firsts]

    def _group(self, sources: slice) -> Group:
        positions = self.probing.positions[:, sources]
        return Group(sources, positions.shape[1], int(positions.min()))

    def respond(self, group: Group, difference: Difference) -> Response:
        """Run a group's sources and return the response at every residual point."""
        found = self.points(group, difference)
        clean = torch.stack([point[:, group.start :] for point in self.clean.points])
        return self._response(group, difference, found, clean)

    def points(self, group: Group, difference: Difference) -> Float[Tensor, "N PG T d"]:
        """Run a group's sources and return every residual point, or its tangent."""
        rows = self._rows(group, self.probing.embeddings)
        chosen = self.probing.sources(group.sources)
        tangents = torch.zeros_like(rows)
        at = (chosen.positions - group.start).flatten()
        every = torch.arange(len(rows), device=rows.device)
        tangents[every, at] = chosen.tangents.flatten(0, 1)
        ids, past = self._context(group, self.clean.past)

        def forward(state: Float[Tensor, "PG T d"]) -> Float[Tensor, "N PG T d"]:
            return torch.stack(
                run_from(self.model, ids, block=0, state=state, cache=past.cache())
            )

        return difference.run(forward, rows, difference.start(rows, tangents))

    def ablate(
        self,
        section: int,
        write: Float[Tensor, "P T d"],
        *,
        last_start: int,
    ) -> Ablation:
        """Let a section write another thing, and run the prompts on from there.

        Args:
            section: The section.
            write: What it writes.
            last_start: Where the last group starts that is run under the ablation;
                less is kept then.
        """
        known = Known(section, self.clean.points[section], write)
        cache = DynamicCache()
        with torch.no_grad():
            final = run_on(self.model, self.probing.ids, known, cache=cache)
        next_block = section // SECTIONS_PER_BLOCK + 1
        past = self.clean.past.written_from(next_block, cache, before=last_start)
        return Ablation(section, write, final, past)

    def respond_under(
        self,
        ablations: Iterable[Ablation],
        group: Group,
        difference: Difference,
        *,
        sites_from: int,
    ) -> Iterator[Response]:
        """Yield a group's response at the last residual point under each ablation.

        Args:
            ablations: See :meth:`ablate`.
            group: The sources.
            difference: How the perturbed runs are made.
            sites_from: The first position to read; the group's start at the earliest.
        """
        points, first = self.points(group, difference), max(group.start, sites_from)
        for ablation in ablations:
            state = points[ablation.section]
            found = self._run_under(ablation, group, difference, state, first)
            clean = ablation.final[None, :, first:]
            yield self._response(group, difference, found, clean)

    def _run_under(
        self,
        ablation: Ablation,
        group: Group,
        difference: Difference,
        state: Float[Tensor, "PG T d"],
        first: int,
    ) -> Float[Tensor, "1 PG T_ d"]:
        """Run a group on from what its ablated section reads, to sites from a first."""
        section, write = ablation.section, self._rows(group, ablation.write)
        ids, past = self._context(group, ablation.past)
        unread = first - group.start

        def forward(state: Float[Tensor, "PG T d"]) -> Float[Tensor, "1 PG T_ d"]:
            known = Known(section, state, write)
            last = run_on(self.model, ids, known, cache=past.cache(), unread=unread)
            return last[None, :, unread:]

        before = self._rows(group, self.clean.points[section])
        return difference.run(forward, before, state)

    def _response(
        self,
        group: Group,
        difference: Difference,
        found: Float[Tensor, "N PG T_ d"],
        clean: Float[Tensor, "N P T_ d"],
    ) -> Response:
        each = found.unflatten(1, (len(self.probing), -1))
        change = difference.change(each, clean[:, :, None])
        tangents = self.probing.tangents[:, group.sources]
        return Response(
            change=change.movedim(0, 2),
            residual=clean.transpose(0, 1)[:, None].norm(dim=-1),
            perturbation=tangents.norm(dim=-1)[..., None, None],
        )

    def _context(self, group: Group, past: Past) -> tuple[Tensor, Past]:
        """Return a group's tokens and what came before them, for each of its rows."""
        past = past.before(group.start).repeated(group.size)
        return self._rows(group, self.probing.ids), past

    def _rows(self, group: Group, values: Tensor) -> Tensor:
        """Repeat prompts for each source of a group, from its position on."""
        return values[:, group.start :].repeat_interleave(group.size, dim=0)
