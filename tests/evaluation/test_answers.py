import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from bench.errors import MethodFailedError
from bench.evaluation.answers import check_answer, run_method
from bench.methods.context import TaskContext
from bench.methods.discovery import FoundMethod, find_method
from bench.profiles.attribution import LayerAttribution


@pytest.fixture
def found() -> FoundMethod:
    """Some method, for its name in messages."""
    return find_method("mean-ablation")


def unchecked(values: Any, per_prompt: Any = None) -> LayerAttribution:
    """Build an attribution as a user can: no types are checked outside tests."""
    attribution = object.__new__(LayerAttribution)
    object.__setattr__(attribution, "values", values)
    object.__setattr__(attribution, "per_prompt", per_prompt)
    return attribution


FOUR = [1.0, 2.0, 3.0, 4.0]


@pytest.mark.parametrize(
    "values",
    [
        FOUR,
        tuple(FOUR),
        np.array(FOUR, dtype=np.float32),
        np.array([1, 2, 3, 4]),
        torch.tensor(FOUR),
        torch.tensor(FOUR, dtype=torch.bfloat16),
        torch.tensor(FOUR, requires_grad=True),
    ],
    ids=["list", "tuple", "float32", "integers", "tensor", "bfloat16", "gradient"],
)
def test_anything_that_holds_numbers_is_accepted(
    found: FoundMethod, values: object
) -> None:
    """Lists, arrays and tensors become float64 arrays."""
    checked = check_answer(unchecked(values), found, n_sections=4)

    assert checked.values.dtype == np.float64
    assert checked.values.tolist() == FOUR
    assert checked.per_prompt is None


def test_per_prompt_values_are_kept(found: FoundMethod) -> None:
    """Values of each prompt come as any array, too."""
    per_prompt = torch.tensor([[0.0, 2, 3, 4], [2.0, 2, 3, 4]])

    checked = check_answer(unchecked(FOUR, per_prompt), found, n_sections=4)

    assert checked.per_prompt is not None
    assert checked.per_prompt.tolist() == per_prompt.tolist()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (torch.ones(4), r"returned Tensor; expected LayerAttribution\. End with ctx\."),
        (None, "returned NoneType; expected LayerAttribution"),
        ([1.0], "returned list; expected LayerAttribution"),
        (unchecked([1.0, 2.0]), r"has shape \[2\]; expected \[4\]"),
        (
            unchecked([1.0] * 5),
            r"has 5 values, one more than the model has sections \(4\).*kind='state'",
        ),
        (
            unchecked([1, np.nan, np.inf, 1]),
            r"2 entries that are not finite, the first at section 1 \(nan\)",
        ),
        (
            unchecked(FOUR, [[*FOUR[:3], np.inf]]),
            "per_prompt has entries that are not finite",
        ),
        (
            unchecked(FOUR, [FOUR, [1.0, 2.0, 3.0, 5.0]]),
            r"values differ from the mean of per_prompt by up to 0\.5",
        ),
        (unchecked(FOUR, [[1.0, 2.0]]), "per_prompt has 2 sections and values has 4"),
        (unchecked([FOUR]), r"values has shape \[1, 4\]; expected one number for each"),
        (unchecked(3.0), r"values has shape \[\]; expected one number for each"),
        (
            unchecked(FOUR, [2.5] * 4),
            r"per_prompt has shape \[4\]; expected \[prompts, sections\]",
        ),
        (
            unchecked(FOUR, [[FOUR]]),
            r"per_prompt has shape \[1, 1, 4\]; expected \[prompts, sections\]",
        ),
        (
            unchecked(FOUR, np.empty((0, 4))),
            r"per_prompt has shape \[0, 4\]; expected .* one prompt at least",
        ),
        (
            unchecked(["a", "b", "c", "d"]),
            r"values is a list and cannot be read as numbers \(could not convert",
        ),
        (
            unchecked(torch.ones(4, device="meta")),
            r"values is a Tensor on device 'meta' and cannot be read as numbers .*"
            r"Return a numpy array or a CPU tensor\.",
        ),
        (
            unchecked(FOUR, [[1.0, 2.0], [1.0]]),
            "per_prompt is a list and cannot be read as numbers",
        ),
    ],
)
def test_unusable_answers_are_refused(
    found: FoundMethod, answer: object, message: str
) -> None:
    """What cannot be scored is refused with the method's name and the reason."""
    with pytest.raises(MethodFailedError, match=message) as caught:
        check_answer(answer, found, n_sections=4)

    assert str(caught.value).startswith(
        "The method 'mean-ablation' (bench.methods.ablation.mean:mean_ablation) "
    )


def test_rounding_of_the_mean_is_forgiven(found: FoundMethod) -> None:
    """Values in lower precision than their prompts' are still their mean."""
    rng = np.random.default_rng(0)
    per_prompt = rng.normal(size=(3, 4))
    values = per_prompt.mean(axis=0).astype(np.float32)

    check_answer(unchecked(values, per_prompt), found, n_sections=4)


def test_run_method_returns_answer_and_time(
    find_trial: Callable[..., FoundMethod], tiny_context: TaskContext
) -> None:
    """A method's answer is checked, and its time taken."""
    found = find_trial("return LayerAttribution(np.arange(4.0))")

    answer, wall = run_method(found, tiny_context)

    assert answer.values.tolist() == [0, 1, 2, 3]
    assert 0 < wall < 10


def test_method_that_raises(
    find_trial: Callable[..., FoundMethod], tiny_context: TaskContext
) -> None:
    """The message names the method, its file, the error and the line."""
    found = find_trial("x = 1", "x / 0")

    with pytest.raises(
        MethodFailedError,
        match=r"The method 'trial' \(trial\.py\) raised ZeroDivisionError: division by "
        r"zero \(line 10 of trial\.py\)$",
    ) as caught:
        run_method(found, tiny_context)

    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_method_that_raises_inside_a_library(
    find_trial: Callable[..., FoundMethod], tiny_context: TaskContext
) -> None:
    """An error deep in another file is placed at the method's own line."""
    found = find_trial("torch.ones(2) @ torch.ones(3)")

    with pytest.raises(MethodFailedError, match=r"\(line 9 of trial\.py\)$"):
        run_method(found, tiny_context)


def test_module_method_that_raises(tiny_context: TaskContext) -> None:
    """Without a file of its own the message still names method and error."""
    found = find_method("mean-ablation")

    with pytest.raises(
        MethodFailedError, match=r"The method 'mean-ablation' \(bench\..*\) raised "
    ):
        run_method(found, tiny_context.first_prompts(0))


def test_answer_of_a_run_is_checked(
    find_trial: Callable[..., FoundMethod], tiny_context: TaskContext
) -> None:
    """A method that returns a bare tensor fails with the way out."""
    found = find_trial("return torch.ones(4)")

    with pytest.raises(MethodFailedError, match="returned Tensor; expected LayerAttr"):
        run_method(found, tiny_context)


def test_rows_for_other_prompts_are_refused(
    tiny_context: TaskContext, found: FoundMethod
) -> None:
    """Repeating rows would narrow the interval for nothing."""
    per_prompt = np.ones((2 * len(tiny_context.prompts), tiny_context.n_sections))
    padded = LayerAttribution(values=per_prompt[0], per_prompt=per_prompt)
    method = replace(found.method, function=lambda _: padded)

    with pytest.raises(MethodFailedError, match="for 6 prompts; it was given 3"):
        run_method(replace(found, method=method), tiny_context)


def test_a_method_that_exits_has_failed(
    tiny_context: TaskContext, found: FoundMethod
) -> None:
    """A call of sys.exit is a failure of the method, not the end of the program."""
    method = replace(found.method, function=lambda _: sys.exit(0))

    with pytest.raises(MethodFailedError, match="raised SystemExit"):
        run_method(replace(found, method=method), tiny_context)
