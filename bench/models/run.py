"""Run a subject model while reading and changing its sections' writes.

Shapes: B rows, T positions, d width, S sections.
"""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import DynamicCache

from bench.models.edits import Edit
from bench.models.past import NO_PAST
from bench.models.skipping import passing
from bench.models.subject import SubjectModel
from bench.models.trace import Trace
from bench.profiles.sections import SECTIONS_PER_BLOCK


@dataclass
class _Recorder:
    """Follows the residual stream section by section.

    Of a model on several devices all points and writes are kept on the first, where
    edits are made, too.
    """

    home: torch.device
    start: Tensor | None
    """What enters the first block that runs; None for the tokens' embeddings."""
    edits: Mapping[int, Edit]
    points: list[Tensor] = field(default_factory=list)
    writes: list[Tensor] = field(default_factory=list)

    def enter(self, _module: nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        """Take or replace what enters the first block that runs."""
        start = arguments[0] if self.start is None else self.start
        self.points.append(start.to(self.home))
        return (start, *arguments[1:])

    def write(
        self, section: int, _module: nn.Module, _arguments: object, output: Tensor
    ) -> Tensor:
        """Take or replace a section's write."""
        # products may be in fewer bits than the stream
        edit, written = self.edits.get(section), output.to(self.points[-1])
        if edit is not None:
            written = edit(written, self.points[-1])
            check_write(written, output, section)
        self.writes.append(written)
        # the same sum, in the same order, as the model's own residual connection
        self.points.append(self.points[-1] + written)
        return written.to(output.device)


def check_write(written: object, write: Tensor, section: int) -> None:
    """Check that an edit returned what can be written.

    Raises:
        ValueError: It is no tensor of the write's shape.
    """
    shape = list(written.shape) if isinstance(written, Tensor) else None
    if shape != list(write.shape):
        raise ValueError(
            f"The edit of section {section} returned "
            f"{type(written).__name__ if shape is None else shape}; expected a tensor "
            f"of shape {list(write.shape)}, as that of the write."
        )


def check_edits(edits: Mapping[int, Edit], n_sections: int) -> None:
    """Check that edits are of sections that there are.

    Raises:
        ValueError: One is not.
    """
    wrong = [key for key in edits if key not in range(n_sections)]
    if wrong:
        raise ValueError(
            f"edits name sections {wrong}; this model has sections 0 to "
            f"{n_sections - 1}: attention 0, MLP 0, attention 1, ..."
        )


@contextmanager
def _recording(
    model: SubjectModel, recorder: _Recorder, first: int
) -> Generator[None, None, None]:
    handles = [model.blocks[first].register_forward_pre_hook(recorder.enter)]
    for section in range(SECTIONS_PER_BLOCK * first, model.n_sections):
        module = model.section_modules[section]
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
    base: Trace | None = None,
    keep_past: bool = False,
) -> Trace:
    """Run the model once and return its trace.

    Gradients are tracked as far as ``embeddings`` or an edit asks for them; wrap the
    call in ``torch.no_grad()`` otherwise.

    Args:
        model: The subject model.
        ids: Token ids. With ``embeddings`` they only set the shape.
        embeddings: What enters block 0 instead of the tokens' embeddings.
        edits: Section number to the edit of its write.
        base: A trace of the same ids without edits, from embeddings of its own. Blocks
            before the first edit are taken from it instead of being run again.
        keep_past: Whether the trace keeps keys and values, from which
            :func:`bench.models.rerun.rerun` begins.

    Raises:
        ValueError: Both ``embeddings`` and ``base`` are given, an edit is of a section
            that the model does not have, or returns something else than a write.
    """
    if embeddings is not None and base is not None:
        raise ValueError(
            "A run takes its embeddings from base, the trace of the same prompts, or "
            "from embeddings; leave one of them out."
        )
    check_edits(edits or {}, model.n_sections)
    first = 0 if base is None or not edits else min(edits) // SECTIONS_PER_BLOCK
    kept = SECTIONS_PER_BLOCK * first
    start = embeddings if base is None else base.point(kept)
    recorder = _Recorder(model.device, start, edits or {})
    if base is not None:
        recorder.points.extend(base.point(number) for number in range(kept))
        recorder.writes.extend(base.writes[:kept])
    earlier = NO_PAST if base is None else base.past
    # of blocks that do not run, keys and values are known from base or not at all
    cache = DynamicCache() if keep_past and len(earlier.blocks) >= first else None
    with passing(model, first), _recording(model, recorder, first):
        output = model.module.base_model(
            input_ids=ids, past_key_values=cache, use_cache=cache is not None
        )
    return Trace(
        embeddings=recorder.points[0],
        writes=tuple(recorder.writes),
        states=tuple(recorder.points[1:]),
        normed=output.last_hidden_state.to(model.device),
        unembed=model.unembed,
        past=NO_PAST if cache is None else earlier.written_from(first, cache),
    )


def run_from(
    model: SubjectModel,
    ids: Int[Tensor, "B T"],
    *,
    block: int,
    state: Float[Tensor, "B T d"],
    edits: Mapping[int, Edit] | None = None,
    cache: DynamicCache | None = None,
) -> list[Float[Tensor, "B T d"]]:
    """Run the blocks from one on.

    Args:
        model: The subject model.
        ids: Token ids, which only set the shape.
        block: The first block to run.
        state: What enters it: residual point ``2 * block``.
        edits: Section number to the edit of its write.
        cache: Keys and values of the positions before these; the run writes its own
            to it. None if these are the first positions.

    Returns:
        The residual points from the state on; the state itself is the first, and the
        only one if there is no such block.
    """
    if block == len(model.blocks):
        return [state]
    recorder = _Recorder(model.device, state, edits or {})
    with passing(model, block), _recording(model, recorder, block):
        model.module.base_model(
            input_ids=ids, past_key_values=cache, use_cache=cache is not None
        )
    return recorder.points
