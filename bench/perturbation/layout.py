"""A model and prompts, laid out for measuring a few prompts at a time.

Shapes: P prompts.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from torch import Tensor

from bench.models.batching import by_rows
from bench.models.behaviour import PromptBatch, to_batch
from bench.models.subject import SubjectModel
from bench.perturbation.direction import draw_directions, perturbation_tangents
from bench.perturbation.readout import Readouts, build_readouts
from bench.perturbation.response import Probing
from bench.perturbation.room import prompts_at_once, sources_at_once
from bench.perturbation.source_runs import SourceRuns
from bench.tasks.prompts import Prompt, check_readable

T = TypeVar("T")
Progress = Callable[[int, int], None]
"""(done, total) of the stage under way."""
Step = Callable[[int], None]
"""Reports that so many more of a stage's steps are done."""


@dataclass(frozen=True)
class Bench:
    """A model with prompts laid out for measuring."""

    model: SubjectModel
    batch: PromptBatch
    readouts: Readouts
    repeated: Probing
    control: Probing
    chunk: int
    """Prompts measured at once. It changes memory and speed, never the result."""
    group_size: int
    """Sources of a prompt that share a batch; the same holds."""

    def __len__(self) -> int:
        """Return the number of prompts."""
        return len(self.batch)

    def first(self, count: int) -> "Bench":
        """Take the first prompts."""
        return self.rows(slice(count))

    def rows(self, prompts: slice) -> "Bench":
        """Take some of the prompts."""
        return replace(
            self,
            batch=self.batch.rows(prompts),
            readouts=self.readouts.rows(prompts),
            repeated=self.repeated.rows(prompts),
            control=self.control.rows(prompts),
        )

    def runs(self, probing: Probing) -> SourceRuns:
        """Return the perturbed runs of prompts, repeated or control ones."""
        return SourceRuns(self.model, probing, self.group_size)

    def by_chunks(
        self,
        work: Callable[[slice, Step], T],
        *,
        steps: int,
        progress: Progress,
    ) -> list[T]:
        """Work through the prompts a few at a time, fewer when memory runs out.

        Args:
            work: What to do with some of the prompts; it tells its second argument
                how many of its steps are done anew.
            steps: How many steps it has.
            progress: Told how many prompts are through how many steps.

        Raises:
            OutOfMemoryError: A single prompt does not fit into memory.
        """

        def counted(prompts: slice) -> T:
            size = prompts.stop - prompts.start
            done = prompts.start * steps

            def step(count: int) -> None:
                nonlocal done
                done += count * size
                progress(done, steps * len(self))

            return work(prompts, step)

        return by_rows(counted, len(self), at_once=self.chunk)


def lay_out(
    model: SubjectModel,
    prompts: Sequence[Prompt],
    *,
    seed: int,
    chunk: int | None = None,
) -> Bench:
    """Make repeated and control prompts ready; both are perturbed the same way.

    Args:
        model: The subject model.
        prompts: Prompts of equal length.
        seed: Seed of the directions.
        chunk: Prompts measured at once; by default as many as
            :func:`~bench.perturbation.room.prompts_at_once` finds room for.
    """
    check_readable(prompts, vocabulary=model.vocabulary, context=model.context)
    batch = to_batch(prompts, device=model.device)
    directions = draw_directions(prompts, seed=seed, device=model.device)

    def probing(ids: Tensor) -> Probing:
        embeddings = model.embed(ids)
        tangents = perturbation_tangents(model, ids, embeddings, directions)
        return Probing(ids, embeddings, directions.positions, tangents)

    repeated, length = probing(batch.clean), batch.clean.shape[1]
    if chunk is None:
        chunk = prompts_at_once(model, n_prompts=len(prompts), length=length)
    return Bench(
        model=model,
        batch=batch,
        readouts=build_readouts(prompts, device=model.device),
        repeated=repeated,
        control=probing(batch.control),
        chunk=chunk,
        group_size=sources_at_once(model, n_prompts=chunk, length=length),
    )


def no_progress(_done: int, _total: int) -> None:
    """Show nothing."""
