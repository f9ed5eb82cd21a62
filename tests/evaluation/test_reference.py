from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.cache.cache import Cache
from bench.errors import UserError
from bench.evaluation.reference import Stages, compute_reference
from bench.models.loading import load_model
from bench.perturbation.stages import Arrays
from bench.tasks.spec import read_task


def test_too_few_reference_prompts_are_refused(
    alter_task: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The mean over the other prompts needs 16 of them."""
    monkeypatch.setattr("bench.evaluation.reference.FEWEST_PROMPTS", 1000)

    with pytest.raises(UserError, match="write need at least 1000"):
        compute_reference(
            read_task(alter_task({})),
            device="cpu",
            exact=False,
            cache=Cache(tmp_path),
            stage=lambda _name: lambda _done, _total: None,
        )


def test_stages_multiply_in_full(task_file: Path, tmp_path: Path) -> None:
    """Whatever was allowed before is not while a stage is measured, and is after."""
    task = read_task(task_file)
    stages = Stages(
        task,
        load_model(task, device="cpu"),
        device="cpu",
        exact=False,
        cache=Cache(tmp_path),
        stage=lambda _name: lambda _done, _total: None,
    )
    seen: list[str] = []

    def compute(_progress: object) -> Arrays:
        seen.append(torch.get_float32_matmul_precision())
        return {"x": np.ones(1)}

    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        stages("a stage", compute)
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)
    assert seen == ["highest"]
