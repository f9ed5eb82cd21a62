from collections.abc import Callable

import numpy as np
import pytest

from bench.errors import ReferenceRefusedError
from bench.models.loading import untrained_like
from bench.models.subject import SubjectModel
from bench.perturbation.gates import gates, refuse_unless_passed
from bench.perturbation.layout import Progress
from bench.perturbation.measurement import Measurement
from bench.perturbation.protocol import compute_anew, measure, measure_null
from bench.perturbation.regime import STRENGTHS
from bench.perturbation.stages import Arrays
from bench.tasks.prompts import Prompt


class Memory(dict[str, Arrays]):
    """Stages computed once."""

    def __call__(self, stage: str, compute: Callable[[Progress], Arrays]) -> Arrays:
        """Compute a stage or return what it gave before."""
        if stage not in self:
            self[stage] = compute_anew(stage, compute)
        return self[stage]


@pytest.fixture(scope="module")
def memory() -> Memory:
    """The stages of the measurement below."""
    return Memory()


@pytest.fixture(scope="module")
def reference_prompts(tiny_prompts: tuple[Prompt, ...]) -> tuple[Prompt, ...]:
    """Seventeen prompts of period 8."""
    return tuple(p for p in tiny_prompts if p.split == "reference")


@pytest.fixture(scope="module")
def measured(
    tiny_model: SubjectModel,
    reference_prompts: tuple[Prompt, ...],
    memory: Memory,
) -> Measurement:
    """A random model measured once."""
    return measure(tiny_model, reference_prompts, remember=memory)


def test_shapes(measured: Measurement) -> None:
    """Seventeen prompts, four sections, five points, all strengths."""
    assert measured.sweep.shape == (len(STRENGTHS), 5)
    assert measured.exact.shape == (5,)
    assert measured.signature.shape == (17, 5)
    assert measured.gain.shape == (17, 4)
    assert measured.composition_mean.shape == (4,)
    assert measured.logit_drop.shape == (4,)
    assert measured.strengths.tolist() == list(STRENGTHS)
    assert measured.regime.strength in STRENGTHS


def test_stages_run_in_order(measured: Measurement, memory: Memory) -> None:
    """The remembered stages are the named ones, in their order."""
    assert measured.signature.any()
    ablations = ["mean", "resample-1", "resample-2"]
    assert list(memory) == ["behaviour", "strengths", "response", *ablations]


def test_resampling_is_averaged(measured: Measurement, memory: Memory) -> None:
    """Composition by resampling is that of both draws, which differ."""
    one, two = (memory[f"resample-{shift}"]["signature"] for shift in (1, 2))

    assert np.abs(one - two).max() > 1e-3
    np.testing.assert_allclose(
        measured.resample_ablation["signature"], (one + two) / 2, rtol=1e-12
    )


def test_remembered_stages_are_not_computed_again(
    tiny_model: SubjectModel,
    reference_prompts: tuple[Prompt, ...],
    measured: Measurement,
    memory: Memory,
) -> None:
    """A second run on remembered stages needs no model and gives the same."""

    def refuse(_module: object, _arguments: object) -> None:
        raise AssertionError("a full run of the model")

    handle = tiny_model.blocks[-1].register_forward_pre_hook(refuse)
    try:
        again = measure(tiny_model, reference_prompts, remember=memory)
    finally:
        handle.remove()

    np.testing.assert_array_equal(again.signature, measured.signature)
    np.testing.assert_array_equal(again.composition_mean, measured.composition_mean)


def test_exact_measurement_agrees(
    tiny_model: SubjectModel,
    reference_prompts: tuple[Prompt, ...],
    measured: Measurement,
) -> None:
    """Profiles from the exact response equal those from finite differences."""
    exact = measure(tiny_model, reference_prompts, exact=True)

    assert exact.from_exact
    assert not measured.from_exact
    for name in ("signature", "gain", "increment", "additive_share"):
        one, other = getattr(exact, name), getattr(measured, name)
        gap = np.abs(one - other).max()
        assert 0 < gap < 0.01 * np.abs(one).max()
    ablated = exact.mean_ablation["signature"]
    gap = np.abs(ablated - measured.mean_ablation["signature"]).max()
    assert 0 < gap < 0.01 * np.abs(ablated).max()


def test_seed_of_the_directions_matters(
    tiny_model: SubjectModel,
    reference_prompts: tuple[Prompt, ...],
    measured: Measurement,
    memory: Memory,
) -> None:
    """Another seed perturbs towards other tokens and gives other responses."""
    kept = Memory({k: v for k, v in memory.items() if k != "response"})
    other = measure(tiny_model, reference_prompts, seed=1, remember=kept)

    assert np.abs(other.signature - measured.signature).max() > 0.01


def test_a_random_model_is_refused_with_its_numbers(measured: Measurement) -> None:
    """A model without the behaviour has no reference, and the refusal says why."""
    found = gates(measured)

    with pytest.raises(ReferenceRefusedError, match="no induction signature") as caught:
        refuse_unless_passed(found, task="induction/random")

    by_name = {gate.name: gate for gate in found}
    assert by_name["exact"].passed
    assert by_name["regime"].passed
    for name in ("ratio-sites", "ratio-prompts", "loss"):
        assert not by_name[name].passed
        assert f"{by_name[name].measured:.4g}, required" in str(caught.value)


def test_an_untrained_model_is_refused(
    make_model: Callable[..., SubjectModel], reference_prompts: tuple[Prompt, ...]
) -> None:
    """A freshly initialised model, as transformers makes it, is refused."""
    blank = untrained_like(make_model(), seed=0)
    found = gates(measure(blank, reference_prompts))

    with pytest.raises(ReferenceRefusedError, match="no induction signature") as caught:
        refuse_unless_passed(found, task="induction/untrained")

    by_name = {gate.name: gate for gate in found}
    assert by_name["ratio-sites"].measured < 1.5
    assert by_name["loss"].measured > 0.9
    assert f"is {by_name['loss'].measured:.4g}, required <= 0.5" in str(caught.value)


def test_null_measurement_is_the_measurement_without_gates(
    tiny_model: SubjectModel,
    reference_prompts: tuple[Prompt, ...],
    measured: Measurement,
) -> None:
    """Measuring a null model takes the same two profiles by the same means."""
    memory = Memory()
    found = measure_null(
        tiny_model,
        reference_prompts,
        strength=measured.regime.strength,
        remember=memory,
    )

    assert list(memory) == ["untrained-response", "untrained-mean"]
    np.testing.assert_allclose(found.gain, measured.gain, atol=1e-3)
    np.testing.assert_allclose(found.signature, measured.signature[:, -1], atol=1e-3)
    np.testing.assert_allclose(
        found.ablated, measured.mean_ablation["signature"], atol=1e-3
    )
