"""Put planted matrices into transformers models of each architecture."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from bench.models.planted.heads import Head, Positions, Reading
from bench.models.planted.positions import (
    LONGEST,
    code_positions,
    rotary_frequencies,
)
from bench.models.planted.spaces import POSITION_PAIRS, WIDTH, Spaces
from bench.models.weights import ATTENTION
from bench.tasks.planted import ORDINARY_TOKENS

HEADS = 2
ROTARY_WIDTH = 96
ROTARY_BASE = 1e6
ROTARY_PAIRS = 12
"""Fast pairs that tell positions apart."""
SLOW_PAIR = 24
"""From this pair on, positions rotate by at most a thousandth of a turn a token."""
MLP_WIDTH = 128
POSITION_SIZE = 0.4
"""Length of one cosine and sine pair of the learned position code."""


@dataclass(frozen=True)
class RotaryPositions:
    """Llama and Gemma: queries and keys are rotated by position."""

    head_width: int = ROTARY_WIDTH

    @property
    def frequencies(self) -> np.ndarray:
        """The fast frequencies."""
        return rotary_frequencies(self.head_width, base=ROTARY_BASE)[:ROTARY_PAIRS]

    @property
    def free(self) -> np.ndarray:
        """Both halves of the slow pairs."""
        half = self.head_width // 2
        slow = np.arange(SLOW_PAIR, half)
        return np.concatenate([slow, slow + half])

    def query(self, reading: Reading, wanted: np.ndarray) -> np.ndarray:
        """Turn a constant by the phases."""
        rows = np.zeros((self.head_width, WIDTH))
        half = self.head_width // 2
        rows[:ROTARY_PAIRS] = np.outer(wanted[0], reading.one)
        rows[half : half + ROTARY_PAIRS] = np.outer(wanted[1], reading.one)
        return rows

    def key(self, reading: Reading) -> np.ndarray:
        """Put a constant into the first half of every fast pair."""
        rows = np.zeros((self.head_width, WIDTH))
        rows[:ROTARY_PAIRS] = reading.one
        return rows


@dataclass(frozen=True)
class LearnedPositions:
    """GPT-2: the residual stream holds a code of the position."""

    head_width: int = WIDTH // HEADS

    @property
    def frequencies(self) -> np.ndarray:
        """Spread so that no two positions are confused."""
        return np.geomspace(1.2, 0.05, POSITION_PAIRS)

    @property
    def free(self) -> np.ndarray:
        """All that the codes do not take."""
        return np.arange(2 * POSITION_PAIRS, self.head_width)

    def query(self, reading: Reading, wanted: np.ndarray) -> np.ndarray:
        """Turn the code of this position back by the phases."""
        rows = np.zeros((self.head_width, WIDTH))
        cosines, sines = np.split(self._code(reading), 2)
        turn, back = wanted[0][:, None], wanted[1][:, None]
        rows[:POSITION_PAIRS] = turn * cosines - back * sines
        rows[POSITION_PAIRS : 2 * POSITION_PAIRS] = turn * sines + back * cosines
        return rows

    def key(self, reading: Reading) -> np.ndarray:
        """Read the code of the position."""
        rows = np.zeros((self.head_width, WIDTH))
        rows[: 2 * POSITION_PAIRS] = self._code(reading)
        return rows

    def _code(self, reading: Reading) -> np.ndarray:
        return reading.of(reading.spaces.position) / POSITION_SIZE


POSITIONS: dict[str, Positions] = {
    "gpt2": LearnedPositions(),
    "llama": RotaryPositions(),
    "gemma2": RotaryPositions(),
}


def empty_model(architecture: str, *, blocks: int) -> PreTrainedModel:
    """Build a model whose sections write nothing and whose norms only normalise."""
    common: dict[str, Any] = {
        "vocab_size": ORDINARY_TOKENS + 1,
        "hidden_size": WIDTH,
        "num_hidden_layers": blocks,
        "num_attention_heads": HEADS,
        "bos_token_id": 0,
        "eos_token_id": None,
        "pad_token_id": None,
        "tie_word_embeddings": False,
    }
    learned = {"n_positions": LONGEST, "n_inner": MLP_WIDTH}
    rotary = {
        "intermediate_size": MLP_WIDTH,
        "num_key_value_heads": HEADS,
        "head_dim": ROTARY_WIDTH,
        "query_pre_attn_scalar": ROTARY_WIDTH,
        "max_position_embeddings": LONGEST,
        "rope_parameters": {"rope_type": "default", "rope_theta": ROTARY_BASE},
    }
    settings = common | (learned if architecture == "gpt2" else rotary)
    config = AutoConfig.for_model(architecture, **settings)
    module = AutoModelForCausalLM.from_config(
        config, attn_implementation=ATTENTION, dtype=torch.float32
    )
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            identity = "norm" in name or "ln_" in name
            scale = identity and "bias" not in name and architecture != "gemma2"
            parameter.fill_(1.0 if scale else 0.0)
    module.eval()
    module.requires_grad_(False)
    return module


def set_embeddings(
    module: PreTrainedModel, tokens: np.ndarray, spaces: Spaces, *, reading: float
) -> None:
    """Set what enters block 0, and the unembedding, which reads the copied token."""
    architecture = module.config.model_type
    scale = WIDTH**0.5 if architecture == "gemma2" else 1.0
    _set(cast(nn.Embedding, module.get_input_embeddings()).weight, tokens / scale)
    if architecture == "gpt2":
        codes = POSITION_SIZE * code_positions(POSITIONS["gpt2"].frequencies)
        table = cast(nn.Embedding, module.get_submodule("transformer.wpe"))
        _set(table.weight, codes @ spaces.position.T)
    rows = np.concatenate([np.zeros((1, WIDTH)), reading * spaces.copied.T])
    _set(cast(nn.Linear, module.get_output_embeddings()).weight, rows)


def set_attention(block: nn.Module, heads: Sequence[Head], *, is_gpt2: bool) -> None:
    """Set an attention section."""
    width = len(heads[0].query)
    queries = np.concatenate([head.query for head in heads]) * width**0.5
    keys = np.concatenate([head.key for head in heads])
    values = np.concatenate([head.value for head in heads])
    outputs = np.concatenate([head.output for head in heads], axis=1)
    if is_gpt2:
        _put(block, "attn.c_attn", np.concatenate([queries, keys, values]).T)
        _put(block, "attn.c_proj", outputs.T)
        return
    for place, matrix in zip("qkvo", (queries, keys, values, outputs), strict=True):
        _put(block, f"self_attn.{place}_proj", matrix)


def set_mlp(
    block: nn.Module, rows: np.ndarray, output: np.ndarray, *, is_gpt2: bool
) -> None:
    """Set an MLP section; with a gate, the rows are both the gate and its operand."""
    if is_gpt2:
        _put(block, "mlp.c_fc", rows.T)
        _put(block, "mlp.c_proj", output.T)
        return
    _put(block, "mlp.gate_proj", rows)
    _put(block, "mlp.up_proj", np.roll(rows, 1, axis=0))
    _put(block, "mlp.down_proj", output)


def _put(block: nn.Module, place: str, matrix: np.ndarray) -> None:
    _set(block.get_submodule(place).get_parameter("weight"), matrix)


def _set(parameter: torch.Tensor, values: np.ndarray) -> None:
    with torch.no_grad():
        parameter.copy_(torch.from_numpy(np.ascontiguousarray(values)))
