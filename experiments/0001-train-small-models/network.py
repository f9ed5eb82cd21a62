"""Build the models that recipes ask for, and measure their losses."""

import torch
from recipe import BOS, Recipe
from torch.nn import functional
from transformers import AutoConfig, AutoModelForCausalLM

from bench.models.architectures.registry import find_architecture
from bench.models.subject import SubjectModel


def build_model(recipe: Recipe) -> SubjectModel:
    """Initialise the model from the recipe's seed."""
    torch.manual_seed(recipe.seed)
    config = AutoConfig.for_model(recipe.architecture, **_settings(recipe))
    module = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    return SubjectModel(module, find_architecture(recipe.architecture))


def _settings(recipe: Recipe) -> dict[str, object]:
    """Name the recipe's sizes as the architecture's configuration does."""
    common = {
        "vocab_size": recipe.ordinary_tokens + 1,
        "hidden_size": recipe.width,
        "num_hidden_layers": recipe.blocks,
        "num_attention_heads": recipe.heads,
        "bos_token_id": BOS,
        "eos_token_id": None,
        "pad_token_id": None,
        "tie_word_embeddings": False,
    }
    if recipe.architecture == "gpt2":
        dropouts = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
        sizes = {"n_inner": recipe.mlp_width, "n_positions": recipe.positions}
        return common | dropouts | sizes
    sizes = {
        "intermediate_size": recipe.mlp_width,
        "num_key_value_heads": recipe.heads,
        "head_dim": recipe.head_width,
        "max_position_embeddings": recipe.positions,
    }
    if recipe.architecture == "gemma2":
        windows = {"sliding_window": recipe.window}
        sizes |= windows | {"query_pre_attn_scalar": recipe.head_width}
    return common | sizes


def half_losses(
    model: SubjectModel, recipe: Recipe, *, period: int = 16
) -> dict[str, float]:
    """Measure the loss of both halves of ``[BOS] s s`` on 512 unseen sequences.

    The first token of the second half is left out: nothing says when a period ends.
    """
    generator = torch.Generator().manual_seed(987_654_321)
    order = torch.rand(512, recipe.ordinary_tokens, generator=generator).argsort(dim=1)
    half = order[:, :period] + 1
    ids = torch.cat([torch.full((512, 1), BOS), half, half], dim=1)
    with torch.no_grad():
        logits = model.module(ids).logits[:, :-1]
    losses = functional.cross_entropy(
        logits.transpose(1, 2), ids[:, 1:], reduction="none"
    )
    return {
        "first_half_nats": losses[:, :period].mean().item(),
        "second_half_nats": losses[:, period + 1 :].mean().item(),
    }
