"""What a method is given and what it answers.

    @method("my-method", kind="write")
    def my_method(ctx: TaskContext) -> LayerAttribution: ...

Shapes: P prompts, T positions, d width, S sections.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import PreTrainedModel

from bench.errors import MethodError
from bench.models.behaviour import PromptBatch, centred_logit
from bench.models.subject import SubjectModel
from bench.models.trace import Edit, Trace, run
from bench.profiles.attribution import KINDS, Kind, LayerAttribution

MethodFunction = Callable[["TaskContext"], LayerAttribution]


@dataclass(frozen=True)
class Method:
    """A named function from a task context to a layer attribution."""

    name: str
    kind: Kind
    function: MethodFunction
    summary: str

    def __call__(self, ctx: "TaskContext") -> LayerAttribution:
        """Run the method."""
        return self.function(ctx)


def method(name: str, *, kind: Kind) -> Callable[[MethodFunction], Method]:
    """Declare a function to be a method.

    Args:
        name: At most 64 lower-case letters, digits and hyphens, no hyphen first.
        kind: ``write`` if the answer speaks of what each section adds, ``state`` if it
            speaks of the residual after each section.

    Raises:
        MethodError: The name or the kind is not allowed.
    """
    if not re.fullmatch("[a-z0-9][a-z0-9-]{0,63}", name):
        raise MethodError(
            f"'{name}' cannot name a method: use at most 64 lower-case letters, digits "
            "and hyphens, no hyphen first, as in 'my-method'."
        )
    if kind not in KINDS:
        raise MethodError(
            f"Method '{name}' has kind '{kind}'; expected one of {', '.join(KINDS)}."
        )

    def declare(function: MethodFunction) -> Method:
        lines = (function.__doc__ or "").strip().splitlines()
        return Method(name, kind, function, summary=lines[0] if lines else "")

    return declare


def _no_progress(_done: int, _total: int) -> None:
    """Show nothing."""


@dataclass(frozen=True)
class TaskContext:
    """Everything a method may use. The reference is not part of it."""

    subject: SubjectModel
    """The model with its sections."""
    prompts: PromptBatch
    """The discovery prompts: clean, corrupt, control, sources, copy sites, targets."""
    generator: torch.Generator
    """Seeded; the only source of randomness a method should use."""
    progress: Callable[[int, int], None] = field(default=_no_progress)
    """Call with (done, total) as the work goes on."""

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

    def trace(
        self,
        ids: Int[Tensor, "P T"],
        *,
        edits: Mapping[int, Edit] | None = None,
        embeddings: Float[Tensor, "P T d"] | None = None,
    ) -> Trace:
        """Run the model and return embeddings, writes, states and logits.

        Args:
            ids: Token ids, usually ``prompts.clean`` or ``prompts.corrupt``.
            edits: Section number to an edit of its write; see ``bench.models.trace``.
            embeddings: What enters block 0 instead of the tokens' embeddings.
        """
        with torch.no_grad():
            return run(self.subject, ids, edits=edits, embeddings=embeddings)

    def edited_metric(
        self, ids: Int[Tensor, "P T"], edits: Mapping[int, Edit]
    ) -> Float[Tensor, " P"]:
        """Measure the behaviour while sections' writes are edited."""
        return self.metric(self._logits(self.trace(ids, edits=edits)))

    def gradients(
        self,
        ids: Int[Tensor, "P T"],
        *,
        embeddings: Float[Tensor, "P T d"] | None = None,
    ) -> tuple[Trace, Float[Tensor, "S P T d"]]:
        """Run the model and differentiate the behaviour.

        Returns:
            The trace, and dM/d(write) of every section. A section's write enters the
            residual by addition alone, so this is dM/d(state after it) as well.
        """
        start = self.subject.embed(ids) if embeddings is None else embeddings
        start = start.detach().requires_grad_()
        trace = run(self.subject, ids, embeddings=start)
        total = self.metric(self._logits(trace)).sum()
        gradients = torch.autograd.grad(total, trace.writes)
        return trace, torch.stack(gradients)

    def attention(self, ids: Int[Tensor, "P T"]) -> Float[Tensor, "L P heads T T"]:
        """Return the attention patterns of every block."""
        with torch.no_grad():
            output = self.model(input_ids=ids, use_cache=False, output_attentions=True)
        return torch.stack(output.attentions)

    def answer(self, per_prompt: Float[Tensor, "P S"]) -> LayerAttribution:
        """Turn attributions of each prompt into the method's answer, their mean."""
        values = per_prompt.detach().double().cpu().numpy()
        return LayerAttribution(values=values.mean(axis=0), per_prompt=values)

    def first_prompts(self, count: int) -> "TaskContext":
        """Return the same context with fewer prompts."""
        return replace(self, prompts=self.prompts.first(count))

    @staticmethod
    def _logits(trace: Trace) -> Tensor:
        if trace.logits is None:
            raise ValueError("The trace was taken without logits.")
        return trace.logits
