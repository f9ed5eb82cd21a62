import numpy as np
import pytest

from bench.perturbation.regime import (
    STRENGTHS,
    deviations,
    find_regime,
    window_change,
)

DECADES = np.array([1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1])


def curve(*values: float) -> np.ndarray:
    """Two points, the second with the given response, the first without any."""
    return np.array([[0.0, value] for value in values])


def test_window_between_noise_and_nonlinearity() -> None:
    """The widest window within 5 % is found between two bad ends, by hand."""
    found = find_regime(DECADES, curve(1.30, 1.01, 1.00, 1.00, 1.04, 1.30))

    assert (found.lowest, found.highest) == (1e-5, 1e-2)
    assert found.decades == pytest.approx(3.0)
    # the middle is 10^-3.5; of the two neighbours the first is taken
    assert found.strength in (1e-4, 1e-3)
    assert found.change == pytest.approx(0.04 / 1.02)


def test_middle_of_an_odd_window() -> None:
    """The strength is the geometric middle of the window."""
    found = find_regime(DECADES, curve(1.30, 0.70, 1.00, 1.00, 1.00, 1.30))

    assert (found.lowest, found.highest) == (1e-4, 1e-2)
    assert found.strength == 1e-3
    assert found.change == 0.0


def test_equally_wide_windows_take_the_calmer() -> None:
    """Between windows of one width the one that changes least wins."""
    found = find_regime(DECADES, curve(1.00, 1.04, 2.00, 3.00, 3.01, 5.00))

    assert (found.lowest, found.highest) == (1e-3, 1e-2)


@pytest.mark.parametrize(("last", "highest"), [(1.0512, 1e-1), (1.0514, 1e-2)])
def test_five_percent_is_the_limit(last: float, highest: float) -> None:
    """A change of 5 % of the window's middle is allowed and no more."""
    assert find_regime(DECADES, curve(1, 1, 1, 1, 1, last)).highest == highest


def test_one_bad_point_bounds_the_window() -> None:
    """A window must hold at every residual point at once."""
    responses = np.ones((6, 3))
    responses[:2, 1] = 1.2
    responses[5, 2] = 0.8

    found = find_regime(DECADES, responses)

    assert (found.lowest, found.highest) == (1e-4, 1e-2)


@pytest.mark.parametrize(
    "responses",
    [
        np.random.default_rng(0).random((6, 4)) + 0.01,
        np.zeros((6, 4)),
        np.full((6, 4), np.nan),
        10.0 ** np.arange(6)[:, None] * np.ones((6, 4)),
    ],
    ids=["noise", "zeros", "nan", "steep"],
)
def test_never_an_empty_window(responses: np.ndarray) -> None:
    """Whatever the responses, there is a window with a strength of the sweep."""
    found = find_regime(DECADES, responses)

    assert found.lowest <= found.strength <= found.highest
    assert found.strength in DECADES
    assert found.decades >= 0.0


def test_nan_has_no_width() -> None:
    """A response that is not a number cannot be in a regime."""
    assert find_regime(DECADES, np.full((6, 4), np.nan)).decades == 0.0


def test_noise_where_nothing_responds_is_forgiven() -> None:
    """Changes of up to one percent of the largest do not narrow the window."""
    responses = curve(1, 1, 1, 1, 1, 1)
    responses[:, 0] = [0.0099, 0.0, 0.0005, 0.0, 0.0, 0.0099]

    assert find_regime(DECADES, responses).decades == pytest.approx(5.0)


def test_change_of_a_window_hand_worked() -> None:
    """The range is relative to the window's middle or 20 % of the largest middle."""
    assert window_change(np.array([[0.9], [1.1]])) == pytest.approx(0.2)
    # first point: range .01 over floor .2 * 1; second: range 0
    assert window_change(np.array([[0.0, 1.0], [0.01, 1.0]])) == pytest.approx(0.05)
    # the largest need not be the last
    assert window_change(np.array([[0, 2.0, 1], [0.01, 2, 1]])) == pytest.approx(0.025)


def test_deviations_with_the_floor() -> None:
    """Deviations are relative to the exact response or to 20 % of the largest."""
    exact = np.array([0.0, 0.1, 1.0, 0.5])
    responses = np.array([[0.01, 0.12, 0.9, 0.6]])

    np.testing.assert_allclose(
        deviations(responses, exact), [[0.05, 0.1, 0.1, 0.2]], rtol=1e-12
    )


def test_deviations_without_any_response() -> None:
    """No difference is no deviation even from nothing; any difference is infinite."""
    found = deviations(np.array([[0.0, 0.0], [0.0, 0.1]]), np.zeros(2))

    np.testing.assert_array_equal(found, [[0.0, 0.0], [0.0, np.inf]])


def test_sweep_can_hold_the_regime() -> None:
    """The strengths ascend, and two decades are found wherever they lie."""
    strengths = np.array(STRENGTHS)
    assert (np.diff(strengths) > 0).all()
    for low, high in ((1e-5, 1e-3), (3e-5, 3e-3), (1e-4, 1e-2), (3e-4, 3e-2)):
        inside = (strengths >= low) & (strengths <= high)
        ragged = np.arange(2.0, 2.0 + len(strengths))
        responses = np.where(inside, 1.0, ragged)[:, None]
        assert find_regime(strengths, responses).decades >= 2.0
