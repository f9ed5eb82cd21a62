from collections.abc import Callable
from pathlib import Path

import pytest

from bench.evaluation import doctor
from bench.evaluation.doctor import Check, examine
from bench.methods.discovery import FoundMethod
from bench.tasks.spec import Task, read_task

GOOD = "return LayerAttribution(np.arange(4.0), np.tile(np.arange(4.0), (3, 1)))"


@pytest.fixture
def task(task_file: Path) -> Task:
    """A task on the small model."""
    return read_task(task_file)


def by_name(checks: list[Check]) -> dict[str, Check]:
    """Map names to checks, each of which occurs once."""
    found = {check.name: check for check in checks}
    assert len(found) == len(checks)
    return found


def test_good_method_passes(find_trial: Callable[..., FoundMethod], task: Task) -> None:
    """Every check passes, in order."""
    checks = examine(find_trial(GOOD), task, device="cpu")

    assert [(check.name, check.passed) for check in checks] == [
        ("runs", True),
        ("shape", True),
        ("determinism", True),
        ("defined", True),
        ("ties", True),
        ("speed", True),
        ("per prompt", True),
    ]
    assert checks[0].finding == "'trial' from trial.py"
    assert checks[-1].finding == "given"


@pytest.mark.parametrize("kind", ["write", "state"])
def test_real_method_passes(
    find_trial: Callable[..., FoundMethod], task: Task, kind: str
) -> None:
    """A method that draws from the context's generator is deterministic."""
    found = find_trial(
        "noise = torch.rand(len(ctx.prompts), 4, generator=ctx.generator)",
        "return ctx.answer(noise)",
        kind=kind,
    )

    assert all(check.passed for check in examine(found, task, device="cpu"))


def test_nondeterministic_method(
    find_trial: Callable[..., FoundMethod], task: Task
) -> None:
    """Draws from elsewhere are found and named."""
    found = find_trial("return ctx.answer(torch.rand(len(ctx.prompts), 4))")

    checks = by_name(examine(found, task, device="cpu"))

    assert [name for name, check in checks.items() if not check.passed] == [
        "determinism"
    ]
    assert "draw from ctx.generator only" in checks["determinism"].finding


def test_edits_that_hold_prompts_are_found(
    find_trial: Callable[..., FoundMethod], task: Task
) -> None:
    """What depends on how many prompts run together does not pass."""
    found = find_trial(
        "write = ctx.trace(ctx.prompts.corrupt).writes[0]",
        "edits = {0: lambda w, _: write[: len(w)]}",
        "found = ctx.edited_metric(ctx.prompts.clean, edits)",
        "return ctx.answer(found[:, None].expand(-1, 4) + torch.arange(4.0))",
    )

    checks = by_name(examine(found, task, device="cpu"))

    assert not checks["determinism"].passed
    assert "prompts run two at a time, differ" in checks["determinism"].finding


def test_constant_method(find_trial: Callable[..., FoundMethod], task: Task) -> None:
    """A method that says the same of all sections ties them all."""
    checks = by_name(
        examine(find_trial("return LayerAttribution(np.ones(4))"), task, device="cpu")
    )

    assert all(check.passed for check in checks.values())
    assert checks["ties"].finding == (
        "75% of the sections share their value with another: a method of heads alone "
        "may, another one says little"
    )
    assert checks["per prompt"].finding == "none: no interval for it"


def test_states_are_examined_as_writes(
    find_trial: Callable[..., FoundMethod], task: Task
) -> None:
    """A state that never changes is one write and nothing after it."""
    found = find_trial("return LayerAttribution(np.full(4, 1.0))", kind="state")

    checks = by_name(examine(found, task, device="cpu"))

    assert checks["ties"].passed  # 1, 0, 0, 0: two values of four
    assert checks["defined"].passed


def test_method_that_is_nowhere_positive(
    find_trial: Callable[..., FoundMethod], task: Task
) -> None:
    """An attribution without a positive part cannot be scored, and that is said."""
    found = find_trial("return LayerAttribution(-np.arange(4.0))")

    checks = by_name(examine(found, task, device="cpu"))

    assert not checks["defined"].passed
    assert checks["defined"].finding == "the attribution is nowhere positive"


def test_method_that_raises(find_trial: Callable[..., FoundMethod], task: Task) -> None:
    """A method that raises fails the one check that it runs."""
    checks = examine(find_trial("raise KeyError('lost')"), task, device="cpu")

    assert [(check.name, check.passed) for check in checks] == [("runs", False)]
    assert "raised KeyError: 'lost' (line 9 of trial.py)" in checks[0].finding


def test_slow_method(
    find_trial: Callable[..., FoundMethod],
    task: Task,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A method beyond the limit of time fails that check alone."""
    monkeypatch.setattr(doctor, "SLOW", 0.0)

    checks = examine(find_trial(GOOD), task, device="cpu")

    assert [check.name for check in checks if not check.passed] == ["speed"]


def test_few_prompts_are_used(
    find_trial: Callable[..., FoundMethod],
    task: Task,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The method sees no more prompts than the doctor asks for."""
    monkeypatch.setattr(doctor, "N_PROMPTS", 2)
    found = find_trial(
        "assert len(ctx.prompts) == 2", "return LayerAttribution(np.arange(4.0))"
    )

    assert examine(found, task, device="cpu")[0].passed
