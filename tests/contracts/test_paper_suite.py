"""The suite of hub models, on models of exactly its shapes with random weights."""

import pytest
import torch
from torch.testing import assert_close
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    GPT2Config,
    GPTNeoXConfig,
    LlamaConfig,
    PreTrainedConfig,
    Qwen2Config,
)

from bench.models.architectures.registry import find_architecture
from bench.models.memory import bytes_needed, count_parameters
from bench.models.run import run
from bench.models.subject import SubjectModel
from bench.perturbation.layout import lay_out, no_progress
from bench.perturbation.measurement import excess
from bench.perturbation.stages import full_response
from bench.tasks.prompts import check_readable
from bench.tasks.registry import data_root, find_task, read_suites

ROOT = data_root()
SUITE = read_suites(ROOT)["paper"]

SHAPES: dict[str, PreTrainedConfig] = {
    "induction/gpt2-xl": GPT2Config(n_embd=1600, n_layer=48, n_head=25),
    "induction/gemma-2-2b": Gemma2Config(
        vocab_size=256_000,
        hidden_size=2304,
        intermediate_size=9216,
        num_hidden_layers=26,
        num_attention_heads=8,
        num_key_value_heads=4,
        head_dim=256,
        query_pre_attn_scalar=256,
        sliding_window=4096,
    ),
    "induction/llama-3-2-3b": LlamaConfig(
        vocab_size=128_256,
        hidden_size=3072,
        intermediate_size=8192,
        num_hidden_layers=28,
        num_attention_heads=24,
        num_key_value_heads=8,
        head_dim=128,
        max_position_embeddings=131_072,
        rms_norm_eps=1e-5,
        tie_word_embeddings=True,
    ),
    "induction/gpt2": GPT2Config(),
    "induction/pythia-160m": GPTNeoXConfig(
        vocab_size=50_304,
        hidden_size=768,
        intermediate_size=3072,
        num_hidden_layers=12,
        num_attention_heads=12,
    ),
    "induction/qwen2-5-0-5b": Qwen2Config(
        vocab_size=151_936,
        hidden_size=896,
        intermediate_size=4864,
        num_hidden_layers=24,
        num_attention_heads=14,
        num_key_value_heads=2,
        tie_word_embeddings=True,
    ),
}
"""The models' published configurations, as far as they set a shape."""

LARGE = {"induction/gpt2-xl", "induction/gemma-2-2b", "induction/llama-3-2-3b"}


def test_every_task_of_the_suite_has_its_shape() -> None:
    """The shapes below are those of the suite's tasks, no more and no fewer."""
    assert set(SHAPES) == set(SUITE.tasks)


@pytest.mark.parametrize("name", SHAPES)
def test_task_file_says_what_the_model_is(name: str) -> None:
    """Architecture, blocks and number of weights are those of the configuration."""
    source, config = find_task(name, root=ROOT).spec.model, SHAPES[name]

    assert source.architecture == config.model_type
    assert source.blocks == config.num_hidden_layers
    assert source.parameters == count_parameters(config)
    assert source.revision is not None
    # the model, an untrained one, and something to compute with
    assert bytes_needed(config) > 8 * count_parameters(config)


@pytest.mark.parametrize("name", SHAPES)
def test_the_model_can_read_the_prompts(name: str) -> None:
    """Tokens and lengths fit; each prompt begins with the model's own token."""
    task, config = find_task(name, root=ROOT), SHAPES[name]
    prompts = task.read_prompts("discovery") + task.read_prompts("reference")

    check_readable(
        prompts, vocabulary=config.vocab_size, context=config.max_position_embeddings
    )
    recipe = task.spec.prompts.recipe
    assert recipe is not None
    assert not recipe.first_token <= recipe.bos <= recipe.last_token


def two_blocks(config: PreTrainedConfig) -> SubjectModel:
    """Build the first two blocks of a shape, at full width, with random weights."""
    settings = config.to_dict() | {"num_hidden_layers": 2, "layer_types": None}
    settings.pop("n_layer", None)
    short = type(config)(**{k: v for k, v in settings.items() if v is not None})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = AutoModelForCausalLM.from_config(
            short, attn_implementation="eager", dtype=torch.float32
        )
    module.eval()
    module.requires_grad_(False)
    return SubjectModel(module, find_architecture(config.model_type))


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] if name in LARGE else [])
        for name in SHAPES
    ],
)
def test_responses_at_full_width(name: str) -> None:
    """Writes sum to the residual, and a perturbation arrives where it can, only."""
    model = two_blocks(SHAPES[name])
    prompts = find_task(name, root=ROOT).read_prompts("reference")[:2]
    bench = lay_out(model, prompts, seed=0, chunk=1)
    trace = run(model, bench.batch.clean)

    total = trace.embeddings + sum(trace.writes)
    assert_close(total, trace.states[-1], rtol=1e-4, atol=1e-4)
    response = full_response(bench, strength=1e-3, progress=no_progress)
    mean = torch.from_numpy(response["repeated_mean_relative"])
    assert mean.isfinite().all()
    assert mean[:, 0].count_nonzero() == len(mean)  # at the embeddings, itself alone
    assert (mean[0, -1, 2:] > 0).all()  # after two blocks, every later site
    assert torch.from_numpy(excess(response, "gain")).isfinite().all()
