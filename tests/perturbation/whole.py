"""The response by whole runs: every source, every position, every block, every time.

What the engine is checked against; it reuses nothing.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from bench.models.edits import replace_write
from bench.models.linear_response import linear_response
from bench.models.run import run
from bench.models.subject import SubjectModel
from bench.perturbation.response import Probing, Response


def whole_response(
    model: SubjectModel,
    probing: Probing,
    *,
    strength: float | None,
    replaced: Mapping[int, Tensor] | None = None,
) -> Response:
    """Perturb every source of every prompt in one batch of whole runs."""
    n_prompts, n_sources = probing.positions.shape
    ids = repeat(probing.ids, n_sources)
    embeddings = repeat(probing.embeddings, n_sources)
    tangent = torch.zeros_like(embeddings)
    every = torch.arange(len(ids))
    tangent[every, probing.positions.flatten()] = probing.tangents.flatten(0, 1)
    edits = {
        s: replace_write(repeat(v, n_sources)) for s, v in (replaced or {}).items()
    }
    with torch.no_grad():
        clean = run(model, ids, embeddings=embeddings, edits=edits).points
        if strength is None:
            change = linear_response(
                model, ids, embeddings=embeddings, tangent=tangent, edits=edits
            )
        else:
            start = embeddings + strength * tangent
            moved = run(model, ids, embeddings=start, edits=edits).points
            change = (moved - clean) / strength
    each = (n_prompts, n_sources)
    return Response(
        change=change.movedim(0, 1).unflatten(0, each),
        residual=clean.movedim(0, 1).unflatten(0, each)[:, :1].norm(dim=-1),
        perturbation=probing.tangents.norm(dim=-1)[..., None, None],
    )


def repeat(rows: Tensor, times: int) -> Tensor:
    """Repeat each prompt for each of its sources."""
    return rows.repeat_interleave(times, dim=0)
