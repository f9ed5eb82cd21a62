from collections.abc import Callable

import numpy as np
import pytest

from bench.errors import ReferenceRefusedError
from bench.perturbation.gates import (
    SIGNATURE_GATES,
    Gate,
    gates,
    interval,
    refuse_unless_passed,
)
from bench.perturbation.regime import LARGEST_CHANGE

NAMES = (
    "regime",
    "exact",
    "signature",
    "ratio-sites",
    "ratio-prompts",
    "loss",
    "reliability-emergence",
    "reliability-composition",
    "composition",
)
THIRD = 1 / 3


def failing(found: tuple[Gate, ...]) -> set[str]:
    """Names of the gates that failed."""
    return {gate.name for gate in found if not gate.passed}


@pytest.mark.parametrize(
    ("measured", "at_least", "passed"),
    [
        (3.0, True, True),
        (np.nextafter(3.0, 0), True, False),
        (3.1, True, True),
        (3.0, False, True),
        (np.nextafter(3.0, 4), False, False),
        (2.9, False, True),
        (float("nan"), True, False),
        (float("nan"), False, False),
        (float("inf"), True, False),
        (float("-inf"), False, False),
    ],
)
def test_gate_at_its_threshold(measured: float, at_least: bool, passed: bool) -> None:
    """The threshold itself passes; a value that is not finite never does."""
    gate = Gate("g", float(measured), 3.0, at_least=at_least, meaning="it")

    assert gate.passed is passed


def test_gate_says_its_numbers() -> None:
    """A gate's text holds its name, what was measured and what is required."""
    low = Gate("g", 1.23456, 3.0, at_least=True, meaning="the size")
    high = Gate("g", 1.23456, 3.0, at_least=False, meaning="the size")

    assert str(low) == "g: the size is 1.235, required >= 3"
    assert str(high) == "g: the size is 1.235, required <= 3"


def test_gate_says_its_interval() -> None:
    """What resampled prompts give stands beside the value it belongs to."""
    gate = Gate("g", 1.0, 3.0, at_least=True, meaning="the size", interval=(0.5, 2.25))

    assert str(gate) == "g: the size is 1 (0.5 to 2.25 over prompts), required >= 3"


def test_good_measurement_passes(make_measurement: Callable) -> None:
    """The made-up measurement passes every gate, and there are nine."""
    found = gates(make_measurement())

    assert tuple(gate.name for gate in found) == NAMES
    assert failing(found) == set()
    refuse_unless_passed(found, task="induction/toy")


@pytest.mark.parametrize(
    ("name", "good", "bad", "measured"),
    [
        ("regime", {"sweep": (2, 1, 1, 1, 2)},
         {"sweep": (2, 1, 1, 2, 4)}, 1.0),
        ("exact", {"exact": 1 / 1.0199}, {"exact": 1 / 1.0201}, 0.0201),
        ("ratio-sites", {"copy": 0.75}, {"copy": 0.74}, 2.96),
        ("ratio-sites", {"far": 0.25}, {"far": 0.26}, 0.75 / 0.26),
        ("ratio-prompts", {"on_control_prompts": 0.375},
         {"on_control_prompts": 0.38}, 0.75 / 0.38),
        ("loss", {"losses": (4.0, 2.0)}, {"losses": (4.0, 2.01)}, 0.5025),
        ("composition", {"resample": (0.0, 0.5, 0.0, 0.25)},
         {"resample": (0.0, 0.5, 0.0, 0.0)}, THIRD**0.5),
    ],
)  # fmt: skip
def test_one_gate_fails_beyond_its_threshold(
    make_measurement: Callable, name: str, good: dict, bad: dict, measured: float
) -> None:
    """Each gate passes on its threshold's good side, and alone fails on the other."""
    assert failing(gates(make_measurement(**good))) == set()

    found = {gate.name: gate for gate in gates(make_measurement(**bad))}
    assert failing(tuple(found.values())) == {name}
    assert found[name].measured == pytest.approx(measured, rel=1e-6)


def test_signature_gate_is_the_lower_bound(make_measurement: Callable) -> None:
    """A signature lost in the noise of the prompts fails, its bound worked by hand."""
    measurement = make_measurement(noise=5.0)
    final = measurement.signature[:, -1]
    # Student t with five degrees of freedom: 2.5706
    bound = final.mean() - 2.5706 * np.sqrt(final.var(ddof=1) / 6)

    found = {gate.name: gate for gate in gates(measurement)}

    assert found["signature"].measured == pytest.approx(bound, rel=1e-4)
    assert not found["signature"].passed


def test_reliability_gates(make_measurement: Callable) -> None:
    """Prompts that disagree on a profile fail that profile's gate alone."""
    emergence = gates(make_measurement(gain_noise=2.0))
    composition = gates(make_measurement(ablated_noise=1.5))

    assert failing(emergence) == {"reliability-emergence"}
    assert "reliability-composition" in failing(composition)
    assert "reliability-emergence" not in failing(composition)


def test_ratio_is_read_at_the_largest_signature(make_measurement: Callable) -> None:
    """A ratio that later dilution spoils is read where the signature peaks."""
    measurement = make_measurement()
    repeated = measurement.response["repeated_relative"]
    repeated[:, 0, 4], repeated[:, [1, 4], 4] = 0.6, 0.4

    found = {gate.name: gate for gate in gates(measurement)}

    assert found["ratio-sites"].measured == pytest.approx(3.0)
    assert "at point 3" in found["ratio-sites"].meaning


def test_exact_is_read_at_the_regimes_strength(make_measurement: Callable) -> None:
    """Deviations at other strengths than the measured one do not matter."""
    found = {gate.name: gate for gate in gates(make_measurement())}

    assert found["exact"].measured == 0.0


def test_no_control_response_never_passes(make_measurement: Callable) -> None:
    """A ratio over nothing is not a number and fails."""
    found = {gate.name: gate for gate in gates(make_measurement(far=0.0))}

    assert np.isnan(found["ratio-sites"].measured)
    assert not found["ratio-sites"].passed


def test_nan_passes_no_gate_it_reaches(make_measurement: Callable) -> None:
    """A measurement of NaN fails every gate that it reaches."""
    nan = float("nan")
    measurement = make_measurement(
        copy=nan, losses=(nan, nan), ablated=(nan,) * 4, sweep=(nan,) * 5
    )

    assert failing(gates(measurement)) >= set(NAMES) - {"reliability-emergence"}


def test_near_controls_do_not_decide(make_measurement: Callable) -> None:
    """Mixing of neighbouring positions enters the signature and no ratio."""
    found = gates(make_measurement(control=0.6))

    assert failing(found) == set()


def test_interval_of_the_agreement(make_measurement: Callable) -> None:
    """Equal prompts leave no spread; unequal ones spread around the value."""
    same = {g.name: g for g in gates(make_measurement())}["composition"]
    spread = {g.name: g for g in gates(make_measurement(ablated_noise=0.3))}
    low, high = spread["composition"].interval or (0, 0)

    assert same.interval == pytest.approx((1.0, 1.0))
    assert low < spread["composition"].measured < high
    assert [g.name for g in spread.values() if g.interval] == ["composition"]


def test_constant_composition_cannot_be_checked(make_measurement: Callable) -> None:
    """Where a correlation is undefined the gate fails with NaN."""
    found = {g.name: g for g in gates(make_measurement(ablated=(0.1,) * 4))}

    assert np.isnan(found["composition"].measured)
    assert found["composition"].interval is None
    assert np.isnan(found["reliability-composition"].measured)


def test_refusal_lists_every_failed_gate(make_measurement: Callable) -> None:
    """The message holds each failed gate with its number and no passed one."""
    found = gates(make_measurement(losses=(4.0, 3.0), sweep=(1, 2, 4, 8, 16)))
    failed = [gate for gate in found if not gate.passed]

    with pytest.raises(ReferenceRefusedError) as caught:
        refuse_unless_passed(found, task="induction/toy")

    message = str(caught.value)
    assert message.startswith(
        "The reference of 'induction/toy' is refused (no induction signature); "
        "nothing was written:\n"
    )
    assert {gate.name for gate in failed} == {"regime", "loss"}
    for gate in found:
        assert (f"  {gate}\n" in message) is not gate.passed
    assert "is 0.75, required <= 0.5" in message
    assert f"by over {LARGEST_CHANGE:.0%} is 0, required >= 2" in message


@pytest.mark.parametrize("name", NAMES)
def test_verdict_names_a_missing_signature_only(name: str) -> None:
    """Only gates about the behaviour speak of a missing induction signature."""
    gate = Gate(name, 0.0, 1.0, at_least=True, meaning="it")
    verdict = (
        "no induction signature"
        if name in ("signature", "ratio-sites", "ratio-prompts", "loss")
        else "the measurement is not good enough"
    )

    with pytest.raises(ReferenceRefusedError, match=rf"refused \({verdict}\)"):
        refuse_unless_passed((gate,), task="t")


def test_signature_gates_exist() -> None:
    """Every gate that decides the verdict is one of the gates."""
    assert set(NAMES) > SIGNATURE_GATES


def test_interval_hand_worked() -> None:
    """Mean 2, standard error 1 / sqrt 3, Student t with two degrees: 4.3027."""
    found = interval(np.array([[1.0, 1.0], [2.0, 1.0], [3.0, 1.0]]))

    assert found[:, 0] == pytest.approx(
        [2 - 4.3026527 / 3**0.5, 2 + 4.3026527 / 3**0.5]
    )
    assert found[:, 1].tolist() == [1.0, 1.0]


def test_interval_covers_the_mean() -> None:
    """Over many samples the interval holds the true mean about 95 times in 100."""
    rng = np.random.default_rng(0)
    low, high = interval(rng.normal(size=(8, 4000)))

    assert ((low <= 0) & (high >= 0)).mean() == pytest.approx(0.95, abs=0.015)
