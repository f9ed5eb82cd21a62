import re
from typing import Any

import psutil
import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    GPT2Config,
    GPTNeoXConfig,
    LlamaConfig,
    PreTrainedConfig,
)

from bench.errors import ModelUnavailableError
from bench.models import memory
from bench.models.memory import (
    bytes_available,
    bytes_needed,
    check_memory,
    count_parameters,
    kind_of,
)


def llama(width: int, **changes: Any) -> LlamaConfig:
    """Configure a Llama of two blocks, ten tokens, and MLPs twice its width."""
    fields = {
        "vocab_size": 10,
        "hidden_size": width,
        "intermediate_size": 2 * width,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "tie_word_embeddings": False,
    }
    return LlamaConfig(**(fields | changes))


TIED: dict[str, Any] = {"tie_word_embeddings": True}
SIZES: dict[str, Any] = {
    "vocab_size": 10,
    "hidden_size": 8,
    "intermediate_size": 12,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
}


def test_parameters_by_hand() -> None:
    """Width 4: embeddings of 40, blocks of 168, a norm of 4, and an unembedding."""
    # a block: four 4 x 4, three 4 x 8, two norms of 4
    assert count_parameters(llama(4)) == 40 + 2 * 168 + 4 + 40


def test_tied_weights_count_once() -> None:
    """An unembedding that is the embedding takes no room of its own."""
    assert count_parameters(llama(4, **TIED)) == 40 + 2 * 168 + 4


@pytest.mark.parametrize(
    "config",
    [
        llama(8),
        llama(8, **TIED),
        GPT2Config(vocab_size=10, n_embd=8, n_layer=3, n_head=2, n_positions=16),
        GPTNeoXConfig(**SIZES),
        Gemma2Config(**SIZES, num_key_value_heads=1, head_dim=4),
    ],
    ids=["llama", "tied llama", "gpt2", "gpt_neox", "gemma2"],
)
def test_a_real_model_has_as_many(config: PreTrainedConfig) -> None:
    """What is counted without a model is what a model has."""
    module = AutoModelForCausalLM.from_config(config)

    assert count_parameters(config) == sum(p.numel() for p in module.parameters())


def test_counting_makes_no_weights() -> None:
    """A model of eight trillion weights is counted, which no machine could hold."""
    width = 2**20
    config = llama(width, num_hidden_layers=1, intermediate_size=width)

    assert count_parameters(config) == 7 * width**2 + (2 * 10 + 3) * width


def test_bytes_by_hand() -> None:
    """Weights twice, one prompt's states, and its logits, 4 bytes a number."""
    # 65 tokens, 5 points: a batch of 4 sources; the clean run; what sections write
    # instead; and what the runs under ablations keep, last points and, of 2 blocks,
    # keys and values
    states = 65 * 4 * (7 * 5 * 4 + 2 * 5 + 2 * 5 + (5 + 2 * 2))
    logits = 3 * 65 * 10

    assert bytes_needed(llama(4)) == 4 * (2 * 420 + states + logits) == 186_920


def test_bytes_follow_blocks_width_and_vocabulary() -> None:
    """Points, width and vocabulary each add what the formula says."""
    more = llama(4, num_hidden_layers=3)
    assert bytes_needed(more) - bytes_needed(llama(4)) == 4 * (
        2 * 168 + 65 * 4 * (7 * 2 * 4 + 2 * 2 + 2 * 2 + (2 + 3 * 3 - 2 * 2))
    )
    more = llama(4, vocab_size=11)
    assert bytes_needed(more) - bytes_needed(llama(4)) == 4 * (2 * 2 * 4 + 3 * 65)


def give(monkeypatch: pytest.MonkeyPatch, available: int) -> None:
    """Let every device have so many bytes."""
    monkeypatch.setattr(memory, "bytes_available", lambda _: available)


@pytest.mark.parametrize("spare", [0, 1, 10**12])
def test_what_fits_passes(spare: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that needs no more than there is passes in silence."""
    give(monkeypatch, 186_920 + spare)

    check_memory(llama(4), name="tiny", device="cpu")


def test_one_byte_too_few_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that needs a byte more than there is does not pass."""
    give(monkeypatch, 186_919)

    with pytest.raises(ModelUnavailableError, match=r"^The model 'tiny' needs about "):
        check_memory(llama(4), name="tiny", device="cpu")


def test_a_refusal_says_both_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names model, device, what is needed, what there is, what to do."""
    give(monkeypatch, 140_000_000)
    expected = re.escape(
        "The model 'a/b' needs about 0.2 GB of memory (weights twice, and "
        "activations); 'cuda:1' has 0.1 GB free. Choose another machine, another "
        "--device such as cuda, or another task."
    )

    # 4 * (2 * 20_025_000 + 65 * 1000 * 169 + 3 * 65 * 10)
    assert bytes_needed(llama(1000)) == 204_147_800
    with pytest.raises(ModelUnavailableError, match=f"^{expected}$"):
        check_memory(llama(1000), name="a/b", device="cuda:1")


def test_memory_of_the_processor() -> None:
    """There is some memory free, and no more than the machine has."""
    assert 0 < bytes_available("cpu") <= psutil.virtual_memory().total


def test_memory_of_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a GPU its own free memory counts, of the GPU that was asked for."""
    asked: list[str] = []

    def mem_get_info(device: str) -> tuple[int, int]:
        asked.append(device)
        return 5, 9

    monkeypatch.setattr(torch.cuda, "mem_get_info", mem_get_info)

    assert bytes_available("cuda:1") == 5
    assert asked == ["cuda:1"]


@pytest.mark.parametrize(
    ("device", "gpu", "kind"),
    [
        ("cpu", True, "cpu"),
        ("cuda:1", True, "cuda"),
        ("cuda", True, "cuda"),
        ("auto", True, "cuda"),
        ("auto", False, "cpu"),
    ],
)
def test_kind_of_device(
    monkeypatch: pytest.MonkeyPatch, device: str, gpu: bool, kind: str
) -> None:
    """Several devices are of the kind that this machine has."""
    monkeypatch.setattr("torch.cuda.is_available", lambda: gpu)
    assert kind_of(device) == kind
