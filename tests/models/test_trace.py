from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from bench.models.edits import patch_state, patch_write, replace_write
from bench.models.run import run
from bench.models.subject import SubjectModel


@pytest.fixture
def ids() -> Tensor:
    """One row of six tokens."""
    return torch.tensor([[3, 1, 4, 1, 5, 9]])


WRITE = torch.tensor([[[1.0], [2.0], [3.0]]])
RESIDUAL = torch.tensor([[[10.0], [20.0], [30.0]]])
VALUE = torch.tensor([[[7.0], [8.0], [9.0]]])
MASK = torch.tensor([[[1.0], [0.0], [1.0]]])


def test_edits_hand_worked() -> None:
    """What each edit writes, by hand, on three positions of width 1."""
    replaced = replace_write(VALUE)(WRITE, RESIDUAL)
    written = patch_write(VALUE, MASK)(WRITE, RESIDUAL)
    state = patch_state(VALUE, MASK)(WRITE, RESIDUAL)

    assert replaced.flatten().tolist() == [7, 8, 9]
    assert written.flatten().tolist() == [7, 2, 9]
    assert state.flatten().tolist() == [7 - 10, 2, 9 - 30]
    assert (RESIDUAL + state).flatten().tolist() == [7, 22, 9]


def test_one_value_replaces_every_row() -> None:
    """A value with one row is written to all rows."""
    rows = WRITE.expand(4, 3, 1)

    assert replace_write(VALUE)(rows, rows).equal(VALUE.expand(4, 3, 1))


def test_edits_compose_in_order_of_depth(tiny_model: SubjectModel, ids: Tensor) -> None:
    """An edit sees what earlier edits left behind."""
    seen: list[Tensor] = []

    def look(write: Tensor, residual: Tensor) -> Tensor:
        seen.append(residual)
        return write

    value = torch.ones(1, 6, 16)
    start = tiny_model.embed(ids)
    run(tiny_model, ids, edits={1: look, 0: replace_write(value)})

    assert_close(seen[0], start + 1.0)


def test_gradients_reach_embeddings_and_writes(
    tiny_model: SubjectModel, ids: Tensor
) -> None:
    """A run from embeddings that ask for gradients can be differentiated."""
    start = tiny_model.embed(ids).requires_grad_()
    trace = run(tiny_model, ids, embeddings=start)
    gradients = torch.autograd.grad(
        trace.logits[0, -1, 3], [start, *trace.writes], allow_unused=True
    )

    assert all(g is not None and g.abs().max() > 1e-3 for g in gradients)


def test_no_gradients_are_tracked_otherwise(
    tiny_model: SubjectModel, ids: Tensor
) -> None:
    """The weights are frozen, so a plain run holds no graph."""
    trace = run(tiny_model, ids)

    assert not trace.logits.requires_grad


def test_depth_is_counted(make_model: Callable[..., SubjectModel], ids: Tensor) -> None:
    """A model of three blocks has six writes and seven points."""
    trace = run(make_model(blocks=3), ids)

    assert (len(trace.writes), len(trace.states), len(trace.points)) == (6, 6, 7)
