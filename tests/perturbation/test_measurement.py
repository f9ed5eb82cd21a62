from collections.abc import Callable

import numpy as np
import pytest

from bench.perturbation.layout import Bench, no_progress
from bench.perturbation.measurement import excess, read
from bench.perturbation.readout import READOUTS
from bench.perturbation.stages import full_response


def random_response() -> dict[str, np.ndarray]:
    """Responses of five prompts with four sections."""
    rng = np.random.default_rng(0)
    return {
        f"{prompts}_{field}": rng.random((5, len(READOUTS), 4 + (field == "relative")))
        for prompts in ("repeated", "control")
        for field in ("relative", "gain")
    }


def test_read_picks_one_readout() -> None:
    """A readout is a column of the stored field, prompt by prompt."""
    response = random_response()

    np.testing.assert_array_equal(
        read(response, "gain", "control", "match"), response["control_gain"][:, 3]
    )


@pytest.mark.parametrize(("readout", "column"), [("copy", 0), ("previous", 2)])
def test_excess_by_loop(readout: str, column: int) -> None:
    """Excess subtracts control pairs, then the same on control prompts."""
    response = random_response()
    found = excess(response, "relative", readout)

    for p in range(5):
        for n in range(5):
            repeated = response["repeated_relative"][p, :, n]
            control = response["control_relative"][p, :, n]
            assert found[p, n] == pytest.approx(
                (repeated[column] - repeated[1]) - (control[column] - control[1])
            )


def test_hand_worked_measurement(make_measurement: Callable) -> None:
    """Everything that follows from the arrays, on numbers worked by hand."""
    found = make_measurement()

    assert found.signature[0].tolist() == [0, 0, 0, 0.5, 0.5]
    assert found.gain[0].tolist() == [0, 0, 0.5, 0]
    assert found.increment[0].tolist() == [0, 0, 0.5, 0]
    assert found.dilution[0].tolist() == [0, 0, 0, 0]
    assert found.additive_share.tolist() == [0, 0, 1, 0]
    # ablating sections 0 and 2 leaves nothing, 1 and 3 the whole signature of .5
    assert found.composition_mean.tolist() == [1, 0, 1, 0]
    assert found.composition_resample.tolist() == [1, 0, 1, 0]
    # logit 3 falls to .5, 3, 0, 3
    assert found.logit_drop.tolist() == [2.5, 0, 3, 0]
    assert found.promptwise.profile("emergence").tolist() == [0, 0, 0.5, 0]
    assert found.promptwise.profile("composition").tolist() == [1, 0, 1, 0]
    assert found.read("relative", "repeated", "copy")[0, -1] == 0.75
    assert found.read("relative", "repeated", "control")[0, -1] == 0.25
    assert found.excess("gain", "match").tolist() == [[0, 0, 0, 0]] * 6


@pytest.mark.parametrize("strength", [None, 0.003])
def test_identities_on_a_model(
    laid_out: Bench, make_measurement: Callable, strength: float | None
) -> None:
    """Gain minus dilution is the increment; additive shares sum to 1.

    The dilution is checked against its own definition: the change before the section
    times the growth of one over the residual's norm.
    """
    response = full_response(laid_out, strength=strength, progress=no_progress)
    found = make_measurement()
    object.__setattr__(found, "response", response)

    gained, increment = found.gain, found.increment
    np.testing.assert_allclose(gained - found.dilution, increment, atol=1e-12)
    assert found.additive_share.sum() == pytest.approx(1.0, abs=1e-2)
    assert np.abs(found.dilution).max() > 1e-3
    np.testing.assert_allclose(
        found.dilution, dilution_by_definition(laid_out, strength), atol=1e-4
    )


def dilution_by_definition(bench: Bench, strength: float | None) -> np.ndarray:
    """Take |dx_s| (1/|x_s| - 1/|x_(s+1)|) at the probes' pairs, in excess of both."""
    from tests.perturbation.whole import whole_response

    terms = []
    for probing in (bench.repeated, bench.control):
        response = whole_response(bench.model, probing, strength=strength)
        before = response.size[:, :, :-1]
        inverse = 1 / response.residual
        lost = before * (inverse[:, :, :-1] - inverse[:, :, 1:])
        read_out = bench.readouts.read(lost)
        terms.append(read_out[:, 0] - read_out[:, 1])
    return (terms[0] - terms[1]).double().numpy()
