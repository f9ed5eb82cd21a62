"""Lenses and heads, by the caches and the weights of TransformerLens."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from bench.methods.attention.ov_copying import ov_copying_score
from bench.methods.attention.prefix_matching import prefix_matching_score
from bench.methods.readout.direct_logit_attribution import direct_logit_attribution
from bench.methods.readout.logit_lens import logit_lens
from tests.oracles.lens_models import (
    ARCHITECTURES,
    BLOCKS,
    SECTIONS,
    Lens,
    Run,
    check,
    check_apart,
    columns,
    make_lens,
    put,
)

lens = pytest.fixture(scope="module", params=ARCHITECTURES)(make_lens)


def gain(lens: Lens, norm: Any) -> Tensor:
    """Return a norm's factor for each dimension, which Gemma stores less 1."""
    stored = norm.weight.detach()
    return 1 + stored if lens.architecture == "gemma2" else stored


def scaled(run: Run) -> Tensor:
    """Divide the writes by the cached scale of the final norm, centred where it is."""
    cache: Any = run.cache
    return cache.apply_ln_to_stack(torch.stack(run.writes))


def direct(lens: Lens, writes: Tensor) -> np.ndarray:
    """Measure the behaviour of logits that each scaled write alone would give."""
    logits = (writes * gain(lens, lens.bridge.ln_final)) @ lens.bridge.W_U.detach()
    return columns([lens.behaviour(section) for section in logits])


def test_direct_logit_attribution(lens: Lens) -> None:
    """Writes over the final norm's cached scale, times its gain and W_U."""
    check(lens.found(direct_logit_attribution), direct(lens, scaled(lens.clean)))


def test_missing_scale_is_noticed(lens: Lens) -> None:
    """Without the final norm's scale the attribution is another."""
    unscaled = scaled(lens.clean) * lens.clean.cache["ln_final.hook_scale"]

    check_apart(lens.found(direct_logit_attribution), direct(lens, unscaled))


def test_corrupt_writes_are_noticed(lens: Lens) -> None:
    """The corrupt run's writes have another attribution."""
    check_apart(
        lens.found(direct_logit_attribution), direct(lens, scaled(lens.corrupt))
    )


def test_neighbouring_write_is_noticed(lens: Lens) -> None:
    """The write of the section before has another attribution."""
    moved = scaled(lens.clean).roll(1, dims=0)

    check_apart(lens.found(direct_logit_attribution), direct(lens, moved))


def test_logit_lens(lens: Lens) -> None:
    """The behaviour is that of a run whose last state a hook replaces by this one."""
    ids = lens.prompts.clean
    everywhere = torch.arange(ids.shape[1]).expand_as(ids)
    read = [
        lens.edited(ids, put(SECTIONS[-1], state, everywhere))
        for state in lens.clean.states
    ]

    check(lens.found(logit_lens), columns(read))


def attended(lens: Lens, block: int) -> Tensor:
    """Average each head's cached attention from copy site to source; [P, H]."""
    pattern = lens.clean.cache[f"blocks.{block}.attn.hook_pattern"]
    sites, sources = lens.prompts.sites.tolist(), lens.prompts.sources.tolist()
    means: list[Tensor] = []
    for number, heads in enumerate(pattern):
        pairs = zip(sites[number], sources[number], strict=True)
        means.append(torch.stack([heads[:, i, j] for i, j in pairs]).mean(dim=0))
    return torch.stack(means)


def test_prefix_matching(lens: Lens) -> None:
    """The score is the cached pattern's, of the head that is best on average."""
    scores: list[Tensor] = []
    for block in range(BLOCKS):
        by_head = attended(lens, block)
        scores.append(by_head[:, int(by_head.mean(dim=0).argmax())])
    found = lens.found(prefix_matching_score)

    check(found[:, ::2], columns(scores))
    assert not found[:, 1::2].any()


def embedded(lens: Lens) -> Tensor:
    """Return what each token of the vocabulary would bring in, without a position."""
    embeddings = lens.bridge.W_E.detach()
    scale = embeddings.shape[1] ** 0.5 if lens.architecture == "gemma2" else 1.0
    return scale * embeddings


def token_to_logits(lens: Lens, block: int, head: int) -> Tensor:
    """Map every token through a head to every token's logit; [vocab, vocab]."""
    bridge = lens.bridge
    values, output = bridge.W_V[block], bridge.W_O[block, head]
    group = len(bridge.W_O[block]) // len(values)
    with torch.no_grad():
        read = bridge.blocks[block].ln1(embedded(lens)[:, None])[:, 0]
        value = read @ values[head // group]
        written = (value - value.mean(dim=0)) @ output
        if lens.architecture == "gemma2":
            written = written * gain(lens, bridge.blocks[block].ln1_post)
    return written.double() @ bridge.W_U.detach().double()


def copying(lens: Lens, block: int) -> float:
    """Return the best head's sum of eigenvalues over that of their sizes."""
    found: list[float] = []
    for head in range(len(lens.bridge.W_O[block])):
        eigenvalues = torch.linalg.eigvals(token_to_logits(lens, block, head))
        assert len(eigenvalues) == lens.ctx.subject.vocabulary
        found.append(float(eigenvalues.real.sum() / eigenvalues.abs().sum()))
    return max(found)


def test_ov_copying(lens: Lens) -> None:
    """The score is that of the vocabulary-sized matrix of W_E, W_V, W_O and W_U.

    The embedding goes through the attention norm of the bridge, and what is the same
    for every token is taken out. The method gives one answer for all prompts.
    """
    expected = np.array([[copying(lens, block) for block in range(BLOCKS)]])
    found = ov_copying_score(lens.ctx).values[None]

    check(found[:, ::2], expected)
    assert not found[:, 1::2].any()
