import numpy as np
import pytest
from torch import Tensor

from bench.methods.context import TaskContext
from bench.methods.patching.activation_patching import denoising, noising
from bench.methods.protocol import Method
from bench.models.behaviour import centred_logit
from bench.profiles.attribution import as_writes

BOTH = pytest.mark.parametrize("method", [denoising, noising], ids=lambda m: m.name)


def behaviour(ctx: TaskContext, logits: Tensor) -> np.ndarray:
    """Measure the behaviour in float64."""
    return centred_logit(logits.double(), ctx.prompts).numpy()


@BOTH
def test_ends_at_one(tiny_context: TaskContext, method: Method) -> None:
    """After the last section the patched run is the other run at the copy sites."""
    assert method(tiny_context).values[-1] == pytest.approx(1.0, abs=1e-4)


@BOTH
def test_is_none_at_the_embeddings(tiny_context: TaskContext, method: Method) -> None:
    """Both runs have the same tokens at the copy sites, so point 0 has no effect."""
    prompts = tiny_context.prompts
    clean, corrupt = (
        tiny_context.subject.embed(ids) for ids in (prompts.clean, prompts.corrupt)
    )

    same = clean == corrupt
    assert same[prompts.site_mask[..., 0].bool()].all()
    assert not same[:, 1:9].all()
    assert method.kind == "state"


@BOTH
def test_equals_plain_hooks_on_blocks(
    tiny_context: TaskContext, method: Method
) -> None:
    """After a block it equals overwriting the block's output at the copy sites."""
    ctx = tiny_context
    model, prompts = ctx.model, ctx.prompts
    into, source = prompts.corrupt, prompts.clean
    if method is noising:
        into, source = source, into
    clean, corrupt = (
        behaviour(ctx, model(ids).logits) for ids in (prompts.clean, prompts.corrupt)
    )
    found = method(ctx)
    assert found.per_prompt is not None
    for number, block in enumerate(ctx.subject.blocks):
        seen: list[Tensor] = []
        handle = block.register_forward_hook(lambda _m, _i, o, s=seen: s.append(o))
        model(source)
        handle.remove()

        def overwrite(
            _module: object, _inputs: object, output: Tensor, seen: list[Tensor] = seen
        ) -> Tensor:
            output = output.clone()
            for p in range(3):
                for site in prompts.sites[p].tolist():
                    output[p, site] = seen[0][p, site]
            return output

        handle = block.register_forward_hook(overwrite)
        patched = behaviour(ctx, model(into).logits)
        handle.remove()
        gained = patched - corrupt if method is denoising else clean - patched
        expected = gained / (clean - corrupt).mean()
        np.testing.assert_allclose(
            found.per_prompt[:, 2 * number + 1], expected, rtol=1e-3, atol=1e-3
        )


@BOTH
def test_answer_is_differenced_to_writes(
    tiny_context: TaskContext, method: Method
) -> None:
    """As writes, the parts of every prompt sum to its last state."""
    answer = method(tiny_context)
    writes = as_writes(answer, kind=method.kind)
    assert answer.per_prompt is not None
    assert writes.per_prompt is not None

    assert writes.per_prompt.shape == (3, 4)
    assert np.abs(writes.values).max() > 0.05
    np.testing.assert_allclose(writes.per_prompt.mean(axis=0), writes.values)
    np.testing.assert_allclose(writes.per_prompt.cumsum(axis=1), answer.per_prompt)
    assert writes.values.sum() == pytest.approx(1.0, abs=1e-4)
    for p in range(3):
        assert writes.per_prompt[p, 0] == answer.per_prompt[p, 0]
        assert writes.per_prompt[p, 2] == pytest.approx(
            answer.per_prompt[p, 2] - answer.per_prompt[p, 1]
        )


def test_directions_agree_on_a_linear_model(linear_context: TaskContext) -> None:
    """Where nothing interacts, restoring and destroying are the same."""
    one, other = denoising(linear_context), noising(linear_context)

    np.testing.assert_allclose(one.values, other.values, rtol=1e-3, atol=1e-3)


def test_directions_differ_on_a_model(tiny_context: TaskContext) -> None:
    """Where sections interact, clean and corrupt cannot be swapped."""
    one, other = denoising(tiny_context), noising(tiny_context)

    assert np.abs(one.values - other.values).max() > 0.01


def test_progress_is_reported(tiny_context: TaskContext) -> None:
    """Every section is reported once."""
    from dataclasses import replace

    calls: list[tuple[int, int]] = []
    denoising(replace(tiny_context, progress=lambda d, t: calls.append((d, t))))

    assert calls == [(1, 4), (2, 4), (3, 4), (4, 4)]
