"""Whole runs of all sources of a few prompts; nothing is reused between them."""

import torch
from jaxtyping import Float
from torch import Tensor

from bench.models.linear_response import linear_response
from bench.models.run import run
from bench.models.subject import SubjectModel
from bench.perturbation.layout import Bench
from bench.perturbation.response import Probing, Response

CHUNK = 4
"""Prompts at once."""


def chunks(bench: Bench) -> list[slice]:
    """Return slices that cover all prompts."""
    return [slice(start, start + CHUNK) for start in range(0, len(bench), CHUNK)]


def in_place(probing: Probing) -> Float[Tensor, "P J T d"]:
    """Return the tangents as changes of whole prompts: zero but at their sources."""
    n_prompts, n_sources = probing.positions.shape
    length, width = probing.embeddings.shape[1:]
    placed = probing.tangents.new_zeros(n_prompts, n_sources, length, width)
    at = probing.positions[..., None, None].expand(-1, -1, 1, width)
    return placed.scatter(2, at, probing.tangents[:, :, None])


def exact_response(model: SubjectModel, probing: Probing) -> Response:
    """Return the limit of strength 0."""
    n_sources = probing.n_sources
    with torch.no_grad():
        change = linear_response(
            model,
            probing.ids.repeat_interleave(n_sources, dim=0),
            embeddings=probing.embeddings.repeat_interleave(n_sources, dim=0),
            tangent=in_place(probing).flatten(0, 1),
        )
        clean = run(model, probing.ids, embeddings=probing.embeddings).points
    return Response(
        change=change.transpose(0, 1).unflatten(0, (len(probing), n_sources)),
        residual=clean.transpose(0, 1)[:, None].norm(dim=-1),
        perturbation=probing.tangents.norm(dim=-1)[..., None, None],
    )
