"""Perturbed runs, one for each source of each prompt, and nothing computed twice.

A model is causal, so that a run begins at its source's position, with the keys and
values that the clean run left before it. A section that writes something else leaves
the blocks before it alone, so that a run under ablation begins at its block, with what
the run without ablation had there.

Neighbouring sources share a batch, which begins at the first of them: its other rows
run over a few positions that cannot have changed.

Shapes: P prompts, G sources of a group, N residual points, T positions, d width.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor
from transformers import DynamicCache

from bench.models.edits import Edit, replace_write
from bench.models.memory import GROUP
from bench.models.past import NO_PAST, Past
from bench.models.run import run_from
from bench.models.subject import SubjectModel
from bench.perturbation.differences import Difference
from bench.perturbation.response import Probing, Response
from bench.profiles.sections import SECTIONS_PER_BLOCK

ALL = slice(None)
ENTRIES = slice(None, -1, SECTIONS_PER_BLOCK)
"""Of the residual points, those that enter blocks."""


@dataclass(frozen=True)
class CleanRun:
    """A run without perturbation, and what runs after it need of it."""

    points: list[Float[Tensor, "P T d"]]
    """The residual points from the first block's entry on."""
    past: Past


@dataclass(frozen=True)
class Group:
    """Neighbouring sources of all prompts: their runs begin at one position."""

    sources: slice
    start: int


@dataclass(frozen=True)
class Ablation:
    """The prompts without perturbation, while one section writes another thing."""

    section: int
    write: Float[Tensor, "P T d"]
    """What it writes."""
    clean: CleanRun
    """The run from the section's block on; its past has all blocks."""

    @property
    def block(self) -> int:
        """The section's block."""
        return self.section // SECTIONS_PER_BLOCK


@dataclass(frozen=True)
class SourceRuns:
    """The perturbed runs of a few prompts."""

    model: SubjectModel
    probing: Probing

    @cached_property
    def clean(self) -> CleanRun:
        """The run without perturbation, made once."""
        return self._clean_from(0, self.probing.embeddings, {}, NO_PAST)

    @property
    def groups(self) -> list[Group]:
        """All sources, in groups."""
        firsts = range(0, self.probing.n_sources, GROUP)
        return [self._group(slice(first, first + GROUP)) for first in firsts]

    def _group(self, sources: slice) -> Group:
        return Group(sources, int(self.probing.positions[:, sources].min()))

    def respond(self, group: Group, difference: Difference) -> Response:
        """Run a group's sources and return the response at every residual point."""
        found = self._perturbed(group, difference, ALL)
        clean = torch.stack([point[:, group.start :] for point in self.clean.points])
        return self._response(group, difference, found, clean)

    def entries(
        self, group: Group, difference: Difference
    ) -> Float[Tensor, "L PG T d"]:
        """Run a group's sources and return what enters each block."""
        return self._perturbed(group, difference, ENTRIES)

    def ablate(self, section: int, write: Float[Tensor, "P T d"]) -> Ablation:
        """Let a section write another thing, and run the prompts on from its block."""
        block = section // SECTIONS_PER_BLOCK
        edits = {section: replace_write(write)}
        run = self._clean_from(block, self._entry(block), edits, self.clean.past)
        return Ablation(section, write, run)

    def respond_under(
        self,
        ablation: Ablation,
        group: Group,
        difference: Difference,
        *,
        entries: Float[Tensor, "L PG T d"],
    ) -> Response:
        """Return a group's response at the last residual point, under an ablation.

        Args:
            ablation: See :meth:`ablate`.
            group: The sources.
            difference: How the perturbed runs are made.
            entries: See :meth:`entries`, of the same group and difference.
        """
        rows = self._rows(group, ablation.write)
        forward = self._forward(
            group,
            block=ablation.block,
            past=ablation.clean.past,
            edits={ablation.section: replace_write(rows)},
        )
        found = difference.run(
            lambda state: forward(state)[-1][None],
            self._rows(group, self._entry(ablation.block)),
            entries[ablation.block],
        )
        clean = ablation.clean.points[-1][None, :, group.start :]
        return self._response(group, difference, found, clean)

    def _entry(self, block: int) -> Float[Tensor, "P T d"]:
        """Return what enters a block without perturbation and ablation."""
        return self.clean.points[SECTIONS_PER_BLOCK * block]

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

    def _clean_from(
        self,
        block: int,
        state: Float[Tensor, "P T d"],
        edits: Mapping[int, Edit],
        earlier: Past,
    ) -> CleanRun:
        """Run the prompts from a block on; the past of earlier blocks is kept."""
        cache, ids = DynamicCache(), self.probing.ids
        with torch.no_grad():
            points = run_from(
                self.model, ids, block=block, state=state, edits=edits, cache=cache
            )
        return CleanRun(points, earlier.written_from(block, cache))

    def _perturbed(
        self, group: Group, difference: Difference, points: slice
    ) -> Float[Tensor, "N PG T d"]:
        rows = self._rows(group, self.probing.embeddings)
        chosen = self.probing.sources(group.sources)
        tangents = torch.zeros_like(rows)
        at = (chosen.positions - group.start).flatten()
        every = torch.arange(len(rows), device=rows.device)
        tangents[every, at] = chosen.tangents.flatten(0, 1)
        forward = self._forward(group, block=0, past=self.clean.past, edits={})
        return difference.run(
            lambda state: torch.stack(forward(state)[points]),
            rows,
            difference.start(rows, tangents),
        )

    def _forward(
        self, group: Group, *, block: int, past: Past, edits: Mapping[int, Edit]
    ) -> Callable[[Tensor], list[Tensor]]:
        """Return the map from what enters a block to the points from there on."""
        ids = self._rows(group, self.probing.ids)
        before = past.before(group.start).repeated(len(ids) // len(self.probing))

        def forward(state: Float[Tensor, "PG T_ d"]) -> list[Tensor]:
            cache = before.cache()
            return run_from(
                self.model, ids, block=block, state=state, edits=edits, cache=cache
            )

        return forward

    def _rows(self, group: Group, values: Tensor) -> Tensor:
        """Repeat prompts for each source of a group, from its position on."""
        times = self.probing.positions[:, group.sources].shape[1]
        return values[:, group.start :].repeat_interleave(times, dim=0)
