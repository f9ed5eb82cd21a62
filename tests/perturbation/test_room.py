import pytest
import torch

from bench.models.memory import numbers_per_prompt
from bench.models.subject import SubjectModel
from bench.perturbation import room
from bench.perturbation.room import prompts_at_once, rows_at_once, sources_at_once


def test_numbers_by_hand() -> None:
    """Two blocks of width 10, at 3 positions."""
    batch = 7 * 5 * 4  # 7 tensors of 5 points for 4 sources
    clean = 5 + 5  # points; keys and values of two blocks, and of the embedding's
    # last points; attention 0, MLP 0 and attention 1, MLP 1 are followed by 1, 1, 0, 0
    # blocks' keys and values, at half the positions; an average of one too many
    ablated = 5 + 4

    replaced = 5 + 5  # what sections write in another run, and what that becomes

    found = numbers_per_prompt(points=5, width=10, length=3)
    assert found == 10 * 3 * (batch + clean + replaced + ablated)


@pytest.mark.parametrize(
    ("free", "n_prompts", "at_once"),
    [
        (0, 9, 1),  # one prompt is always tried: memory may come
        (4 * 4 * 3, 9, 3),
        (4 * 4 * 4 + 3, 9, 3),  # shared out evenly: not 4, 4, 1
        (4 * 4 * 4, 4, 4),
        (10**12, 1000, 125),  # eight times, where 128 would leave 104 for the last
        (10**12, 7, 7),
    ],
)
def test_a_quarter_of_the_memory_is_used(
    tiny_model: SubjectModel,
    free: int,
    n_prompts: int,
    at_once: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Four bytes a number; never less than one prompt, never more than help."""
    needed = numbers_per_prompt(points=5, width=16, length=17)
    monkeypatch.setattr(room, "bytes_available", lambda _device: free * needed)

    found = prompts_at_once(tiny_model, n_prompts=n_prompts, length=17)
    assert found == at_once


@pytest.mark.parametrize(("rows", "expected"), [(0.5, 1), (5.9, 5), (500, room.BATCH)])
def test_a_batch_stays_in_the_caches(
    tiny_model: SubjectModel,
    rows: float,
    expected: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A row has 17 positions and 16 numbers of 4 bytes."""
    monkeypatch.setattr(room, "bytes_available", lambda _device: 10**12)
    monkeypatch.setattr(room, "CPU_BATCH", int(rows * 17 * 16 * 4))
    assert tiny_model.dtype is torch.float32

    assert rows_at_once(tiny_model, length=17) == expected
    found = prompts_at_once(tiny_model, n_prompts=10, length=17)
    assert found == {1: 1, 5: 5, room.BATCH: 10}[expected]


@pytest.mark.parametrize(
    ("n_prompts", "expected"),
    [(1, 4), (2, 4), (3, 3), (5, 2), (6, 1), (10, 1), (99, 1)],
)
def test_sources_make_up_for_few_prompts(
    tiny_model: SubjectModel,
    n_prompts: int,
    expected: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ten rows a batch, of which never more than four are one prompt's."""
    monkeypatch.setattr(room, "CPU_BATCH", 10 * 17 * 16 * 4)

    assert sources_at_once(tiny_model, n_prompts=n_prompts, length=17) == expected
