from itertools import product

import numpy as np
import pytest

from bench.profiles.promptwise import PROFILES
from bench.reproduction.circuits import Shape
from bench.reproduction.gate import judge, permutation_test
from bench.results.reproduction_record import CircuitGrade

SHAPES = [Shape(name, 8, redundant=False) for name in ("gemma2", "gpt2", "llama")]


def graded(shape: Shape, overlap: float, *, task: str | None = None) -> CircuitGrade:
    """Make a circuit of known overlap."""
    return CircuitGrade(
        task=task,
        architecture=shape.architecture,
        blocks=shape.blocks,
        redundant=shape.redundant,
        overlap=dict.fromkeys(PROFILES, overlap),
        skill=dict.fromkeys(PROFILES, overlap),
    )


def circuits(
    public: list[float], fresh: list[list[float]]
) -> tuple[list[CircuitGrade], list[CircuitGrade]]:
    """Make a public circuit and fresh ones of every shape."""
    known = [
        graded(s, o, task=s.architecture) for s, o in zip(SHAPES, public, strict=True)
    ]
    new = [graded(s, o) for s, row in zip(SHAPES, fresh, strict=True) for o in row]
    return known, new


def test_the_p_value_is_that_of_a_loop_over_all_choices() -> None:
    """A second implementation counts every choice of one circuit a shape."""
    rng = np.random.default_rng(0)
    strata = {s: (rng.random(1).tolist(), rng.random(4).tolist()) for s in SHAPES}
    pools = [[*public, *fresh] for public, fresh in strata.values()]
    drops = []
    for chosen in product(range(5), repeat=3):
        each = [
            pool[i] - np.mean([v for j, v in enumerate(pool) if j != i])
            for pool, i in zip(pools, chosen, strict=True)
        ]
        drops.append(np.mean(each))

    drop, p = permutation_test(strata)

    assert drop == pytest.approx(drops[0])
    assert p == np.mean(np.array(drops) >= drops[0] - 1e-9)


def test_equal_circuits_are_no_drop() -> None:
    """A method that finds everything alike is not suspicious."""
    gate = judge(*circuits([0.7] * 3, [[0.7] * 10] * 3))

    assert (gate.drop, gate.p) == (pytest.approx(0.0), 1.0)
    assert gate.holds


def test_stored_answers_are_caught() -> None:
    """All of the public circuits and nothing of the fresh ones: the smallest p."""
    gate = judge(*circuits([1.0] * 3, [[0.06] * 10] * 3))

    assert gate.drop == pytest.approx(0.94)
    assert gate.p == pytest.approx(1 / 11**3)
    assert not gate.holds


def test_a_small_drop_is_not_held_against_a_method() -> None:
    """However certain it is."""
    gate = judge(*circuits([1.0] * 3, [[0.96] * 10] * 3))

    assert gate.p < gate.level
    assert gate.holds


def test_a_large_drop_that_chance_explains_is_not_either() -> None:
    """Where circuits differ by themselves, public ones may be the easy ones."""
    varied = [0.0] * 5 + [1.0] * 5

    gate = judge(*circuits([1.0] * 3, [varied] * 3))

    assert gate.drop > gate.allowed
    assert gate.holds


def test_better_on_fresh_circuits_is_no_crime() -> None:
    """The test has one side."""
    assert judge(*circuits([0.0] * 3, [[1.0] * 10] * 3)).holds


def test_an_undefined_overlap_finds_nothing() -> None:
    """Answers without a positive value on fresh circuits count as zero."""
    public, fresh = circuits([1.0] * 3, [[1.0] * 10] * 3)
    none = dict.fromkeys(PROFILES, None)
    fresh = [c.model_copy(update={"overlap": none}) for c in fresh]

    assert judge(public, fresh).drop == pytest.approx(1.0)


def test_false_alarms_keep_to_the_level() -> None:
    """Circuits that are all drawn alike are refused at most as often as promised."""
    rng = np.random.default_rng(1)
    refused = 0
    for _ in range(300):
        values = rng.random((3, 11))
        gate = judge(*circuits(values[:, 0].tolist(), values[:, 1:].tolist()))
        refused += not gate.holds

    assert refused <= 8  # 1 % of 300, and three standard deviations
