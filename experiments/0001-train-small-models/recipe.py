"""All that a trained model depends on, and the variants that were tried."""

from dataclasses import dataclass, replace
from typing import Literal

BOS = 0


@dataclass(frozen=True)
class Recipe:
    """All that the trained weights depend on."""

    seed: int = 0
    architecture: Literal["llama", "gpt2", "gemma2"] = "llama"
    ordinary_tokens: int = 128
    blocks: int = 6
    width: int = 128
    heads: int = 2
    head_width: int = 16
    """Two heads of 16 can carry little of a token's identity, so that one section does
    not suffice and induction builds up over several."""
    mlp_width: int = 256
    steps: int = 1600
    batch: int = 32
    chain_rows: int = 12
    """Rows of a batch that hold text of a Markov chain in which a span is repeated, so
    that induction shares the model with another behaviour."""
    successors: int = 4
    """How many tokens may follow a token in the chain."""
    length: int = 64
    shortest_period: int = 6
    longest_period: int = 28
    positions: int = 256
    """Longest prompt in tokens."""
    window: int = 32
    """Sliding window of every other block of a Gemma 2, in tokens."""
    learning_rate: float = 3e-3
    weight_decay: float = 0.1
    warmup: int = 100
    section_drop: float = 0.0
    """Chance that a sequence skips a section's write. It makes sections redundant."""
    drop_from: float = 0.0
    """Fraction of the steps after which sections are dropped, rising for as long."""


GPT2 = Recipe(
    architecture="gpt2",
    width=64,
    heads=4,
    batch=64,
    length=48,
    shortest_period=4,
    longest_period=20,
    chain_rows=24,
    learning_rate=1e-3,
    steps=3000,
)
GEMMA2 = Recipe(architecture="gemma2", width=64, heads=4, steps=2000)

VARIANTS = {
    "small-llama": Recipe(),
    "eight-blocks": Recipe(blocks=8, steps=2000),
    "more-heads": Recipe(blocks=8, heads=4, steps=2000),
    "drop-early": Recipe(
        blocks=8, heads=4, head_width=32, steps=2000, section_drop=0.1
    ),
    "drop-late": Recipe(
        blocks=8,
        heads=4,
        head_width=32,
        steps=3000,
        chain_rows=0,
        section_drop=0.15,
        drop_from=0.3,
    ),
    "wide-gpt2": replace(GPT2, width=128, heads=2, steps=2000),
    "six-blocks-gpt2": GPT2,
    "small-gpt2": replace(GPT2, blocks=10),
    "deep-gpt2": replace(GPT2, blocks=16),
    "wide-gemma2": Recipe(architecture="gemma2", blocks=10, steps=2000),
    "narrow-heads-gemma2": Recipe(
        architecture="gemma2", blocks=10, steps=1400, head_width=8
    ),
    "narrow-gemma2": replace(GEMMA2, blocks=10),
    "small-gemma2": replace(GEMMA2, blocks=10, seed=1),
    "six-blocks-gemma2": Recipe(architecture="gemma2"),
    "gemma2-seed-0": GEMMA2,
    "gemma2-seed-1": replace(GEMMA2, seed=1),
    "gemma2-seed-2": replace(GEMMA2, seed=2),
}
"""What was tried; README.md says what came of each."""
