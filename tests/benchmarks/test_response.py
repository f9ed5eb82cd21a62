"""One prompt's responses: all sources in one batch against one forward each.

In an ordinary run these are tests of equality; `make bench` times them side by side.
"""

from collections.abc import Callable

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor

from bench.models.loading import load_model
from bench.perturbation.differences import FiniteDifference
from bench.perturbation.layout import Bench, lay_out
from bench.perturbation.response import Probing
from bench.tasks.registry import data_root, find_task
from tests.benchmarks.speed.workloads import our_responses

STRENGTH = 1e-3
DIFFERENCE = FiniteDifference(STRENGTH)


@pytest.fixture(scope="module")
def prompt() -> Bench:
    """The first reference prompt of small-llama."""
    task = find_task("induction/small-llama", root=data_root())
    prompts = task.read_prompts("reference")[:1]
    return lay_out(load_model(task, device="cpu"), prompts, seed=0, chunk=1)


def ours(prompt: Bench) -> Tensor:
    """Runs from the sources on, a few sources at once, no logits."""
    return our_responses(prompt, DIFFERENCE)[0]


def one_forward_each(prompt: Bench) -> Tensor:
    """One full forward a source, hidden states from hooks on each block and its MLP."""
    probing = prompt.repeated
    clean = _states(prompt, probing, probing.embeddings)
    rows: list[Tensor] = []
    sources = zip(probing.positions[0], probing.tangents[0], strict=True)
    for position, tangent in sources:
        embeddings = probing.embeddings.clone()
        embeddings[0, position] += STRENGTH * tangent
        moved = _states(prompt, probing, embeddings)
        change = (moved - clean).norm(dim=-1) / STRENGTH
        rows.append(change / clean.norm(dim=-1))
    return torch.stack(rows)


def _states(prompt: Bench, probing: Probing, embeddings: Tensor) -> Tensor:
    """Catch what enters each block's two norms and the final one."""
    caught: list[Tensor] = []

    def catch(_module: object, arguments: tuple[Tensor, ...]) -> None:
        caught.append(arguments[0][0])

    norms = [
        block.get_submodule(name)
        for block in prompt.model.blocks
        for name in ("input_layernorm", "post_attention_layernorm")
    ]
    hooks = [
        norm.register_forward_pre_hook(catch)
        for norm in (*norms, prompt.model.final_norm)
    ]
    with torch.no_grad():
        prompt.model.module(inputs_embeds=embeddings, use_cache=False)
    for hook in hooks:
        hook.remove()
    return torch.stack(caught)


@pytest.mark.benchmark(group="responses of one prompt")
@pytest.mark.parametrize("engine", [ours, one_forward_each], ids=lambda f: f.__name__)
def test_responses_of_one_prompt(
    benchmark: BenchmarkFixture, prompt: Bench, engine: Callable[[Bench], Tensor]
) -> None:
    """Both engines give the same responses."""
    torch.testing.assert_close(
        engine(prompt), one_forward_each(prompt), atol=2e-3, rtol=2e-3
    )

    benchmark(engine, prompt)
