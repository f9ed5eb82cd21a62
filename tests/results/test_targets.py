from dataclasses import replace

import numpy as np
import pytest

from bench.profiles.attribution import LayerAttribution
from bench.profiles.promptwise import PROFILES, ProfileName
from bench.results import targets
from bench.results.reference_record import Reference
from bench.results.targets import Target, find_targets, prompt_weights
from bench.results.trusted import Trusted
from bench.scores import bootstrap
from bench.scores.bootstrap import resamples
from bench.scores.overlap import overlap
from bench.scores.skill import Yardstick, skill
from tests.conftest import score_against

EARLY, LATE = "induction/early", "induction/late"


@pytest.fixture(autouse=True)
def ten_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loop over 400 would take long."""
    monkeypatch.setattr(bootstrap, "N_RESAMPLES", 10)


@pytest.fixture
def references(trusted: Trusted) -> tuple[Reference, Reference]:
    """A reference and that of the suite's other task."""
    return trusted.references[EARLY], trusted.references[LATE]


def test_weights_are_means_of_resamples() -> None:
    """Weighting prompts equals averaging the prompts that were drawn."""
    values = np.random.default_rng(0).normal(size=(7, 12))
    expected = values[resamples(7, stream=3)].mean(axis=1)

    np.testing.assert_allclose(prompt_weights(7, stream=3) @ values, expected)


def skill_of_resample(
    target: Target, resample: int, own: np.ndarray, own_null: np.ndarray | None
) -> float:
    """Compute the skill under one resample from scores of single profiles."""
    profile = target.resampled[resample]
    nulls = {n: overlap(v, profile).value or 0.0 for n, v in target.nulls.items()}
    nulls["random"] = float(np.mean(random_overlaps(profile)))
    if own_null is not None:
        nulls["own-untrained"] = overlap(own_null, profile).value or 0.0
    found = skill(overlap(own, profile), Yardstick(nulls, target.ceiling))
    assert found.value is not None
    return found.value


def random_overlaps(profile: np.ndarray) -> np.ndarray:
    """Draw random answers; their mean has an error of a thousandth."""
    rng = np.random.default_rng(0)
    drawn = rng.exponential(size=(40_000, len(profile)))
    shares = drawn / drawn.sum(axis=1, keepdims=True)
    target = np.clip(profile, 0, None)
    return np.minimum(shares, target / target.sum()).sum(axis=1)


@pytest.mark.parametrize("with_null", [False, True])
@pytest.mark.parametrize("name", PROFILES)
def test_draws_one_by_one(
    name: ProfileName, with_null: bool, references: tuple[Reference, Reference]
) -> None:
    """The draws are what single scores give on each resampled profile."""
    target = find_targets(references[0], others=references[1:])[name]
    per_prompt = target.values + np.random.default_rng(1).normal(0.1, 0.1, (6, 12))
    own_null = target.values + 0.4 if with_null else None
    rows = resamples(6, stream=target._stream + 1)
    expected = [
        skill_of_resample(target, i, per_prompt[rows[i]].mean(axis=0), own_null)
        for i in range(10)
    ]

    found = target.draws(per_prompt.mean(axis=0), per_prompt, own_null=own_null)
    np.testing.assert_allclose(found, expected, atol=0.005)


def test_an_attribution_without_prompts_stays(
    references: tuple[Reference, Reference],
) -> None:
    """Then only the reference is resampled."""
    target = find_targets(references[0])["emergence"]
    values = target.values + 0.1
    expected = [skill_of_resample(target, i, values, None) for i in range(10)]

    np.testing.assert_allclose(target.draws(values), expected, atol=0.005)


def test_points_do_not_move_with_the_bootstrap(
    references: tuple[Reference, Reference], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other resamples change intervals and nothing else."""
    answer = LayerAttribution(
        values=references[0].promptwise.profile("emergence") + 0.1
    )
    one = score_against(answer, references[0])
    monkeypatch.setattr(
        targets, "resamples", lambda n, *, stream: resamples(n, stream=stream + 99)
    )
    other = score_against(answer, references[0])

    for name in PROFILES:
        before, after = one.profiles[name], other.profiles[name]
        assert before.interval != after.interval
        assert replace(before, draws=None) == replace(after, draws=None)


def test_targets_are_measured_once(trusted: Trusted) -> None:
    """All methods share them; other suites know other tasks."""
    assert trusted.targets(EARLY, "core") is trusted.targets(EARLY, "core")
    known = {
        s: set(trusted.targets(EARLY, s)["emergence"].nulls) for s in ("core", "half")
    }

    assert known["core"] - known["half"] == {"other-tasks"}
    assert set(trusted.targets(EARLY, "nowhere")["emergence"].nulls) == known["half"]
