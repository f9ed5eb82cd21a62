"""The exact linear response: forward-mode derivatives of the residual stream."""

from collections.abc import Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor

from bench.models.edits import Edit
from bench.models.run import run
from bench.models.subject import SubjectModel


def linear_response(
    model: SubjectModel,
    ids: Int[Tensor, "B T"],
    *,
    embeddings: Float[Tensor, "B T d"],
    tangent: Float[Tensor, "B T d"],
    edits: Mapping[int, Edit] | None = None,
) -> Float[Tensor, "points B T d"]:
    """Differentiate all residual points along a tangent of the embeddings.

    This is the limit of ``(run(x + e t) - run(x)) / e`` for small e, by
    ``torch.func.jvp``. It needs attention that has forward-mode derivatives, which is
    why subject models are loaded with eager attention.
    """
    return torch.func.jvp(
        lambda start: run(model, ids, embeddings=start, edits=edits).points,
        (embeddings,),
        (tangent,),
    )[1]
