"""Models without induction are refused as references, with the numbers."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from transformers import AutoModelForCausalLM, LlamaConfig

from bench.errors import ReferenceRefusedError
from bench.models.architectures.llama import LLAMA
from bench.models.subject import SubjectModel
from bench.perturbation.gates import gates, refuse_unless_passed
from bench.perturbation.protocol import measure
from bench.tasks.drawing import RepeatedRandom, draw_prompts

TOKENS = 40
STEPS = 150


@pytest.fixture(scope="module")
def model() -> SubjectModel:
    """A small Llama with random weights."""
    config = LlamaConfig(
        vocab_size=TOKENS + 1,
        hidden_size=48,
        intermediate_size=96,
        num_hidden_layers=3,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=64,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = AutoModelForCausalLM.from_config(config, attn_implementation="eager")
    return SubjectModel(module, LLAMA)


@pytest.fixture(scope="module")
def trained(model: SubjectModel) -> tuple[SubjectModel, float]:
    """The same model, taught a chain in which every token has four followers."""
    generator = torch.Generator().manual_seed(1)
    followers = torch.rand(TOKENS, TOKENS, generator=generator).argsort(dim=1)[:, :4]
    optimizer = torch.optim.AdamW(model.module.parameters(), lr=3e-3)
    loss = math.inf
    for _ in range(STEPS):
        ids = chain_text(followers, generator) + 1
        logits = model.module(ids).logits[:, :-1]
        found = functional.cross_entropy(logits.transpose(1, 2), ids[:, 1:])
        optimizer.zero_grad()
        found.backward()
        optimizer.step()
        loss = found.item()
    model.module.eval()
    model.module.requires_grad_(False)
    return model, loss


def chain_text(followers: Tensor, generator: torch.Generator) -> Tensor:
    """Draw rows of the chain; nothing in them is repeated on purpose."""
    text = torch.randint(TOKENS, (32, 1), generator=generator)
    for _ in range(32):
        choice = torch.randint(4, (32, 1), generator=generator)
        text = torch.cat([text, followers[text[:, -1]].gather(1, choice)], dim=1)
    return text


def test_a_model_trained_without_repetition_is_refused(
    trained: tuple[SubjectModel, float],
) -> None:
    """It has learnt its text, and has no signature: each failed gate says its number.

    ``test_references.py`` holds the same for an untrained model.
    """
    model, loss = trained
    recipe = RepeatedRandom(
        kind="repeated-random",
        seed=2,
        period=16,
        bos=0,
        first_token=1,
        last_token=TOKENS,
        discovery=2,
        reference=17,
    )
    prompts = [p for p in draw_prompts(recipe) if p.split == "reference"]

    found = gates(measure(model, prompts))

    assert loss < 0.6 * math.log(TOKENS)  # four followers: ln 4 = 1.39 of 3.69
    failed = {gate.name: gate for gate in found if not gate.passed}
    assert {"loss", "ratio-sites", "ratio-prompts"} <= set(failed)
    with pytest.raises(
        ReferenceRefusedError,
        match=r"'chain' is refused \(no induction signature\); nothing was written:\n"
        r"(.*\n)*  ratio-sites: .* is [-0-9.enan]+, required >= 3\n"
        r"  ratio-prompts: .* is [-0-9.enan]+, required >= 2\n",
    ):
        refuse_unless_passed(found, task="chain")
