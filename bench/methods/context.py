"""What a method is given: the model, the prompts, and ways to look into a run.

Shapes: P prompts, T positions, d width, S sections, L blocks, H heads, k their width.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import PreTrainedModel

from bench.errors import AttributionError, MethodError
from bench.models import gradients
from bench.models.attention import patterns
from bench.models.batching import by_rows
from bench.models.behaviour import (
    PromptBatch,
    at_positions,
    centred_logit,
    centred_logit_of,
)
from bench.models.edits import Edit, edit_rows, replace_state
from bench.models.gradients import NO_RULES, BackwardRules
from bench.models.rerun import rerun
from bench.models.run import run
from bench.models.subject import SubjectModel
from bench.models.trace import Trace, join_traces
from bench.profiles.attribution import LayerAttribution

T = TypeVar("T")

SMALLEST_GAP = 1e-6
"""In nats; below this an effect cannot be given as a part of the whole."""


def _no_progress(_done: int, _total: int) -> None:
    """Show nothing."""


@dataclass(frozen=True)
class TaskContext:
    """Everything a method may use. The reference is not part of it.

    Prompts are run together, and fewer at a time where memory runs out; answers do not
    depend on it.
    """

    subject: SubjectModel
    """The model with its sections."""
    prompts: PromptBatch
    """The discovery prompts: clean, corrupt, control, sources, copy sites, targets."""
    generator: torch.Generator
    """Seeded; the only source of randomness a method should use."""
    progress: Callable[[int, int], None] = field(default=_no_progress)
    """Call with (done, total) as the work goes on."""
    at_once: int | None = None
    """Prompts to run together at most; all by default."""

    @property
    def model(self) -> PreTrainedModel:
        """The raw transformers module, in evaluation mode, with frozen weights."""
        return self.subject.module

    @property
    def n_sections(self) -> int:
        """S: number of sections, in the order attn 0, mlp 0, attn 1, ..."""
        return self.subject.n_sections

    @property
    def device(self) -> torch.device:
        """The device of model and prompts."""
        return self.subject.device

    def metric(self, logits: Float[Tensor, "P T vocab"]) -> Float[Tensor, " P"]:
        """Measure the behaviour on each prompt: the mean centred logit of the target.

        In nats, over the copy sites, differentiable.
        """
        return centred_logit(logits, self.prompts)

    def metric_of(self, trace: Trace) -> Float[Tensor, " P"]:
        """Measure the behaviour in a run, on each prompt."""
        return self.metric_of_normed(trace.normed)

    def metric_of_normed(self, normed: Float[Tensor, "P T d"]) -> Float[Tensor, " P"]:
        """Measure the behaviour from what the unembedding reads, on each prompt."""
        return torch.cat(
            self.by_rows(
                lambda rows: centred_logit_of(
                    self.subject, normed[rows], self.prompts.rows(rows)
                )
            )
        )

    def logits_at_sites(self, trace: Trace) -> Float[Tensor, "P K vocab"]:
        """Return what a run predicts at the copy sites, and nowhere else."""
        return self._predicted(trace.normed)

    def _predicted(self, normed: Float[Tensor, "P T d"]) -> Float[Tensor, "P K vocab"]:
        return self.subject.unembed(at_positions(normed, self.prompts.sites))

    def gap(self, clean: Trace, corrupt: Trace) -> Float[Tensor, ""]:
        """Return how much more of the behaviour the clean runs show, on average.

        Raises:
            MethodError: No less on corrupt prompts, so that nothing is a part of it.
        """
        gap = (self.metric_of(clean) - self.metric_of(corrupt)).mean()
        if not gap.abs() > SMALLEST_GAP:
            raise MethodError(
                f"The behaviour differs by {float(gap):.3g} nats between clean and "
                "corrupt prompts: there is no effect to be given a part of."
            )
        return gap

    def trace(
        self,
        ids: Int[Tensor, "P T"],
        *,
        edits: Mapping[int, Edit] | None = None,
        embeddings: Float[Tensor, "P T d"] | None = None,
        base: Trace | None = None,
    ) -> Trace:
        """Run the model and return embeddings, writes, states and logits.

        Logits are computed when they are first asked for; ``metric_of`` needs none.

        Args:
            ids: Token ids, usually ``prompts.clean`` or ``prompts.corrupt``.
            edits: Section number to an edit of its write; see ``bench.models.edits``.
            embeddings: What enters block 0 instead of the tokens' embeddings.
            base: The trace of the same ids without edits: blocks before the first edit
                are taken from it instead of being run again.
        """
        with torch.no_grad():
            return join_traces(
                self.by_rows(
                    lambda rows: run(
                        self.subject,
                        ids[rows],
                        edits={s: edit_rows(e, rows) for s, e in (edits or {}).items()},
                        embeddings=None if embeddings is None else embeddings[rows],
                        base=None if base is None else base.rows(rows),
                        keep_past=True,
                    )
                )
            )

    def edited_metric(
        self,
        ids: Int[Tensor, "P T"],
        edits: Mapping[int, Edit],
        *,
        base: Trace | None = None,
    ) -> Float[Tensor, " P"]:
        """Measure the behaviour while sections' writes are edited.

        Args:
            ids: Token ids, usually ``prompts.clean`` or ``prompts.corrupt``.
            edits: Section number to an edit of its write; see ``bench.models.edits``.
            base: The trace of the same ids without edits: what no edit can change, in
                depth and in position, is taken from it.
        """
        return self._edited(ids, edits, base, TaskContext.metric_of_normed)

    def edited_logits_at_sites(
        self,
        ids: Int[Tensor, "P T"],
        edits: Mapping[int, Edit],
        *,
        base: Trace | None = None,
    ) -> Float[Tensor, "P K vocab"]:
        """Return what is predicted at the copy sites while writes are edited.

        Args:
            ids: Token ids.
            edits: Section number to an edit of its write.
            base: As for :meth:`edited_metric`.
        """
        return self._edited(ids, edits, base, TaskContext._predicted)

    def _edited(
        self,
        ids: Int[Tensor, "P T"],
        edits: Mapping[int, Edit],
        base: Trace | None,
        read: Callable[["TaskContext", Tensor], Tensor],
    ) -> Tensor:
        """Run with edits and read what enters the unembedding, prompt by prompt."""

        def work(rows: slice) -> Tensor:
            chosen = {s: edit_rows(e, rows) for s, e in edits.items()}
            if base is None or not edits:
                normed = run(self.subject, ids[rows], edits=chosen).normed
            else:
                normed = rerun(
                    self.subject,
                    ids[rows],
                    chosen,
                    base=base.rows(rows),
                    sites_from=int(self.prompts.sites.min()),
                )
            return read(self.some(rows), normed)

        with torch.no_grad():
            return torch.cat(self.by_rows(work))

    def gradients(
        self,
        ids: Int[Tensor, "P T"],
        *,
        embeddings: Float[Tensor, "P T d"] | None = None,
        rules: BackwardRules = NO_RULES,
    ) -> tuple[Trace, Float[Tensor, "S P T d"]]:
        """Run the model and differentiate the behaviour.

        Args:
            ids: Token ids.
            embeddings: What enters block 0 instead of the tokens' embeddings.
            rules: How gradients pass nonlinear parts; by default as they are.

        Returns:
            The trace, and dM/d(write) of every section. A section's write enters the
            residual by addition alone, so this is dM/d(state after it) as well.
        """
        return self._differentiate(
            gradients.write_gradients, ids, embeddings, rules=rules
        )

    def read_gradients(
        self, ids: Int[Tensor, "P T"]
    ) -> tuple[Trace, Float[Tensor, "readers P T d"]]:
        """Differentiate with respect to what each reader reads, through it alone.

        Readers are the sections and, last, the final norm.
        """
        return self._differentiate(gradients.read_gradients, ids, None)

    def state_gradient(
        self,
        ids: Int[Tensor, "P T"],
        section: int,
        state: Float[Tensor, "P T d"],
        *,
        base: Trace,
        first: int = 0,
    ) -> tuple[Float[Tensor, " P"], Float[Tensor, "P T d"]]:
        """Put a state after a section; return the behaviour and dM/d(state).

        Args:
            ids: Token ids.
            section: Number of the section.
            state: The residual after it, at every position.
            base: The trace of the same ids without edits.
            first: Before this position the state is that of ``base``, and its gradient
                is not asked for: it comes back as 0.
        """
        parts = self.by_rows(
            lambda rows: gradients.state_gradient(
                self.subject,
                ids[rows],
                self.some(rows).metric_of_normed,
                state=state[rows],
                put=lambda state: {section: replace_state(state, first=first)},
                base=base.rows(rows),
            )
        )
        values, found = zip(*parts, strict=True)
        return torch.cat(values), torch.cat(found)

    def attention(self, ids: Int[Tensor, "P T"]) -> Float[Tensor, "L P H T T"]:
        """Return the attention patterns of every block."""
        with torch.no_grad():
            parts = self.by_rows(lambda rows: patterns(self.subject, ids[rows]))
        return torch.cat(parts, dim=1)

    def answer(self, per_prompt: Tensor) -> LayerAttribution:
        """Turn attributions of each prompt into the method's answer, their mean.

        Raises:
            AttributionError: It is no tensor of shape [prompts, sections].
        """
        expected = [len(self.prompts), self.n_sections]
        given: object = per_prompt
        found = list(given.shape) if isinstance(given, Tensor) else type(given).__name__
        if found != expected:
            hint = " It is transposed." if found == expected[::-1] else ""
            raise AttributionError(
                f"ctx.answer was given {found}; expected a tensor of shape [prompts, "
                f"sections], here {expected}.{hint}"
            )
        values = per_prompt.detach().double().cpu().numpy()
        return LayerAttribution(values=values.mean(axis=0), per_prompt=values)

    def by_rows(self, work: Callable[[slice], T]) -> list[T]:
        """Do work on slices of the prompts, fewer at a time when memory runs out.

        For work of your own that does not mix prompts; join what it returns.
        """
        return by_rows(work, len(self.prompts), at_once=self.at_once)

    def some(self, rows: slice) -> "TaskContext":
        """Return the same context with some of the prompts."""
        return replace(self, prompts=self.prompts.rows(rows))

    def first_prompts(self, count: int) -> "TaskContext":
        """Return the same context with fewer prompts."""
        return self.some(slice(count))

    def _differentiate(
        self,
        function: Callable[..., tuple[Trace, Tensor]],
        ids: Int[Tensor, "P T"],
        embeddings: Float[Tensor, "P T d"] | None,
        **options: object,
    ) -> tuple[Trace, Tensor]:
        parts = self.by_rows(
            lambda rows: function(
                self.subject,
                ids[rows],
                self.some(rows).metric_of,
                embeddings=self.subject.embed(ids[rows])
                if embeddings is None
                else embeddings[rows],
                **options,
            )
        )
        traces, found = zip(*parts, strict=True)
        return join_traces(traces), torch.cat(found, dim=1)
