from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from bench.methods.attention.ov_copying import (
    copying,
    head_to_residual,
    ov_copying_score,
)
from bench.methods.context import TaskContext
from bench.models.subject import SubjectModel
from tests.methods.naive_llama import NaiveLlama, Rules, deviation, random_model


def score(matrix: Tensor) -> float:
    """Sum a map's eigenvalues, relative to the sum of their absolute values."""
    eigenvalues = np.linalg.eigvals(matrix.numpy())
    return float(eigenvalues.sum().real / np.abs(eigenvalues).sum())


def by_head(
    subject: SubjectModel, *, normed: bool = True, centred: bool = True
) -> np.ndarray:
    """Build every head's map from tokens to logits, as large as the vocabulary."""
    llama = NaiveLlama(subject)
    tokens = llama.embed(torch.arange(40))
    found = np.zeros((llama.n_blocks, llama.n_heads))
    for block in range(llama.n_blocks):
        place = f"model.layers.{block}"
        read = llama.norm(f"{place}.input_layernorm", tokens, Rules())
        values, outputs = (
            llama.weights[f"{place}.self_attn.{name}_proj.weight"] for name in "vo"
        )
        for h in range(llama.n_heads):
            k = 16 // llama.n_heads
            own = slice(k * h, k * h + k)
            common = slice(k * (h // llama.shared), k * (h // llama.shared) + k)
            x = read if normed else tokens
            moved = x @ values[common].T @ outputs[:, own].T
            logits = moved @ llama.table.T
            assert logits.shape == (40, 40)
            if centred:
                # what is the same for every token read says nothing about copying
                logits = logits - logits.mean(dim=0)
            found[block, h] = score(logits)
    return found


def test_equals_the_whole_map(tiny_context: TaskContext) -> None:
    """It is the best head's score of the vocabulary-sized map."""
    expected = by_head(tiny_context.subject)
    found = ov_copying_score(tiny_context).values

    assert np.abs(expected).min() > 0.01
    assert (found[1::2] == 0).all()
    assert deviation(found[::2], expected.max(axis=1)) < 1e-4


def test_equals_it_where_heads_share_values(
    make_context: Callable[[SubjectModel], TaskContext],
) -> None:
    """Every head has its own projection of the value it shares."""
    subject = random_model("llama", heads=4, shared=2)
    found = ov_copying_score(make_context(subject)).values[::2]

    assert deviation(found, by_head(subject).max(axis=1)) < 1e-4


def test_every_part_of_the_map_matters(tiny_context: TaskContext) -> None:
    """Tokens without the norm, what all tokens share, or another head, differ."""
    subject = tiny_context.subject
    found = ov_copying_score(tiny_context).values[::2]

    assert deviation(found, by_head(subject, normed=False).max(axis=1)) > 0.01
    assert deviation(found, by_head(subject, centred=False).max(axis=1)) > 0.01
    assert deviation(found, by_head(subject).min(axis=1)) > 0.01


def test_small_map_has_the_same_eigenvalues() -> None:
    """A score of a narrow head is that of the wide map that it stands for."""
    generator = torch.Generator().manual_seed(0)
    values, output, table = (
        torch.randn(shape, generator=generator).double()
        for shape in ((30, 4), (4, 12), (30, 12))
    )

    found = copying(values, output, table)
    wide = (values - values.mean(dim=0)) @ output @ table.T
    assert found == pytest.approx(score(wide), abs=1e-8)
    shifted = copying(values + torch.randn(4, generator=generator), output, table)
    assert shifted == pytest.approx(found, abs=1e-8)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_head_that_copies(
    make_model: Callable[..., SubjectModel],
    make_context: Callable[[SubjectModel], TaskContext],
    sign: float,
) -> None:
    """A head that returns what it reads to the unembedding scores 1, its negative -1.

    Embeddings are the unembedding, of equal lengths, so that the norm scales all alike;
    the head's values and outputs keep components.
    """
    model = make_model(blocks=1)
    weights = model.module.state_dict()
    table = weights["lm_head.weight"]
    table.div_(table.norm(dim=1, keepdim=True))
    weights["model.embed_tokens.weight"].copy_(table)
    weights["model.layers.0.input_layernorm.weight"].fill_(1.0)
    weights["model.layers.0.self_attn.v_proj.weight"].copy_(torch.eye(16))
    weights["model.layers.0.self_attn.o_proj.weight"].copy_(sign * torch.eye(16))

    assert ov_copying_score(make_context(model)).values[0] == pytest.approx(sign)


def test_heads_outputs_are_the_projections_columns(tiny_context: TaskContext) -> None:
    """Each head's own columns of the projection, transposed."""
    subject = tiny_context.subject
    weight = subject.blocks[1].get_parameter("self_attn.o_proj.weight")
    found = head_to_residual(subject, 1)

    assert found.shape == (2, 8, 16)
    for h in range(2):
        for k in range(8):
            torch.testing.assert_close(found[h, k], weight[:, 8 * h + k])
