"""Draw training text; all of step ``t`` follows from the recipe's seed and ``t``."""

import torch
from recipe import BOS, Recipe
from torch import Tensor


def draw_batch(recipe: Recipe, *, step: int) -> Tensor:
    """Draw a batch: repeated random tokens, and a Markov chain with a repeated span."""
    generator = torch.Generator().manual_seed(recipe.seed * 1_000_003 + step)
    rows = _repeated(recipe, generator)
    if recipe.chain_rows:
        rows = torch.cat([rows, _chain(recipe, generator)])
    bos = torch.full((recipe.batch, 1), BOS)
    return torch.cat([bos, rows + 1], dim=1)


def _repeated(recipe: Recipe, generator: torch.Generator) -> Tensor:
    """Draw ``s_1..s_n s_1..s_n ...`` with a period n of its own in each row."""
    rows = recipe.batch - recipe.chain_rows
    shortest, longest = recipe.shortest_period, recipe.longest_period
    periods = torch.randint(shortest, longest + 1, (rows, 1), generator=generator)
    tokens = torch.rand(rows, recipe.ordinary_tokens, generator=generator)
    index = torch.arange(recipe.length) % periods
    return tokens.argsort(dim=1).gather(1, index)


def _chain(recipe: Recipe, generator: torch.Generator) -> Tensor:
    """Draw text of a fixed Markov chain, and copy a span of it to a later place."""
    rows, length = recipe.chain_rows, recipe.length
    fixed = torch.Generator().manual_seed(recipe.seed)
    shape = (recipe.ordinary_tokens, recipe.ordinary_tokens)
    followers = torch.rand(shape, generator=fixed).argsort(dim=1)[
        :, : recipe.successors
    ]
    likely = torch.arange(recipe.successors, 0, -1).float()
    choice = torch.multinomial(
        likely, rows * length, replacement=True, generator=generator
    ).reshape(rows, length)
    text = torch.randint(recipe.ordinary_tokens, (rows, 1), generator=generator)
    for position in range(1, length):
        after = followers[text[:, -1]].gather(1, choice[:, position, None])
        text = torch.cat([text, after], dim=1)
    for row in text:
        span = int(torch.randint(8, length // 3, (), generator=generator))
        start = int(torch.randint(length - 2 * span + 1, (), generator=generator))
        first, last = start + span, length - span
        copy = int(torch.randint(first, last + 1, (), generator=generator))
        row[copy : copy + span] = row[start : start + span].clone()
    return text
