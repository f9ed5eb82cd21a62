import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from bench.adapters.transformer_lens import from_transformer_lens
from bench.errors import MissingExtraError
from bench.methods.context import TaskContext
from bench.methods.patching.activation_patching import denoising
from bench.methods.protocol import Method
from bench.profiles.attribution import LayerAttribution

BUILDER = "transformer_lens.model_bridge.sources._bridge_builder"


def put(clean: Tensor, sites: Tensor, state: Tensor, **_: object) -> Tensor:
    """Put clean states into the copy sites."""
    rows = torch.arange(len(sites))[:, None]
    state[rows, sites] = clean[rows, sites]
    return state


def patching(bridge: Any, ctx: TaskContext) -> Tensor:
    """Patch states with TransformerLens hooks.

    More words, which are no summary.
    """
    points = ("hook_resid_mid", "hook_resid_post")
    names = [f"blocks.{b}.{p}" for b in range(len(ctx.subject.blocks)) for p in points]
    logits, cache = bridge.run_with_cache(ctx.prompts.clean)
    before = ctx.metric(bridge(ctx.prompts.corrupt))
    gap = (ctx.metric(logits) - before).mean()
    hooks = [(n, partial(put, cache[n], ctx.prompts.sites)) for n in names]
    patched = [
        ctx.metric(bridge.run_with_hooks(ctx.prompts.corrupt, fwd_hooks=[hook]))
        for hook in hooks
    ]
    return (torch.stack(patched, dim=1) - before[:, None]) / gap


def test_hooks_equal_activation_patching(
    unchanged: Callable[[Method], LayerAttribution], tiny_context: TaskContext
) -> None:
    """Patching through the bridge is patching the model, which is left as it was."""
    made = from_transformer_lens("patching", patching, kind="state")
    found, expected = unchanged(made).per_prompt, denoising(tiny_context).per_prompt

    assert found is not None
    assert expected is not None
    assert np.abs(expected).min() > 1e-3
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_weights_are_copied(tiny_context: TaskContext) -> None:
    """What a function does to the bridge's weights, it does not do to the model's."""
    before = tiny_context.metric_of(tiny_context.trace(tiny_context.prompts.clean))

    def spoilt(bridge: Any, ctx: TaskContext) -> Tensor:
        for parameter in bridge.parameters():
            parameter.zero_()
        return bridge(ctx.prompts.clean)[:, 0, : ctx.n_sections]

    answer = from_transformer_lens("spoilt", spoilt, kind="write")(tiny_context)
    after = tiny_context.metric_of(tiny_context.trace(tiny_context.prompts.clean))

    assert np.abs(answer.values).max() == 0
    assert before.abs().min() > 0
    assert after.equal(before)


def test_says_what_it_is() -> None:
    """Name and kind as given, the summary from the function."""
    made = from_transformer_lens("patching", patching, kind="state")

    assert (made.name, made.kind) == ("patching", "state")
    assert made.summary == "Patch states with TransformerLens hooks."


def test_says_that_it_is_missing(
    tiny_context: TaskContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And how to get it."""
    monkeypatch.setitem(sys.modules, BUILDER, None)
    made = from_transformer_lens("patching", patching, kind="state")

    with pytest.raises(MissingExtraError, match=r"induction-bench\[transformer-lens\]"):
        made(tiny_context)
