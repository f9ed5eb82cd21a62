"""Every stored reference."""

from collections.abc import Callable, Generator

import numpy as np
import pytest
import torch

from bench.errors import ReferenceRefusedError
from bench.models.loading import load_model, untrained_like
from bench.perturbation.gates import Gate, gates, refuse_unless_passed
from bench.perturbation.layout import lay_out, no_progress
from bench.perturbation.measurement import excess
from bench.perturbation.protocol import SEED, measure
from bench.perturbation.stages import full_response
from bench.profiles.attribution import LayerAttribution
from bench.profiles.promptwise import PROFILES
from bench.results.reference_record import Reference, read_reference, reference_path
from bench.scores.halves import ceiling, reliability
from bench.scores.overlap import overlap
from bench.tasks.planted import ARCHITECTURES, draw_placement
from bench.tasks.registry import data_root, find_task, read_suites, task_files
from tests.conftest import score_against

FEW = 4
"""Prompts that are measured again."""
ROOT = data_root()
TASKS = [
    name
    for name in sorted(task_files(ROOT))
    if reference_path(find_task(name, root=ROOT), root=ROOT).is_file()
]
SMALL = "induction/small-llama"
PLANTED = [name for name in TASKS if find_task(name, root=ROOT).spec.model.planted]


@pytest.fixture(params=TASKS)
def reference(request: pytest.FixtureRequest) -> Reference:
    """Every stored reference in turn."""
    return read_reference(find_task(request.param, root=ROOT), root=ROOT)


@pytest.fixture
def set_threads() -> Generator[Callable[[int], None], None, None]:
    """Change torch's number of threads for a test."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def test_every_task_of_the_core_suite_has_a_reference() -> None:
    """Only tasks whose models are not here may have a pending reference."""
    suites = read_suites(ROOT)

    assert set(suites["core"].tasks) == set(TASKS)
    assert len(PLANTED) == len(ARCHITECTURES)


@pytest.mark.parametrize("name", PLANTED)
def test_planted_references_are_the_planted_truth(name: str) -> None:
    """What was measured is what was built, and no null finds more than half of it."""
    task = find_task(name, root=ROOT)
    recipe, blocks = task.spec.model.planted, task.spec.model.blocks
    assert recipe is not None
    reference = read_reference(task, root=ROOT)
    truths = draw_placement(recipe, blocks=blocks).truth(2 * blocks)
    for profile, truth in truths.items():
        found = reference.promptwise.profile(profile)
        constant = LayerAttribution(values=np.ones(2 * blocks))
        yardstick = score_against(constant, reference).profiles[profile].yardstick

        assert (overlap(found, truth).value or 0.0) >= 0.95
        assert np.corrcoef(found, truth)[0, 1] >= 0.98
        planted = np.flatnonzero(truth)
        assert set(np.argsort(-found)[: len(planted)]) == set(planted)
        assert yardstick.best_null[1] <= 0.5


def test_gates_were_passed(reference: Reference) -> None:
    """The recorded numbers pass the gates, and no gate is missing."""
    found = {g.name: Gate(**g.model_dump()) for g in reference.record.gates}

    assert all(gate.passed for gate in found.values())
    low, high = found["composition"].interval or (0.0, 0.0)
    assert 0 < low <= found["composition"].measured <= high <= 1
    assert set(found) == {
        "regime",
        "exact",
        "signature",
        "ratio-sites",
        "ratio-prompts",
        "loss",
        "reliability-emergence",
        "reliability-composition",
        "composition",
    }


def test_record_and_arrays_agree(reference: Reference) -> None:
    """What a reader sees follows from the arrays that scores are computed with."""
    record, arrays = reference.record, reference.arrays

    np.testing.assert_allclose(record.gain.mean, arrays["gain"].mean(axis=0), atol=1e-8)
    np.testing.assert_allclose(
        record.signature.mean, arrays["signature"].mean(axis=0), atol=1e-8
    )
    lost = 1 - arrays["ablated_mean"].mean(axis=0) / arrays["signature"][:, -1].mean()
    np.testing.assert_allclose(record.composition_mean, lost, atol=1e-7)
    for name in PROFILES:
        assert reliability(reference.promptwise, name).value == pytest.approx(
            record.reliability[name]
        )
        assert ceiling(reference.promptwise, name).value == pytest.approx(
            record.ceiling[name]
        )


def test_increment_is_gain_minus_dilution(reference: Reference) -> None:
    """The identity of the design holds for the stored profiles."""
    record = reference.record

    rebuilt = np.array(record.gain.mean) - np.array(record.dilution)

    np.testing.assert_allclose(record.increment, rebuilt, atol=1e-7)
    np.testing.assert_allclose(
        np.cumsum(record.increment), record.signature.mean[1:], atol=1e-6
    )
    assert sum(record.additive_share) == pytest.approx(1, abs=1e-4)


def test_composition_agrees_with_the_logit_drop(reference: Reference) -> None:
    """Composition by mean agrees with another readout under another ablation."""
    composition = reference.promptwise.profile("composition")

    r = np.corrcoef(composition, reference.record.logit_drop)[0, 1]

    assert r >= 0.9


def test_reference_scores_itself_perfectly(reference: Reference) -> None:
    """The reference, submitted as an attribution, gets overlap 1 and full skill."""
    for name in PROFILES:
        own = LayerAttribution(values=reference.promptwise.profile(name))
        scores = score_against(own, reference).profiles[name]

        assert scores.overlap.value == pytest.approx(1)
        assert scores.skill.value == 1
        assert scores.yardstick.ranked


def test_other_half_gets_the_ceiling(reference: Reference) -> None:
    """A profile from half the prompts overlaps the other half's as the ceiling says."""
    half = reference.promptwise.n_prompts // 2
    rows = np.arange(reference.promptwise.n_prompts)
    for name in PROFILES:
        one = reference.promptwise.profile(name, rows[:half])
        other = LayerAttribution(values=reference.promptwise.profile(name, rows[half:]))
        same = score_against(LayerAttribution(values=one), reference)
        overlaps = [
            score_against(x, reference).profiles[name].overlap.value
            for x in (LayerAttribution(values=one), other)
        ]

        assert same.profiles[name].skill.value == pytest.approx(1, abs=0.1)
        for found in overlaps:
            # half against all is at least as close as half against half
            assert found is not None
            assert found >= reference.record.ceiling[name] - 0.05


def test_no_null_has_skill(reference: Reference) -> None:
    """No null is above 0, each has an overlap, and none is missing."""
    for name in PROFILES:
        constant = LayerAttribution(values=np.ones(reference.promptwise.n_sections))
        scores = score_against(constant, reference).profiles[name]

        assert len(scores.yardstick.nulls) >= 9
        assert all(0 <= o < 1 for o in scores.yardstick.nulls.values())
        assert scores.skill.value is not None
        assert scores.skill.value <= 0


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize(("chunk", "threads"), [(FEW, 1), (1, 2)])
def test_first_prompts_are_measured_again(
    name: str, chunk: int, threads: int, set_threads: Callable[[int], None]
) -> None:
    """Another process, batch size and number of threads give the stored gains."""
    task = find_task(name, root=ROOT)
    stored = read_reference(task, root=ROOT)
    prompts = task.read_prompts("reference")
    set_threads(threads)
    bench = lay_out(load_model(task, device="cpu"), prompts, seed=SEED, chunk=chunk)

    again = full_response(
        bench.first(FEW),
        strength=stored.record.regime.strength,
        progress=no_progress,
    )

    expected = stored.arrays["gain"][:FEW]
    np.testing.assert_allclose(
        excess(again, "gain"), expected, atol=0.01 * np.abs(expected).max()
    )


def test_an_untrained_model_is_refused() -> None:
    """The same shape without training has no signature, and the message has numbers."""
    task = find_task(SMALL, root=ROOT)
    model = untrained_like(load_model(task, device="cpu"), seed=1)

    measurement = measure(model, task.read_prompts("reference")[:17])

    with pytest.raises(
        ReferenceRefusedError, match=r"no induction signature.*\n.*[0-9]"
    ):
        refuse_unless_passed(gates(measurement), task=task.id)
