import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from bench.errors import AttributionError
from bench.profiles.attribution import (
    LayerAttribution,
    as_writes,
    check_shape,
    distance_from_mean,
    state_to_write,
)

WRITES = arrays(
    np.float64,
    array_shapes(min_dims=1, max_dims=3, max_side=6),
    elements=st.floats(-1e3, 1e3),
)


def test_state_to_write_by_hand() -> None:
    """The first state counts from zero, each other one from its predecessor."""
    assert state_to_write(np.array([1.0, 3.0, 2.0])).tolist() == [1.0, 2.0, -1.0]


@settings(deadline=None, max_examples=50)
@given(writes=WRITES)
def test_state_to_write_undoes_a_cumulative_sum(writes: np.ndarray) -> None:
    """Differencing the running sum of writes gives the writes back."""
    states = np.cumsum(writes, axis=-1)

    np.testing.assert_allclose(state_to_write(states), writes, atol=1e-9)


@settings(deadline=None, max_examples=50)
@given(states=WRITES)
def test_cumulative_sum_undoes_state_to_write(states: np.ndarray) -> None:
    """The running sum of differenced states gives the states back."""
    rebuilt = np.cumsum(state_to_write(states), axis=-1)

    np.testing.assert_allclose(rebuilt, states, atol=1e-9)


def test_writes_are_left_alone() -> None:
    """An attribution of writes is returned as it is."""
    attribution = LayerAttribution(np.array([1.0, 3.0]), np.array([[1.0, 3.0]]))

    assert as_writes(attribution, kind="write") is attribution


def test_states_are_differenced_prompt_by_prompt() -> None:
    """Kind state differences the values and every row of per_prompt."""
    states = LayerAttribution(np.array([1.0, 3.0]), np.array([[0.0, 4.0], [2.0, 2.0]]))
    writes = as_writes(states, kind="state")

    assert writes.values.tolist() == [1.0, 2.0]
    assert writes.per_prompt is not None
    assert writes.per_prompt.tolist() == [[0.0, 4.0], [2.0, 0.0]]


def test_states_without_prompts_stay_without() -> None:
    """No per_prompt is invented."""
    states = LayerAttribution(np.array([1.0, 3.0]))

    assert as_writes(states, kind="state").per_prompt is None


def test_matching_shape_is_accepted() -> None:
    """One number for each section passes, with and without prompts."""
    check_shape(LayerAttribution(np.zeros(4)), n_sections=4)
    check_shape(LayerAttribution(np.zeros(4), np.zeros((3, 4))), n_sections=4)


def test_one_value_too_many_suggests_kind_state() -> None:
    """S + 1 values look like residual points, and the message says what to do."""
    expected = re.escape(
        "The attribution has 5 values, one more than the model has sections (4). This "
        "is what a profile over residual points looks like: declare the method with "
        "kind='state' and leave out point 0, the embeddings."
    )
    with pytest.raises(AttributionError, match=f"^{expected}$"):
        check_shape(LayerAttribution(np.zeros(5)), n_sections=4)


@pytest.mark.parametrize("length", [0, 2, 3, 6, 8])
def test_other_lengths_say_what_is_expected(length: int) -> None:
    """Any other length is refused with the found and the expected shape."""
    expected = re.escape(
        f"The attribution has shape [{length}]; expected [4], one number for each "
        "section (attn 0, mlp 0, attn 1, ...)."
    )
    with pytest.raises(AttributionError, match=f"^{expected}$"):
        check_shape(LayerAttribution(np.zeros(length)), n_sections=4)


def test_per_prompt_of_another_width_is_refused() -> None:
    """Rows of per_prompt need one number for each section too."""
    attribution = LayerAttribution(np.zeros(4), np.zeros((3, 4)))
    # the shape checks of the tests would refuse this at construction
    object.__setattr__(attribution, "per_prompt", np.zeros((3, 5)))

    expected = re.escape("per_prompt has shape [3, 5]; expected [prompts, 4].")
    with pytest.raises(AttributionError, match=f"^{expected}$"):
        check_shape(attribution, n_sections=4)


def test_values_that_are_the_mean_have_no_distance() -> None:
    """Agreement with per_prompt, exact or nearly, is no distance at all."""
    rows = np.array([[0.0, 4.0], [2.0, 2.0]])

    assert distance_from_mean(LayerAttribution(rows.mean(axis=0))) is None
    assert distance_from_mean(LayerAttribution(rows.mean(axis=0), rows)) is None
    assert distance_from_mean(LayerAttribution(np.array([1.0, 3.0002]), rows)) is None


def test_values_off_the_mean_say_how_far() -> None:
    """The largest distance is returned where it is beyond the tolerance."""
    rows = np.array([[0.0, 4.0], [2.0, 2.0]])

    off = LayerAttribution(np.array([1.5, 2.9]), rows)
    assert distance_from_mean(off) == pytest.approx(0.5)
    beyond = LayerAttribution(np.array([1.0, 3.001]), rows)
    assert distance_from_mean(beyond) == pytest.approx(0.001)


def test_prompts_that_are_not_finite_are_off_the_mean() -> None:
    """A NaN among the prompts never passes for agreement."""
    rows = np.array([[np.nan, 1.0]])

    assert distance_from_mean(LayerAttribution(np.array([1.0, 1.0]), rows)) is not None
