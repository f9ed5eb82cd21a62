"""Responses of the residual stream to weak perturbations of single tokens.

Shapes: P prompts, J sources of a prompt, N = S + 1 residual points, T positions.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

from bench.models.edits import Edit, replace_write
from bench.models.linear_response import linear_response
from bench.models.subject import SubjectModel
from bench.models.trace import run

Replaced = Mapping[int, Tensor]
"""Section number to the write that takes its place, shape [P, T, d]."""

TINY = 1e-30  # keeps 0 / 0 at positions before the source at 0


@dataclass(frozen=True)
class Response:
    """How the residual stream answers, per unit of strength (design: section 3).

    The fields are computed when read: reducing all of them costs more than a run.

    Attributes:
        change: Change of the residual, shape [P, J, N, T, d].
        residual: Norm of the unperturbed residual, shape [P, 1, N, T].
        perturbation: Norm of the perturbation, shape [P, J, 1, 1].
    """

    change: Float[Tensor, "P J N T d"]
    residual: Float[Tensor, "P 1 N T"]
    perturbation: Float[Tensor, "P J 1 1"]

    @cached_property
    def size(self) -> Float[Tensor, "P J N T"]:
        """Norm of the change."""
        return self.change.norm(dim=-1)

    @property
    def relative(self) -> Float[Tensor, "P J N T"]:
        """Q: relative change at the site for each relative change at the source."""
        return self.size / self.residual

    @property
    def final_relative(self) -> Float[Tensor, "P J 1 T"]:
        """Q at the last residual point alone."""
        return self.change[:, :, -1:].norm(dim=-1) / self.residual[:, :, -1:]

    @property
    def raw(self) -> Float[Tensor, "P J N T"]:
        """R: absolute change at the site for each absolute change at the source."""
        return self.size / self.perturbation

    @property
    def gain(self) -> Float[Tensor, "P J S T"]:
        """Growth of the change over each section, relative to the residual after it."""
        return self.size.diff(dim=2) / self.residual[:, :, 1:]

    @property
    def additive(self) -> Float[Tensor, "P J S T"]:
        """What each section adds along the final change, in units of Q there."""
        final = self.change[:, :, -1:]
        along = (self.change.diff(dim=2) * final).sum(dim=-1)
        return along / (self.size[:, :, -1:].clamp_min(TINY) * self.residual[:, :, -1:])


@dataclass(frozen=True)
class Probing:
    """One set of prompts made ready for perturbation."""

    ids: Int[Tensor, "P T"]
    embeddings: Float[Tensor, "P T d"]
    tangents: Float[Tensor, "P J T d"]
    """``|x_0,j| u`` at each source."""

    def rows(self, prompt: slice) -> "Probing":
        """Take some of the prompts."""
        return Probing(self.ids[prompt], self.embeddings[prompt], self.tangents[prompt])

    def __len__(self) -> int:
        """Return the number of prompts."""
        return len(self.ids)


def measure_response(
    model: SubjectModel,
    probing: Probing,
    *,
    strength: float | None,
    replaced: Replaced | None = None,
) -> Response:
    """Perturb every source of every prompt, one at a time.

    Args:
        model: The subject model.
        probing: Prompts with their tangents.
        strength: Perturbation norm relative to the source's embedding norm; None for
            the exact linear response, the limit of strength 0.
        replaced: Section number to what it writes instead, in both the clean and the
            perturbed runs, for each prompt.
    """
    clean = _clean_points(model, probing, edits=_edits(replaced, times=1))
    edits = _edits(replaced, times=probing.tangents.shape[1])
    if strength is None:
        change = _exact_change(model, probing, edits=edits)
    else:
        change = _finite_change(model, probing, clean, strength=strength, edits=edits)
    return Response(
        change=change,
        residual=clean[:, None].norm(dim=-1),
        perturbation=probing.tangents.norm(dim=(2, 3))[..., None, None],
    )


def _clean_points(
    model: SubjectModel, probing: Probing, *, edits: Mapping[int, Edit]
) -> Float[Tensor, "P N T d"]:
    with torch.no_grad():
        trace = run(
            model,
            probing.ids,
            embeddings=probing.embeddings,
            edits=edits,
            logits=False,
        )
    return trace.points.transpose(0, 1)


def _finite_change(
    model: SubjectModel,
    probing: Probing,
    clean: Float[Tensor, "P N T d"],
    *,
    strength: float,
    edits: Mapping[int, Edit],
) -> Float[Tensor, "P J N T d"]:
    n_sources = probing.tangents.shape[1]
    start = probing.embeddings[:, None] + strength * probing.tangents
    with torch.no_grad():
        trace = run(
            model,
            _repeat(probing.ids, n_sources),
            embeddings=start.flatten(0, 1),
            edits=edits,
            logits=False,
        )
    points = trace.points.transpose(0, 1).unflatten(0, (len(probing), n_sources))
    return (points - clean[:, None]) / strength


def _exact_change(
    model: SubjectModel, probing: Probing, *, edits: Mapping[int, Edit]
) -> Float[Tensor, "P J N T d"]:
    n_sources = probing.tangents.shape[1]
    points = linear_response(
        model,
        _repeat(probing.ids, n_sources),
        embeddings=_repeat(probing.embeddings, n_sources),
        tangent=probing.tangents.flatten(0, 1),
        edits=edits,
    )
    return points.transpose(0, 1).unflatten(0, (len(probing), n_sources))


def _repeat(rows: Tensor, times: int) -> Tensor:
    return rows.repeat_interleave(times, dim=0)


def _edits(replaced: Replaced | None, *, times: int) -> dict[int, Edit]:
    """Make edits for P prompts act on the P x ``times`` rows of a run."""
    return {
        section: replace_write(_repeat(value, times))
        for section, value in (replaced or {}).items()
    }
