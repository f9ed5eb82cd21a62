import pytest
import torch

from bench.models.memory import numbers_per_prompt
from bench.models.subject import SubjectModel
from bench.perturbation import room
from bench.perturbation.room import prompts_at_once


def test_numbers_by_hand() -> None:
    """Two blocks, width 10, 3 positions, 8 sources: entries, a batch, clean runs."""
    # 2 block entries of 8 sources; 7 tensors of 5 points for 4 of them; 2 clean runs
    # of 5 points with as many keys and values
    expected = 10 * 3 * (2 * 8 + 7 * 5 * 4 + 2 * 3 * 5)

    found = numbers_per_prompt(points=5, width=10, n_sources=8, length=3)
    assert found == expected


@pytest.mark.parametrize(
    ("free", "at_once"),
    [
        (0, 1),  # one prompt is always tried: memory may come
        (4 * 4 * 3, 3),
        (4 * 4 * 3 + 3, 3),
        (10**12, room.MOST),
    ],
)
def test_a_quarter_of_the_memory_is_used(
    tiny_model: SubjectModel, free: int, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four bytes a number; never less than one prompt, never more than help."""
    needed = numbers_per_prompt(points=5, width=16, n_sources=7, length=17)
    monkeypatch.setattr(room, "bytes_available", lambda _device: free * needed)

    assert prompts_at_once(tiny_model, n_sources=7, length=17) == at_once


def test_a_batch_stays_in_the_caches(
    tiny_model: SubjectModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four sources of 17 positions and 16 numbers of 4 bytes, for each prompt."""
    monkeypatch.setattr(room, "bytes_available", lambda _device: 10**12)
    monkeypatch.setattr(room, "CPU_BATCH", 5 * 4 * 17 * 16 * 4)
    assert tiny_model.dtype is torch.float32

    assert prompts_at_once(tiny_model, n_sources=7, length=17) == 5
