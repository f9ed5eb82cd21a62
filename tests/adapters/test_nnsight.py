import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from bench.adapters.nnsight import from_nnsight
from bench.errors import MissingExtraError
from bench.methods.ablation.zero import zero_ablation
from bench.methods.context import TaskContext
from bench.methods.protocol import Method
from bench.profiles.attribution import LayerAttribution


def ablation(model: Any, ctx: TaskContext) -> Tensor:
    """Leave one write out at a time.

    More words, which are no summary.
    """
    writes = [
        module
        for layer in model.model.layers
        for module in (layer.self_attn.o_proj, layer.mlp.down_proj)
    ]
    clean = ctx.metric_of(ctx.trace(ctx.prompts.clean))
    return torch.stack([clean - without(model, ctx, w) for w in writes], dim=1)


def without(model: Any, ctx: TaskContext, module: Any) -> Tensor:
    """Measure the behaviour while a module writes nothing."""
    with torch.no_grad(), model.trace(input_ids=ctx.prompts.clean, use_cache=False):
        module.output[:] = 0
        logits = model.output.logits.save()
    return ctx.metric(logits)


def test_edits_equal_zero_ablation(
    unchanged: Callable[[Method], LayerAttribution], tiny_context: TaskContext
) -> None:
    """Zeroing outputs in nnsight is zero ablation, and the model is left as it was."""
    made = from_nnsight("ablation", ablation, kind="write")
    found, expected = unchanged(made).per_prompt, zero_ablation(tiny_context).per_prompt

    assert found is not None
    assert expected is not None
    assert np.abs(expected).min() > 1e-3
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_weights_are_shared(tiny_context: TaskContext) -> None:
    """A large model is not in memory twice."""
    seen: list[int] = []

    def look(model: Any, ctx: TaskContext) -> Tensor:
        seen.extend(p.data_ptr() for p in model._module.parameters())
        return torch.ones(len(ctx.prompts), ctx.n_sections)

    from_nnsight("look", look, kind="write")(tiny_context)

    assert seen == [p.data_ptr() for p in tiny_context.model.parameters()]


def test_says_what_it_is() -> None:
    """Name and kind as given, the summary from the function."""
    made = from_nnsight("ablation", ablation, kind="write")

    assert (made.name, made.kind) == ("ablation", "write")
    assert made.summary == "Leave one write out at a time."


def test_says_that_it_is_missing(
    tiny_context: TaskContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And how to get it."""
    monkeypatch.setitem(sys.modules, "nnsight", None)
    made = from_nnsight("ablation", ablation, kind="write")

    with pytest.raises(MissingExtraError, match=r"induction-bench\[nnsight\]"):
        made(tiny_context)
