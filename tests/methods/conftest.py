"""A model that is linear or quadratic by construction, from the same modules."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from bench.methods.context import TaskContext
from bench.models.subject import SubjectModel


class One(nn.Module):
    """An activation that is 1 whatever it is given."""

    def forward(self, x: Tensor) -> Tensor:
        """Return ones."""
        return torch.ones_like(x)


def made_polynomial(model: SubjectModel, *, activation: nn.Module) -> SubjectModel:
    """Take the nonlinearities out of a Llama.

    Attention becomes uniform (zero queries), norms the identity, and the gate of every
    MLP the given activation: ``One`` makes the model linear in its embeddings, the
    identity makes each MLP quadratic.
    """
    model.module.get_parameter("model.embed_tokens.weight").mul_(4)
    for block in model.blocks:
        block.get_parameter("self_attn.q_proj.weight").zero_()
        block.input_layernorm = nn.Identity()
        block.post_attention_layernorm = nn.Identity()
        block.get_submodule("mlp").act_fn = activation
    model.module.get_submodule("model").norm = nn.Identity()
    return model


@pytest.fixture
def linear_context(
    make_model: Callable[..., SubjectModel],
    make_context: Callable[[SubjectModel], TaskContext],
) -> TaskContext:
    """A context whose behaviour is a linear function of the embeddings."""
    return make_context(made_polynomial(make_model(), activation=One()))


@pytest.fixture
def quadratic_context(
    make_model: Callable[..., SubjectModel],
    make_context: Callable[[SubjectModel], TaskContext],
) -> TaskContext:
    """One block: the behaviour is a quadratic function of the embeddings."""
    model = make_model(blocks=1)
    return make_context(made_polynomial(model, activation=nn.Identity()))


@pytest.fixture
def quartic_context(
    make_model: Callable[..., SubjectModel],
    make_context: Callable[[SubjectModel], TaskContext],
) -> TaskContext:
    """Two blocks: a polynomial of degree four, smooth along every path."""
    return make_context(made_polynomial(make_model(), activation=nn.Identity()))
