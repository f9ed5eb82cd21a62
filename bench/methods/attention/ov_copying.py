"""Copying score: does a head's output raise the token it attends to?

    max over heads of  sum of eigenvalues / sum of their absolute values

of the map from a token's embedding, without its position, through the attention norm
and the head's value and output projections, to the unembedding; for attention sections,
0 for MLP sections. What is the same for every token, biases above all, is taken out. It
lies between -1 and 1. Kind: write. Cost: one forward pass of the vocabulary as prompts
of one token, whatever the number of prompts. The same for every prompt, so that there
is nothing per prompt.
Source: Elhage et al. 2021, "A mathematical framework for transformer circuits".
Known failure: it is read off the weights, so that it says what a head can do and not
whether it does it here; heads deep in a model read no raw embeddings.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from bench.methods.context import TaskContext
from bench.methods.protocol import method
from bench.models.attention import HeadRun, observed_heads
from bench.models.edits import replace_state
from bench.models.run import run
from bench.models.subject import SubjectModel
from bench.profiles.attribution import LayerAttribution


@method("ov-copying-score", kind="write", cost="1 F of the vocabulary")
def ov_copying_score(ctx: TaskContext) -> LayerAttribution:
    """Read off the weights whether a head copies."""
    scores = torch.zeros(ctx.n_sections)
    for block, head in enumerate(_on_single_tokens(ctx.subject)):
        outputs = head_to_residual(ctx.subject, block)
        scores[2 * block] = max(
            copying(head.output[:, 0, h], outputs[h], ctx.subject.unembedding)
            for h in range(len(outputs))
        )
    return LayerAttribution(values=scores.double().numpy())


def _on_single_tokens(model: SubjectModel) -> list[HeadRun]:
    """Run every token alone, with its bare embedding before every block.

    A token alone attends to itself, so that a head's output is its value.
    """
    ids = torch.arange(model.vocabulary, device=model.device)[:, None]
    with torch.no_grad(), observed_heads(model) as heads:
        bare = model.module.get_input_embeddings()(ids)
        mlps = range(1, model.n_sections, 2)
        edits = {section: replace_state(bare) for section in mlps}
        run(model, ids, embeddings=bare, edits=edits)
    return heads


def head_to_residual(model: SubjectModel, block: int) -> Float[Tensor, "H k d"]:
    """Return what each head's output adds to the residual stream, as a matrix.

    A norm after the projection (Gemma) is linear once its statistic is fixed; it
    scales all of an output alike and is fixed to 1 here.
    """
    places = model.architecture
    projection = model.blocks[block].get_submodule(places.attention_projection)
    n_heads = model.module.config.num_attention_heads
    width = int(
        projection.get_parameter("weight").numel() // model.unembedding.shape[1]
    )
    with torch.no_grad():
        unit = torch.eye(width, device=model.device, dtype=model.dtype)
        matrix = projection(unit) - projection(torch.zeros_like(unit))
        if places.attention_write != places.attention_projection:
            norm = model.blocks[block].get_submodule(places.attention_write)
            matrix = places.frozen_norm(norm, torch.ones_like(matrix), matrix)
    return matrix.reshape(n_heads, width // n_heads, -1)


def copying(
    values: Float[Tensor, "vocab k"],
    output: Float[Tensor, "k d"],
    unembedding: Float[Tensor, "vocab d"],
) -> float:
    """Return the copying score of one head.

    The vocabulary-sized map has the eigenvalues of the small one computed here, and
    zeros.
    """
    centred = (values - values.mean(dim=0)).double()
    small = output.double() @ unembedding.double().T @ centred
    eigenvalues = torch.linalg.eigvals(small)
    total = float(eigenvalues.abs().sum())
    return float(eigenvalues.real.sum()) / total if total > 0 else 0.0
