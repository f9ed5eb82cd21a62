"""Run prompts again with edits, from the first place that an edit can change.

A model is causal in depth and in position: a section that writes something else leaves
all before it as it was, and so does a change at later positions.

Shapes: B rows, T positions, d width.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import DynamicCache

from bench.models.edits import Edit, edit_after, first_changed, replace_write
from bench.models.run import check_edits, check_write, run_from
from bench.models.skipping import last_mlp_from
from bench.models.subject import SubjectModel
from bench.models.trace import Trace
from bench.profiles.sections import SECTIONS_PER_BLOCK, is_attention


@dataclass(frozen=True)
class Known:
    """A section whose write is known, so that a run may begin after it."""

    section: int
    state: Float[Tensor, "B T d"]
    """The residual point before it."""
    write: Float[Tensor, "B T d"]


def rerun(
    model: SubjectModel,
    ids: Int[Tensor, "B T"],
    edits: Mapping[int, Edit],
    *,
    base: Trace,
    sites_from: int = 0,
) -> Float[Tensor, "B T d"]:
    """Return what the unembedding reads when sections' writes are edited.

    Args:
        model: The subject model.
        ids: Token ids, which only set the shape.
        edits: Section number to the edit of its write, one at least.
        base: The trace of the same ids without edits. If it kept its past, only
            positions from the first changed one on are run.
        sites_from: The first position that is read; what comes back before it means
            nothing.

    Raises:
        ValueError: An edit is of a section that the model does not have, or returns
            something else than a write.
    """
    check_edits(edits, model.n_sections)
    start = min(map(first_changed, edits.values())) if base.past.blocks else 0
    later = {section: edit_after(edit, start) for section, edit in edits.items()}
    last = _last_point(model, ids, later, base, start, max(sites_from - start, 0))
    return torch.cat([base.normed[:, :start], model.norm(last)], dim=1)


def _last_point(
    model: SubjectModel,
    ids: Int[Tensor, "B T"],
    edits: dict[int, Edit],
    base: Trace,
    start: int,
    unread: int,
) -> Float[Tensor, "B T_ d"]:
    """Run on from the first edited section, whose own write is known already."""
    section = min(edits)
    state, write = base.point(section)[:, start:], base.writes[section][:, start:]
    written = edits[section](write, state)
    check_write(written, write, section)
    cache = base.past.before(start).cache() if start else None
    known = Known(section, state, written)
    return run_on(model, ids[:, start:], known, edits=edits, cache=cache, unread=unread)


def run_on(
    model: SubjectModel,
    ids: Int[Tensor, "B T"],
    known: Known,
    *,
    edits: Mapping[int, Edit] | None = None,
    cache: DynamicCache | None = None,
    unread: int = 0,
) -> Float[Tensor, "B T d"]:
    """Run the model on from a section whose write is known.

    Args:
        model: The subject model.
        ids: Token ids, which only set the shape.
        known: The section and its write.
        edits: Edits of later sections; one of this section counts no more.
        cache: See :func:`bench.models.run.run_from`.
        unread: So many positions at the beginning need not be right. They are all the
            same if the last section is edited, as an edit may read them.

    Returns:
        The last residual point.
    """
    block, state = known.section // SECTIONS_PER_BLOCK, known.state
    edits = dict(edits or {})
    if is_attention(known.section):  # the MLP of its block runs on
        edits[known.section] = replace_write(known.write)
    else:
        block, state = block + 1, state + known.write
    with last_mlp_from(model, 0 if model.n_sections - 1 in edits else unread):
        points = run_from(
            model, ids, block=block, state=state, edits=edits, cache=cache
        )
    return points[-1]
