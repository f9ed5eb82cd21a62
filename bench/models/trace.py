"""Run a subject model while reading and changing its sections' writes.

Shapes: B rows, T positions, d width, S sections.
"""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from bench.models.subject import SubjectModel

Edit = Callable[[Tensor, Tensor], Tensor]
"""(a section's write, the residual before it) -> what to write instead."""


@dataclass(frozen=True)
class Trace:
    """What one run of the model went through."""

    embeddings: Float[Tensor, "B T d"]
    """Residual point 0."""
    writes: tuple[Float[Tensor, "B T d"], ...]
    """The sections' writes after edits, S of them."""
    states: tuple[Float[Tensor, "B T d"], ...]
    """Residual points 1..S: the residual after each section."""
    logits: Float[Tensor, "B T vocab"] | None

    @property
    def points(self) -> Float[Tensor, "points B T d"]:
        """All S + 1 residual points."""
        return torch.stack([self.embeddings, *self.states])


@dataclass
class _Recorder:
    """Follows the residual stream section by section."""

    embeddings: Tensor | None
    edits: Mapping[int, Edit]
    points: list[Tensor] = field(default_factory=list)
    writes: list[Tensor] = field(default_factory=list)

    def enter(self, _module: nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        """Take or replace what enters block 0."""
        start = arguments[0] if self.embeddings is None else self.embeddings
        self.points.append(start)
        return (start, *arguments[1:])

    def write(
        self, section: int, _module: nn.Module, _arguments: object, output: Tensor
    ) -> Tensor:
        """Take or replace a section's write."""
        edit = self.edits.get(section)
        written = output if edit is None else edit(output, self.points[-1])
        self.writes.append(written)
        # the same sum, in the same order, as the model's own residual connection
        self.points.append(self.points[-1] + written)
        return written


@contextmanager
def _recording(model: SubjectModel, recorder: _Recorder) -> Generator[None, None, None]:
    handles = [model.blocks[0].register_forward_pre_hook(recorder.enter)]
    for section, module in enumerate(model.section_modules):
        handles.append(module.register_forward_hook(partial(recorder.write, section)))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def run(
    model: SubjectModel,
    ids: Int[Tensor, "B T"],
    *,
    embeddings: Float[Tensor, "B T d"] | None = None,
    edits: Mapping[int, Edit] | None = None,
    logits: bool = True,
) -> Trace:
    """Run the model once and return its trace.

    Gradients are tracked as far as ``embeddings`` or an edit asks for them; wrap the
    call in ``torch.no_grad()`` otherwise.

    Args:
        model: The subject model.
        ids: Token ids. With ``embeddings`` they only set the shape.
        embeddings: What enters block 0 instead of the tokens' embeddings.
        edits: Section number to the edit of its write.
        logits: Whether to compute logits, which small models spend most time on.
    """
    recorder = _Recorder(embeddings=embeddings, edits=edits or {})
    target = model.module if logits else model.module.base_model
    with _recording(model, recorder):
        output = target(input_ids=ids, use_cache=False)
    return Trace(
        embeddings=recorder.points[0],
        writes=tuple(recorder.writes),
        states=tuple(recorder.points[1:]),
        logits=output.logits if logits else None,
    )


def replace_write(value: Float[Tensor, "#B T d"]) -> Edit:
    """Make an edit that writes ``value`` instead."""
    return lambda write, _residual: value.expand_as(write)


def patch_write(value: Float[Tensor, "B T d"], mask: Float[Tensor, "B T 1"]) -> Edit:
    """Make an edit that writes ``value`` where the mask is 1."""
    return lambda write, _residual: torch.where(mask.bool(), value, write)


def patch_state(value: Float[Tensor, "B T d"], mask: Float[Tensor, "B T 1"]) -> Edit:
    """Make an edit after which the residual is ``value`` where the mask is 1."""
    return lambda write, residual: torch.where(mask.bool(), value - residual, write)
