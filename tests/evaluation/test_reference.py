from collections.abc import Callable
from pathlib import Path

import pytest

from bench.cache.cache import Cache
from bench.errors import UserError
from bench.evaluation.reference import compute_reference
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
