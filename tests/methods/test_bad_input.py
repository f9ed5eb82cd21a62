"""Nothing becomes NaN in silence."""

import copy
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from bench.errors import MethodError, MethodFailedError, OutOfMemoryError
from bench.evaluation.answers import run_method
from bench.methods.ablation.mean import mean_ablation
from bench.methods.ablation.resample import resample_ablation
from bench.methods.catalogue import built_in
from bench.methods.context import TaskContext
from bench.methods.discovery import find_method
from bench.models import batching
from bench.models.batching import by_rows
from bench.models.gradients import write_gradients
from bench.models.subject import SubjectModel

NORMALISED = [
    "activation-patching-denoising",
    "activation-patching-noising",
    "activation-patching-sources-denoising",
    "activation-patching-sources-noising",
    "path-patching-direct",
    "write-patching-denoising",
    "write-patching-noising",
]
"""Methods that give a part of a whole effect."""


@pytest.fixture
def no_contrast(tiny_context: TaskContext) -> TaskContext:
    """Corrupt prompts that are the clean ones."""
    prompts = tiny_context.prompts
    return replace(tiny_context, prompts=replace(prompts, corrupt=prompts.clean))


@pytest.mark.parametrize("name", NORMALISED)
def test_no_effect_to_give_a_part_of(no_contrast: TaskContext, name: str) -> None:
    """Where clean and corrupt runs are the same, the method says so."""
    with pytest.raises(
        MethodError, match="differs by 0 nats between clean and corrupt"
    ):
        find_method(name).method(no_contrast)


@pytest.mark.parametrize("name", sorted(set(built_in()) - set(NORMALISED)))
def test_without_contrast_all_other_answers_are_finite(
    no_contrast: TaskContext, name: str
) -> None:
    """What has nothing to divide by answers, perhaps with zeros."""
    found = find_method(name)

    answer, _ = run_method(found, no_contrast)

    assert np.isfinite(answer.values).all()


@pytest.mark.parametrize("method", [mean_ablation, resample_ablation])
def test_one_prompt_has_no_others(
    tiny_context: TaskContext, method: Callable[[TaskContext], object]
) -> None:
    """What replaces writes by those of other prompts needs some."""
    with pytest.raises(MethodError, match="There is one prompt"):
        method(tiny_context.first_prompts(1))


def test_metric_without_the_model(tiny_model: SubjectModel, tiny_batch: object) -> None:
    """A metric that does not depend on the model has no gradient, and says so."""
    ids = torch.zeros(2, 5, dtype=torch.long)
    start = tiny_model.embed(ids)

    with pytest.raises(MethodError, match="does not depend on the model's writes"):
        write_gradients(tiny_model, ids, lambda _: torch.zeros(2), embeddings=start)


def test_metric_of_something_else(tiny_model: SubjectModel) -> None:
    """A metric with a gradient of something else is refused as well."""
    ids = torch.zeros(2, 5, dtype=torch.long)
    other = torch.ones(2, requires_grad=True)
    start = tiny_model.embed(ids)

    with pytest.raises(MethodError, match="it depends on something else"):
        write_gradients(tiny_model, ids, lambda _: 2 * other, embeddings=start)


def test_zero_gradient(tiny_model: SubjectModel) -> None:
    """A flat metric has gradient zero, not NaN."""
    ids = torch.zeros(2, 5, dtype=torch.long)

    def flat(trace: object) -> Tensor:
        return 0 * trace.logits.sum(dim=(1, 2))  # type: ignore[attr-defined]

    start = tiny_model.embed(ids)
    _, gradients = write_gradients(tiny_model, ids, flat, embeddings=start)

    assert not gradients.any()


@pytest.mark.parametrize("name", ["attribution-patching", "mean-ablation", "relp"])
def test_half_precision_overflow(tiny_context: TaskContext, name: str) -> None:
    """Where float16 overflows, the answer is refused with the section named."""
    module = copy.deepcopy(tiny_context.model).half()
    module.get_parameter("model.layers.1.mlp.down_proj.weight").mul_(3e4)
    subject = SubjectModel(module, tiny_context.subject.architecture)

    with pytest.raises(MethodFailedError, match="not finite"):
        run_method(find_method(name), replace(tiny_context, subject=subject))


def exhausted(rows: slice, *, fits: int, error: Exception) -> list[int]:
    """Work on rows, with memory for a few."""
    if rows.stop - rows.start > fits:
        raise error
    return list(range(rows.start, min(rows.stop, 7)))


CPU = RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 9 bytes")
GPU = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB.")


@pytest.mark.parametrize("error", [CPU, GPU], ids=["cpu", "gpu"])
@pytest.mark.parametrize("fits", [1, 2, 3, 7])
def test_fewer_rows_when_memory_runs_out(error: Exception, fits: int) -> None:
    """Every row is done once, in order, however few fit."""
    parts = by_rows(lambda rows: exhausted(rows, fits=fits, error=error), 7)

    assert [row for part in parts for row in part] == list(range(7))
    assert max(map(len, parts)) <= fits


def test_one_row_that_does_not_fit() -> None:
    """When a single row is too much, the message says what can be done."""
    with pytest.raises(OutOfMemoryError, match=r"A single prompt does not.*--device"):
        by_rows(lambda rows: exhausted(rows, fits=0, error=GPU), 7)


def test_other_errors_are_not_taken_for_memory() -> None:
    """An error in the work is passed on at once."""
    with pytest.raises(RuntimeError, match="shapes differ"):
        by_rows(
            lambda rows: exhausted(rows, fits=0, error=RuntimeError("shapes differ")), 7
        )


def test_out_of_memory_inside_a_method(
    tiny_context: TaskContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A method runs on with fewer prompts at once and gives the same answer."""
    found = find_method("attribution-patching")
    expected, _ = run_method(found, tiny_context)
    whole = batching.by_rows

    def scarce(work: Callable[[slice], object], n: int, **options: int) -> object:
        def limited(rows: slice) -> object:
            if min(rows.stop, n) - rows.start > 1:
                raise GPU
            return work(rows)

        return whole(limited, n, **options)

    monkeypatch.setattr("bench.methods.context.by_rows", scarce)
    answer, _ = run_method(found, tiny_context)

    np.testing.assert_allclose(answer.values, expected.values, rtol=1e-3, atol=1e-4)
