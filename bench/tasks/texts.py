"""Make prompts from passages of text: real tokens, repeated once.

A passage's tokens are not all distinct, so only sources whose token, and the one before
it, occur once are probed.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from bench.errors import UserError
from bench.tasks.drawing import repeated_probes
from bench.tasks.prompts import Prompt, Split

FEWEST_PROBES = 4
"""Sources a prompt needs: the profile of a prompt is a mean over them."""


def passage_prompts(
    passages: Sequence[Sequence[int]],
    *,
    bos: int,
    period: int,
    discovery: int,
    seed: int,
) -> tuple[Prompt, ...]:
    """Repeat each passage; its neighbour serves for the control and corrupt prompts.

    Args:
        passages: Token ids of each passage, at least ``period`` of them.
        bos: Token that begins a prompt.
        period: Tokens taken from each passage.
        discovery: How many of the prompts methods see; the others are for reference.
        seed: Decides which sources are probed where a prompt has more than others.

    Raises:
        UserError: Passages are too short or repeat themselves too much. All problems
            are reported at once.
    """
    halves = [tuple(passage[:period]) for passage in passages]
    problems = list(_too_short(halves, period))
    pairs = list(zip(halves, halves[1:] + halves[:1], strict=True))
    choices = [_usable(half, fresh, bos) for half, fresh in pairs]
    problems.extend(
        f"  passage {number}: {len(usable)} sources can be probed, {FEWEST_PROBES} are "
        "needed; its tokens repeat themselves or the next passage's."
        for number, usable in enumerate(choices, start=1)
        if len(usable) < FEWEST_PROBES and len(halves[number - 1]) == period
    )
    if problems:
        raise UserError("The passages are not usable:\n" + "\n".join(problems))
    count = min(len(usable) for usable in choices)
    rng = np.random.default_rng(seed)
    return tuple(
        _prompt(number, pair, rng.choice(usable, count, replace=False), bos, discovery)
        for number, (pair, usable) in enumerate(zip(pairs, choices, strict=True))
    )


def _too_short(halves: Sequence[tuple[int, ...]], period: int) -> Iterator[str]:
    for number, half in enumerate(halves, start=1):
        if len(half) < period:
            yield f"  passage {number}: {len(half)} tokens, {period} are needed."


def _usable(half: tuple[int, ...], fresh: tuple[int, ...], bos: int) -> list[int]:
    """Return the sources k = 2..N that one earlier place alone tells."""
    counts = Counter((bos, *half))
    once = {t for t in half if counts[t] == 1} - set(fresh)
    return [k for k in range(2, len(half) + 1) if {half[k - 2], half[k - 1]} <= once]


def _prompt(
    number: int,
    pair: tuple[tuple[int, ...], tuple[int, ...]],
    sources: np.ndarray,
    bos: int,
    discovery: int,
) -> Prompt:
    half, fresh = pair
    split: Split = "discovery" if number < discovery else "reference"
    chosen = set(sources.tolist())
    return Prompt(
        id=f"{split}-{number if number < discovery else number - discovery:03d}",
        split=split,
        input_ids=(bos, *half, *half),
        control_ids=(bos, *half, *fresh),
        corrupt_ids=(bos, *fresh, *half),
        probes=tuple(p for p in repeated_probes(len(half)) if p.source in chosen),
    )
