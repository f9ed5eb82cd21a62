from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.cache.cache import Cache, default_folder
from bench.errors import MethodFailedError
from bench.evaluation.contexts import OpenedTask
from bench.evaluation.evaluate_task import evaluate_task
from bench.evaluation.keys import method_key
from bench.evaluation.parts import Parts
from bench.methods.discovery import FoundMethod, find_method
from bench.models.modes import read_modes, set_modes
from bench.results.provenance import DType
from bench.tasks.spec import Task, read_task


@pytest.fixture
def task(task_file: Path) -> Task:
    """A task on the small model."""
    return read_task(task_file)


def parts(found: FoundMethod, task: Task, seed: int, dtype: DType = "float32") -> Parts:
    """Evaluate with the cache of the test."""
    return Parts(found, OpenedTask(task, "cpu", seed, dtype), Cache(default_folder()))


def stage(_name: str) -> Callable[[int, int], None]:
    """Show nothing."""
    return lambda _done, _total: None


def test_record_of_a_built_in(task: Task) -> None:
    """The record holds the answer, its own null, its cost and where it came from."""
    found = find_method("direct-logit-attribution")
    record = evaluate_task(parts(found, task, 3), stage=stage)

    assert record.method == method_key(found)
    assert record.method.origin == "built-in"
    assert len(record.values) == 4
    assert record.per_prompt is not None
    assert [len(row) for row in record.per_prompt] == [4, 4, 4]
    assert record.untrained is not None
    assert record.untrained != record.values
    assert record.untrained_reason is None
    assert record.control is not None
    assert record.control not in (record.values, record.untrained)
    assert record.control_reason is None
    assert not record.method.oracle
    blocks_alone = 0.9  # of a forward pass with logits
    assert record.cost_forward_equivalents == pytest.approx(blocks_alone, rel=0.02)
    assert record.cost_reason is None
    assert record.provenance.seed == 3
    assert record.provenance.dtype == "float32"
    assert record.wall_s > 0


@pytest.mark.parametrize(
    "name", ["attribution-patching", "activation-patching-denoising", "hisp"]
)
def test_bfloat16_differs_by_its_rounding(name: str, task: Task) -> None:
    """The answer is near that of float32, is another one, and is kept beside it."""
    found = find_method(name)
    exact, rough = (
        evaluate_task(parts(found, task, 0, dtype), stage=stage)
        for dtype in ("float32", "bfloat16")
    )

    assert (exact.provenance.dtype, rough.provenance.dtype) == ("float32", "bfloat16")
    apart = np.abs(np.subtract(exact.values, rough.values)).max()
    scale = np.abs(exact.values).max()
    # 8 bits, over a few products
    assert 1e-5 * scale < apart < 0.05 * scale
    assert rough.untrained is not None
    assert rough.control is not None


def test_bfloat16_leaves_the_stream_as_it_is(task: Task) -> None:
    """Products are rounded, but what adds up is not."""
    opened = OpenedTask(task, "cpu", 0, "bfloat16")
    with opened.precision():
        assert (torch.eye(2) @ torch.eye(2)).dtype is torch.bfloat16
        ctx = opened.context(lambda _done, _total: None)
        seen: list[torch.Tensor] = []
        ctx.subject.final_norm.register_forward_pre_hook(
            lambda _module, arguments: seen.append(arguments[0])
        )
        trace = ctx.trace(ctx.prompts.clean)

    (last,) = seen
    assert last.dtype is torch.float32
    assert torch.equal(last, trace.states[-1])
    assert {tensor.dtype for tensor in trace.writes} == {torch.float32}


def test_what_is_trained_in_bfloat16_changes(task: Task) -> None:
    """A step shows at once: no rounded weights of before are used."""
    layer = torch.nn.Linear(2, 2)
    inputs = torch.eye(2)
    with OpenedTask(task, "cpu", 0, "bfloat16").precision():
        before = layer(inputs)
        with torch.no_grad():
            layer.bias.add_(1.0)
            layer.weight.add_(1.0)
        after = layer(inputs)

    assert torch.allclose(after - before, torch.full((2, 2), 2.0).bfloat16(), atol=0.1)


def test_methods_run_in_the_usual_modes(
    find_trial: Callable[..., FoundMethod], task: Task
) -> None:
    """Whatever a file told torch when it was loaded is not there, and is put back."""
    found = find_trial(
        "whole = torch.get_float32_matmul_precision() == 'highest'",
        "usual = torch.get_default_dtype() is torch.float32",
        "graded = torch.is_grad_enabled()",
        "return LayerAttribution(1.0 * np.array([whole, usual, graded, 3]))",
    )
    before = read_modes()
    others: dict[str, object] = dict(
        zip(before, (False, torch.float64, "medium"), strict=True)
    )
    try:
        set_modes(others)
        record = evaluate_task(parts(found, task, 0), stage=stage)
        assert read_modes() == others
    finally:
        set_modes(before)

    assert record.values == (1.0, 1.0, 1.0, 3.0)


@pytest.mark.parametrize(
    "line", ["raise ValueError", "raise KeyboardInterrupt", "ctx.model.train()", "pass"]
)
def test_nobody_runs_on_what_a_failed_run_left(
    find_trial: Callable[..., FoundMethod], task: Task, line: str
) -> None:
    """After a failure or an interruption models are loaded anew; else they stay."""
    mine = parts(find_trial(line, "return LayerAttribution(np.arange(4.0))"), task, 0)
    ctx = mine.opened.context(stage(""))
    with nullcontext() if line == "pass" else pytest.raises(BaseException):
        mine.run(ctx)

    assert (mine.opened.subject is ctx.subject) == (line == "pass")


def test_a_model_left_changed_is_not_run_again(
    find_trial: Callable[..., FoundMethod], task: Task
) -> None:
    """A cost is counted on the model as it was, though the control has changed it."""
    found = find_trial(
        "weight = ctx.model.lm_head.weight",
        "whole = float(weight.abs().sum()) > 0",
        "if ctx.prompts.clean.equal(ctx.prompts.control): weight.data.zero_()",
        "assert whole, 'zeros'",
        "return LayerAttribution(np.arange(4.0))",
    )
    record = evaluate_task(parts(found, task, 0), stage=stage)

    assert "left the model changed (weights" in str(record.control_reason)
    assert record.cost_reason is None
    assert record.cost_forward_equivalents == 0


def test_no_room_for_the_null(
    find_trial: Callable[..., FoundMethod],
    task: Task,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The answer is kept, though an untrained model does not fit beside the task's."""

    def full(*_: object, **__: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr("bench.models.loading.initialised", full)
    found = find_trial("return LayerAttribution(np.arange(4.0))")
    record = evaluate_task(parts(found, task, 0), stage=stage)

    assert record.values == (0.0, 1.0, 2.0, 3.0)
    assert record.untrained is None
    assert record.untrained_reason == (
        "An untrained model beside the task's does not fit into memory: "
        "DefaultCPUAllocator: can't allocate memory. Use a device with more memory, "
        "such as --device cuda, or a method that keeps less."
    )
    assert record.control is not None


def test_seed_reaches_the_method(
    find_trial: Callable[..., FoundMethod], task: Task
) -> None:
    """Equal seeds give equal records, another seed another one."""
    found = find_trial(
        "return ctx.answer(torch.rand(len(ctx.prompts), 4, generator=ctx.generator))"
    )
    one, again, other = (
        evaluate_task(parts(found, task, seed), stage=stage).values
        for seed in (1, 1, 2)
    )

    assert one == again
    assert one != other


def test_null_and_cost_may_be_missing(
    find_trial: Callable[..., FoundMethod], task: Task
) -> None:
    """A method that runs once alone still has a record, with the reasons."""
    found = find_trial(
        "trial.__dict__['calls'] = trial.__dict__.get('calls', 0) + 1",
        "assert trial.__dict__['calls'] == 1, 'once only'",
        "return LayerAttribution(np.arange(4.0))",
    )

    record = evaluate_task(parts(found, task, 0), stage=stage)

    assert record.values == (0.0, 1.0, 2.0, 3.0)
    assert record.per_prompt is None
    assert record.untrained is None
    assert "raised AssertionError: once only" in str(record.untrained_reason)
    assert record.control is None
    assert "raised AssertionError: once only" in str(record.control_reason)
    assert record.cost_forward_equivalents is None
    assert str(record.cost_reason).startswith("on 3 prompts: The method 'trial' (trial")


def test_method_that_raises(find_trial: Callable[..., FoundMethod], task: Task) -> None:
    """A method that fails on the task has no record."""
    found = find_trial("raise ValueError('no')")

    with pytest.raises(MethodFailedError, match="raised ValueError: no"):
        evaluate_task(parts(found, task, 0), stage=stage)


def test_oracles_are_recorded_as_such(task: Task) -> None:
    """The mark of the method reaches the record."""
    found = find_method("linear-response")

    record = evaluate_task(parts(found, task, 0), stage=stage)

    assert record.method.oracle
