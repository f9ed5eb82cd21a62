from collections.abc import Callable

import numpy as np
import pytest

from bench.reproduction.agreement import agree, difference, disagreements
from bench.reproduction.request import Answer
from bench.results.attribution_record import AttributionRecord

MakeRecord = Callable[..., AttributionRecord]
VALUES = [1.0, -4.0, 2.0]


@pytest.mark.parametrize(
    ("claimed", "found", "expected"),
    [
        ([1.0, -4.0], [1.0, -4.0], 0.0),
        ([1.0, -4.0], [1.0, -4.1], 0.025),
        ([1.0, -4.0], [1.4, -4.0], 0.1),
        ([0.0, 0.0], [0.0, 0.0], 0.0),
        ([0.0, 0.0], [0.0, 1e-9], None),
    ],
)
def test_differences_are_relative_to_the_largest_claim(
    claimed: list[float], found: list[float], expected: float | None
) -> None:
    """Hand-worked; where zeros are claimed only zeros agree."""
    assert difference(np.array(claimed), np.array(found)) == pytest.approx(expected)


def test_everything_that_counts_has_to_agree(make_record: MakeRecord) -> None:
    """Values, those of each prompt, and the method's own null."""
    record = make_record(VALUES, per_prompt=[VALUES], untrained=[0.0, 1.0, 0.0])
    answer = Answer(values=tuple(VALUES), per_prompt=(tuple(VALUES),))
    null = Answer(values=(0.0, 1.005, 0.0))

    found = agree(record, answer, null, tolerance=0.01)

    assert found.holds
    assert list(disagreements("t", found)) == []
    assert not agree(record, answer, null, tolerance=0.001).holds


def test_a_difference_is_said_with_its_size(make_record: MakeRecord) -> None:
    """One reason for each part that differs."""
    record = make_record(VALUES, per_prompt=[VALUES], untrained=VALUES)
    answer = Answer(values=(2.0, -4.0, 2.0), per_prompt=((1.0, -4.0, 4.0),))

    reasons = list(disagreements("t", agree(record, answer, answer, tolerance=0.01)))

    assert reasons == [
        "'t': values differ from the claimed ones by 25.00% (tolerance 1.00%).",
        "'t': per_prompt differ from the claimed ones by 50.00% (tolerance 1.00%).",
        "'t': values on the untrained model differ from the claimed ones by 25.00% "
        "(tolerance 1.00%).",
    ]


def test_a_null_that_was_left_out_is_found(make_record: MakeRecord) -> None:
    """A method that answers on the untrained model has to say so: it counts."""
    answer = Answer(values=tuple(VALUES))

    found = agree(make_record(VALUES), answer, answer, tolerance=0.01)

    (reason,) = disagreements("t", found)
    assert "on the untrained model cannot be compared" in reason
    assert agree(make_record(VALUES), answer, None, tolerance=0.01).holds


def test_no_answer_agrees_with_nothing(make_record: MakeRecord) -> None:
    """Neither does one with other shapes."""
    record = make_record(VALUES, per_prompt=[VALUES])

    assert not agree(record, None, None, tolerance=0.01).values.holds
    alone = agree(record, Answer(values=tuple(VALUES)), None, tolerance=0.01)
    assert alone.values.holds
    assert not alone.holds
