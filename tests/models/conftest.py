from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
from transformers import GPT2Config, PreTrainedTokenizerFast

TEXT = "the quick brown fox jumps over the lazy dog and runs away from it"


@pytest.fixture(scope="session")
def configure() -> Callable[..., GPT2Config]:
    """Configure GPT-2s of three blocks and 64 tokens that name no special ones."""

    def make(**changes: Any) -> GPT2Config:
        fields = {
            "vocab_size": 64,
            "n_embd": 8,
            "n_layer": 3,
            "n_head": 2,
            "n_positions": 16,
            "bos_token_id": None,
            "eos_token_id": None,
        }
        return GPT2Config(**(fields | changes))

    return make


@pytest.fixture(scope="session")
def train_tokenizer() -> Callable[..., PreTrainedTokenizerFast]:
    """Train tokenizers whose ids 0 and 1 are special, and which put 0 before texts."""

    def train(size: int = 50, **named: Any) -> PreTrainedTokenizerFast:
        plain: Any = Tokenizer(models.BPE())
        plain.pre_tokenizer = pre_tokenizers.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=size, special_tokens=["<bos>", "<unk>"], show_progress=False
        )
        plain.train_from_iterator([TEXT] * 3, trainer)
        plain.post_processor = processors.TemplateProcessing(
            single="<bos> $A", special_tokens=[("<bos>", 0)]
        )
        options = {"bos_token": "<bos>", "unk_token": "<unk>"} | named
        return PreTrainedTokenizerFast(tokenizer_object=plain, **options)

    return train


@pytest.fixture
def hub_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, str], Path]:
    """Make room for a hub model in a cache of its own; returns its commit's folder."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))

    def make(name: str, commit: str) -> Path:
        root = tmp_path / "hub" / f"models--{name.replace('/', '--')}"
        (root / "refs").mkdir(parents=True)
        (root / "refs" / "main").write_text(commit)
        (root / "snapshots" / commit).mkdir(parents=True)
        return root / "snapshots" / commit

    return make
