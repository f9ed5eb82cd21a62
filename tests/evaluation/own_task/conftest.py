"""A model of one's own that is never run, with texts and prompts for it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import GPT2Config, PreTrainedTokenizerFast

from bench.evaluation.own_task import Wanted
from bench.models.inspection import Inspected
from bench.tasks.prompts import Prompt, prompt_lines

Half = tuple[int, ...]


@pytest.fixture
def want() -> Callable[..., Wanted]:
    """Want the fewest prompts of period 8."""

    def make(**changes: Any) -> Wanted:
        fewest: dict[str, Any] = {"period": 8, "discovery": 2, "reference": 17}
        fields: dict[str, Any] = fewest | {"seed": 5} | changes
        return Wanted(**fields)

    return make


@pytest.fixture
def halves() -> tuple[Half, ...]:
    """Nineteen halves of which no two neighbours share a token."""
    return tuple(tuple((8 * n + k) % 59 + 1 for k in range(8)) for n in range(19))


@pytest.fixture
def read_words() -> Callable[[str | None], PreTrainedTokenizerFast]:
    """Make tokenizers whose token n is the word wn, and 0 the one before a text."""

    def make(first: str | None) -> PreTrainedTokenizerFast:
        words = ["<bos>", *(f"w{number}" for number in range(1, 60))]
        ids = {word: number for number, word in enumerate(words)}
        plain: Any = Tokenizer(models.WordLevel(ids, "w1"))
        plain.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        return PreTrainedTokenizerFast(tokenizer_object=plain, bos_token=first)

    return make


@pytest.fixture
def make(
    tmp_path: Path, read_words: Callable[[str | None], PreTrainedTokenizerFast]
) -> Callable[..., Inspected]:
    """Make a model's folder, with weights that nobody reads, and look at it."""
    folder = tmp_path / "model"

    def make(
        *, words: bool = True, weights: str = "model.safetensors", **named: Any
    ) -> Inspected:
        fields: dict[str, Any] = {"vocab_size": 60, "n_embd": 8, "n_layer": 3}
        fields |= {"n_head": 2, "n_positions": 32}
        fields |= {"bos_token_id": 0, "eos_token_id": None}
        config = GPT2Config(**(fields | named))
        config.save_pretrained(folder)
        (folder / weights).write_bytes(b"weights")
        return Inspected(str(folder), config, read_words("<bos>") if words else None)

    return make


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the task goes; there is nothing yet."""
    return tmp_path / "tasks" / "mine"


@pytest.fixture
def texts(tmp_path: Path, halves: tuple[Half, ...]) -> Path:
    """A file of the halves as passages, each with a word more."""
    path = tmp_path / "texts.txt"
    lines = [" ".join(f"w{token}" for token in (*half, 1)) for half in halves]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def brought(tmp_path: Path, tiny_prompts: tuple[Prompt, ...]) -> Path:
    """A file of prompts, tokens 0 to 39."""
    path = tmp_path / "brought.jsonl"
    path.write_bytes(prompt_lines(tiny_prompts))
    return path
