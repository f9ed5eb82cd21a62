import pytest

from bench.reproduction.circuits import (
    Circuit,
    Shape,
    circuit_of,
    fresh_circuits,
    leaves_room,
    planted_tasks,
)
from bench.tasks.registry import data_root, find_task

LLAMA = Shape("llama", 8, redundant=False)
GPT2 = Shape("gpt2", 8, redundant=True)
PINNED = 4262562312953068947
BOTH = [LLAMA, GPT2]
COMMIT, DIGEST = "1" * 40, "2" * 64


def test_circuits_follow_from_commit_and_digest_alone() -> None:
    """The same two give the same circuits, any others give others."""
    first = fresh_circuits(BOTH, each=3, commit=COMMIT, digest=DIGEST)

    assert first == fresh_circuits(BOTH, each=3, commit=COMMIT, digest=DIGEST)
    assert [circuit.shape for circuit in first] == BOTH * 3
    other = {
        *fresh_circuits(BOTH, each=3, commit="3" * 40, digest=DIGEST),
        *fresh_circuits(BOTH, each=3, commit=COMMIT, digest="3" * 64),
    }
    assert len({*first, *other}) == 18


def test_seeds_are_pinned() -> None:
    """Whoever runs it again, years later, gets the circuits of the record."""
    (circuit,) = fresh_circuits([LLAMA], each=1, commit=COMMIT, digest=DIGEST)

    assert circuit.seed == PINNED


def test_every_circuit_leaves_room() -> None:
    """Draws of which a null finds half are drawn again; there would be some."""
    drawn = fresh_circuits([GPT2], each=50, commit=COMMIT, digest=DIGEST)

    assert all(map(leaves_room, drawn))
    assert not all(leaves_room(Circuit(GPT2, seed)) for seed in range(50))


def test_public_planted_tasks_are_known_by_their_recipe() -> None:
    """Their shapes and truths are those of their task files."""
    names = ("induction/small-llama", "induction/planted-llama")
    tasks = [find_task(name, root=data_root()) for name in names]

    (planted,) = planted_tasks(tasks)

    assert circuit_of(planted) == Circuit(LLAMA, 0)
    assert leaves_room(circuit_of(planted))
    assert circuit_of(planted).truth["emergence"].nonzero()[0].tolist() == [14]
    with pytest.raises(ValueError, match="'induction/small-llama' is not planted"):
        circuit_of(tasks[0])
