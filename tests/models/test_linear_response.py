from typing import cast

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from bench.models.edits import replace_write
from bench.models.linear_response import linear_response
from bench.models.run import run
from bench.models.subject import SubjectModel


@pytest.fixture
def ids() -> Tensor:
    """Two rows of nine tokens."""
    return torch.randint(0, 40, (2, 9), generator=torch.Generator().manual_seed(0))


@pytest.fixture
def tangent() -> Tensor:
    """A direction for every position."""
    return torch.randn(2, 9, 16, generator=torch.Generator().manual_seed(1))


def test_equals_double_backward(
    tiny_model: SubjectModel, ids: Tensor, tangent: Tensor
) -> None:
    """At every point it equals reverse mode applied twice to plain embeddings."""
    start = tiny_model.embed(ids)

    def points(x: Tensor) -> Tensor:
        return run(tiny_model, ids, embeddings=x).points

    _, expected = torch.autograd.functional.jvp(points, start, tangent)
    found = linear_response(tiny_model, ids, embeddings=start, tangent=tangent)

    assert found.shape == (5, 2, 9, 16)
    assert_close(found, cast(Tensor, expected), rtol=1e-4, atol=1e-4)


def test_equals_central_differences(
    tiny_model: SubjectModel, ids: Tensor, tangent: Tensor
) -> None:
    """Central differences tend to it, four times nearer with half the step."""
    start = tiny_model.embed(ids)
    exact = linear_response(tiny_model, ids, embeddings=start, tangent=tangent)

    def gap(step: float) -> float:
        ahead, behind = (
            run(tiny_model, ids, embeddings=start + s * tangent).points.double()
            for s in (step, -step)
        )
        return float(((ahead - behind) / (2 * step) - exact).norm() / exact.norm())

    assert gap(1e-3) < 1e-3
    assert gap(0.01) / gap(0.005) == pytest.approx(4.0, rel=0.25)


def test_is_linear_in_the_tangent(
    tiny_model: SubjectModel, ids: Tensor, tangent: Tensor
) -> None:
    """The response to a sum of tangents is the sum of the responses."""
    start = tiny_model.embed(ids)

    def respond(t: Tensor) -> Tensor:
        return linear_response(tiny_model, ids, embeddings=start, tangent=t)

    other = tangent.flip(1)
    assert_close(
        respond(2 * tangent + other),
        2 * respond(tangent) + respond(other),
        rtol=1e-3,
        atol=1e-3,
    )


def test_edits_are_in_force(
    tiny_model: SubjectModel, ids: Tensor, tangent: Tensor
) -> None:
    """A replaced write does not respond; what follows responds less one path."""
    start = tiny_model.embed(ids)
    edits = {0: replace_write(torch.ones(2, 9, 16))}
    found = linear_response(
        tiny_model, ids, embeddings=start, tangent=tangent, edits=edits
    )

    assert_close(found[1], found[0])
    assert not found[2].allclose(found[1], atol=0.01)
