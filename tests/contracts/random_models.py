"""A small random model of every architecture."""

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from bench.models.architectures.registry import KNOWN
from bench.models.subject import SubjectModel
from bench.models.weights import ATTENTION

SMALL = {
    "vocab_size": 40,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 32,
    "query_pre_attn_scalar": 8,
    "sliding_window": 4,  # shorter than the prompts, so that a window is one
    "final_logit_softcapping": 3.0,  # low enough to bend these logits
    "pad_token_id": None,
}
"""Every architecture takes what it knows of these."""


def random_subject(model_type: str) -> SubjectModel:
    """Make a model of three blocks whose every parameter matters."""
    config = AutoConfig.for_model(model_type, **SMALL)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = AutoModelForCausalLM.from_config(
            config, attn_implementation=ATTENTION, dtype=torch.float32
        )
        for parameter in module.parameters():
            parameter.data += 0.25 * torch.randn_like(parameter)
    module.eval()
    module.requires_grad_(False)
    return SubjectModel(module, KNOWN[model_type])
