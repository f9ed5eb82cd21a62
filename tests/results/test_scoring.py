from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from bench.errors import DigestError
from bench.profiles.attribution import LayerAttribution
from bench.profiles.promptwise import PROFILES, ProfileName, PromptwiseReference
from bench.results.aggregate import mean_skill
from bench.results.attribution_record import AttributionRecord
from bench.results.reference_record import Reference
from bench.results.scoring import OWN_UNTRAINED, SHOWN, TaskScores, score_record
from bench.results.targets import (
    NORM_GROWTH,
    OTHER_TASKS,
    UNTRAINED_REFERENCE,
    find_targets,
    null_attributions,
)
from bench.results.trusted import Trusted
from bench.scores import bootstrap
from bench.scores.halves import split_halves
from bench.scores.nulls import ANALYTIC, RANDOM
from bench.scores.score import Score, undefined
from tests.conftest import score_against

EARLY, LATE = "induction/early", "induction/late"
S = 12
MakeRecord = Callable[..., AttributionRecord]


@pytest.fixture
def reference(trusted: Trusted) -> Reference:
    """The reference that tests score against."""
    return trusted.references[EARLY]


@pytest.fixture
def other(trusted: Trusted) -> Reference:
    """The reference of another task."""
    return trusted.references[LATE]


@pytest.fixture
def some_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw enough bootstrap samples for rough intervals."""
    monkeypatch.setattr(bootstrap, "N_RESAMPLES", 100)


def answer(values: np.ndarray, per_prompt: np.ndarray | None = None):
    """Say an attribution of writes."""
    return LayerAttribution(values=values, per_prompt=per_prompt)


def with_ceiling(reference: Reference, **ceiling: float) -> Reference:
    """Move a reference's ceilings."""
    both = reference.record.ceiling | ceiling
    record = reference.record.model_copy(update={"ceiling": both})
    return replace(reference, record=record)


@pytest.mark.parametrize("name", PROFILES)
def test_reference_scores_one(
    reference: Reference, other: Reference, name: ProfileName
) -> None:
    """The reference itself as an answer overlaps entirely and has full skill."""
    target = reference.promptwise.profile(name)
    found = score_against(answer(target), reference, others=[other]).profiles[name]

    assert found.overlap.value == pytest.approx(1.0)
    assert found.skill.value == 1.0
    assert found.interval is not None
    assert found.interval[0] > 0.9
    assert {key: score.value for key, score in found.shown.items()} == pytest.approx(
        {
            "pearson": 1.0,
            "spearman": 1.0,
            "top_k_recall": 1.0,
            "onset_error": 0.0,
            "wasserstein": 0.0,
        }
    )


@pytest.mark.usefixtures("few_resamples")
def test_profiles_are_different_questions(reference: Reference) -> None:
    """The answer to one profile is no answer to the other."""
    for name, another in (PROFILES, PROFILES[::-1]):
        target = reference.promptwise.profile(name)
        found = score_against(answer(target), reference).profiles[another]
        assert found.overlap.value is not None
        assert 0.4 < found.overlap.value < 0.6


@pytest.mark.usefixtures("few_resamples")
@pytest.mark.parametrize("name", PROFILES)
def test_half_of_the_prompts_scores_about_the_ceiling(
    reference: Reference, name: ProfileName
) -> None:
    """What half the prompts say of the other half is what the ceiling means."""
    whole = reference.promptwise
    overlaps: list[float] = []
    for number, (one, two) in enumerate(split_halves(whole.n_prompts)):
        if number == 10:
            break
        half = PromptwiseReference(
            gain=whole.gain[two],
            signature=whole.signature[two],
            ablated=whole.ablated[two],
        )
        scored = score_against(
            answer(whole.profile(name, one)), replace(reference, promptwise=half)
        ).profiles[name]
        assert scored.overlap.value is not None
        assert scored.skill.value == pytest.approx(1.0, abs=0.05)
        overlaps.append(scored.overlap.value)

    assert np.mean(overlaps) == pytest.approx(reference.record.ceiling[name], abs=0.01)


@pytest.mark.usefixtures("few_resamples")
@pytest.mark.parametrize("factor", [1e-300, 1e-3, 7.0, 1e300])
def test_positive_scale_changes_nothing(reference: Reference, factor: float) -> None:
    """Units of an attribution are the method's own."""
    values = np.random.default_rng(0).normal(size=S)
    plain, scaled = (
        score_against(answer(v), reference) for v in (values, factor * values)
    )

    for name in PROFILES:
        before, after = plain.profiles[name], scaled.profiles[name]
        assert after.skill.value == pytest.approx(before.skill.value, abs=1e-12)
        assert after.draws == pytest.approx(before.draws, abs=1e-12)


@pytest.mark.usefixtures("few_resamples")
def test_an_offset_costs(reference: Reference) -> None:
    """The more of an answer is the same everywhere, the less it scores."""
    target = reference.promptwise.profile("emergence")
    scores = [
        score_against(answer(target + offset), reference)
        .profiles["emergence"]
        .overlap.value
        for offset in (0.0, 0.05, 0.5, 100.0)
    ]

    found = [score for score in scores if score is not None]
    assert found == sorted(scores, key=lambda score: -(score or 0.0))
    assert scores[-1] == pytest.approx(2 / S, abs=0.02)


@pytest.mark.usefixtures("few_resamples")
def test_permuted_sections_score_badly(reference: Reference) -> None:
    """The right numbers in the wrong places are worth nothing."""
    target = reference.promptwise.profile("emergence")
    found = score_against(answer(np.roll(target, 1)), reference)

    assert found.profiles["emergence"].skill.value is not None
    assert found.profiles["emergence"].skill.value < 0.0


@pytest.mark.usefixtures("few_resamples")
def test_constant_is_defined_and_low(reference: Reference) -> None:
    """The same number everywhere is an answer, a bad one."""
    found = score_against(answer(np.full(S, 3.0)), reference)

    for name in PROFILES:
        profile = found.profiles[name]
        assert profile.overlap.value == pytest.approx(2 / S, abs=0.02)
        assert profile.skill.value is not None
        assert profile.skill.value < 0.0
        assert profile.shown["pearson"].value is None
        assert profile.interval is not None


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (-np.ones(S), "the attribution is nowhere positive"),
        (np.zeros(S), "the attribution is nowhere positive"),
        (np.full(S, np.nan), "the attribution has values that are not finite"),
    ],
    ids=["negative", "zero", "nan"],
)
def test_undefined_has_a_reason(
    reference: Reference, values: np.ndarray, reason: str
) -> None:
    """An answer without a share has no score, no interval, and says why."""
    scored = score_against(answer(values), reference)
    for name in PROFILES:
        profile = scored.profiles[name]
        assert profile.overlap == undefined(reason)
        assert profile.skill == undefined(reason)
        assert profile.draws is None
        assert profile.interval is None
    assert mean_skill([scored]).score == undefined(f"{EARLY}, emergence: {reason}")
    assert mean_skill([scored]).interval is None


@pytest.mark.usefixtures("few_resamples")
@pytest.mark.parametrize("name", PROFILES)
def test_no_null_has_skill(
    reference: Reference, other: Reference, name: ProfileName
) -> None:
    """Every null is in the yardstick, none has skill, and the best has exactly none."""
    nulls = null_attributions(reference, name, others=[other])
    assert set(nulls) == {*ANALYTIC, NORM_GROWTH, UNTRAINED_REFERENCE, OTHER_TASKS}

    skills: dict[str, float] = {}
    for null, values in nulls.items():
        found = score_against(answer(values), reference, others=[other])
        profile = found.profiles[name]
        assert set(profile.yardstick.nulls) == {*nulls, RANDOM}
        assert profile.yardstick.nulls[null] == profile.overlap.value
        assert profile.skill.value is not None
        skills[null] = profile.skill.value
        assert (profile.skill.value == 0.0) == (null == profile.yardstick.best_null[0])
    assert max(skills.values()) == 0.0


def test_other_tasks_need_other_tasks(reference: Reference) -> None:
    """The null that knows the other circuits is there only with other tasks."""
    assert OTHER_TASKS not in null_attributions(reference, "emergence")


@pytest.mark.usefixtures("few_resamples")
def test_own_untrained_null_counts(reference: Reference) -> None:
    """What a method finds on an untrained model is no skill of its."""
    target = reference.promptwise.profile("emergence")
    mixed = target + 0.03
    plain = score_against(answer(target), reference).profiles["emergence"]
    own = score_against(answer(mixed), reference, own_untrained=mixed)
    profile = own.profiles["emergence"]

    assert OWN_UNTRAINED not in plain.yardstick.nulls
    assert profile.yardstick.best_null[0] == OWN_UNTRAINED
    assert profile.skill.value == 0.0


@pytest.mark.usefixtures("few_resamples")
def test_own_untrained_null_without_anything_positive(reference: Reference) -> None:
    """A method that finds nothing on an untrained model has nothing subtracted."""
    target = reference.promptwise.profile("emergence")
    with_null, without = (
        score_against(answer(target), reference, own_untrained=own).profiles
        for own in (-np.ones(S), None)
    )

    assert with_null["emergence"].yardstick.nulls[OWN_UNTRAINED] == 0.0
    assert with_null["emergence"].skill == without["emergence"].skill


@pytest.mark.usefixtures("few_resamples")
def test_stored_untrained_null_is_scored_as_writes(
    reference: Reference, make_record: MakeRecord
) -> None:
    """The null of a state method is differenced like its answer."""
    target = reference.promptwise.profile("emergence")
    states = np.cumsum(target + 0.1)
    record = make_record(np.cumsum(target), kind="state", untrained=list(states))
    found = score_record(record, find_targets(reference)).profiles["emergence"]
    expected = score_against(
        answer(target), reference, own_untrained=target + 0.1
    ).profiles["emergence"]

    assert found.yardstick.nulls[OWN_UNTRAINED] == pytest.approx(
        expected.yardstick.nulls[OWN_UNTRAINED]
    )
    assert found.skill.value == pytest.approx(expected.skill.value)


@pytest.mark.usefixtures("few_resamples")
def test_own_null_counts_without_changing_the_scale(reference: Reference) -> None:
    """A method that finds the same on an untrained model has no skill, defined."""
    target = reference.promptwise.profile("emergence")
    found = score_against(answer(target), reference, own_untrained=target)
    without = score_against(answer(target), reference).profiles["emergence"]
    profile = found.profiles["emergence"]

    assert profile.overlap.value == pytest.approx(1.0)
    assert profile.skill.value == pytest.approx(0.0)
    assert profile.yardstick.room == without.yardstick.room


@pytest.mark.usefixtures("few_resamples")
def test_too_little_room_is_left_out_of_the_mean(reference: Reference) -> None:
    """A profile with room below 0.3 is scored, not ranked, and not averaged."""
    target = answer(reference.promptwise.profile("emergence"))
    best = score_against(target, reference).profiles["emergence"].yardstick
    for room, ranked in ((0.29, False), (0.31, True)):
        tight = with_ceiling(reference, emergence=best.best_null[1] + room)
        scored = score_against(target, tight)
        emergence, composition = (scored.profiles[name] for name in PROFILES)
        assert (emergence.ranked, composition.ranked) == (ranked, True)
        assert emergence.skill.value == 1.0
        assert composition.skill.value is not None
        expected = composition.skill.value
        if ranked:
            expected = (1.0 + composition.skill.value) / 2
        assert mean_skill([scored]).score.value == pytest.approx(expected)


@pytest.mark.usefixtures("few_resamples")
@pytest.mark.parametrize("room", [-0.1, 0.0, 0.1])
def test_no_room_spoils_nobody_s_mean(reference: Reference, room: float) -> None:
    """A profile without room is left out even where it leaves no room at all."""
    target = answer(reference.promptwise.profile("composition"))
    best = score_against(target, reference).profiles["emergence"].yardstick
    tight = with_ceiling(reference, emergence=best.best_null[1] + room)
    scored = score_against(target, tight)

    assert mean_skill([scored]).score.value == 1.0
    assert mean_skill([scored], ["emergence"]).score == undefined(
        "no task leaves enough room to rank on"
    )


@pytest.mark.usefixtures("few_resamples")
def test_own_null_excuses_nobody(reference: Reference) -> None:
    """Whether a profile is ranked is the same for all, own nulls aside."""
    target = reference.promptwise.profile("emergence")
    own = target + 0.01
    scored = score_against(answer(np.roll(target, 1)), reference, own_untrained=own)
    profile = scored.profiles["emergence"]

    assert profile.yardstick.best_null[0] == "own-untrained"
    assert profile.yardstick.room > 0.3
    assert profile.ranked
    assert profile.skill.value == -1.0
    assert mean_skill([scored], ["emergence"]).score.value == -1.0


@pytest.mark.usefixtures("few_resamples")
def test_mean_is_over_tasks_and_profiles(trusted: Trusted) -> None:
    """Each task and profile counts alike."""
    scored = [
        score_against(answer(r.promptwise.profile("emergence")), r)
        for r in trusted.references.values()
    ]
    skills = [task.profiles[name].skill.value for name in PROFILES for task in scored]

    assert mean_skill(scored).score.value == pytest.approx(np.mean(np.array(skills)))
    assert mean_skill(scored, ["emergence"]).score == Score(1.0)


@pytest.mark.usefixtures("few_resamples")
def test_mean_is_undefined_as_soon_as_one_part_is(trusted: Trusted) -> None:
    """A method cannot be silent where it would be bad."""
    early, late = trusted.references[EARLY], trusted.references[LATE]
    good = score_against(answer(early.promptwise.profile("emergence")), early)
    bad = score_against(answer(-np.ones(16)), late)

    assert mean_skill([good]).score.value is not None
    for order in ([good, bad], [bad, good]):
        assert mean_skill(order).score == undefined(
            f"{LATE}, emergence: the attribution is nowhere positive"
        )
        assert mean_skill(order).interval is None


def test_mean_of_no_task_is_undefined() -> None:
    """Nothing evaluated is no skill, not zero."""
    assert mean_skill([]).score == undefined("no task leaves enough room to rank on")


@pytest.mark.usefixtures("few_resamples")
def test_states_are_differenced(reference: Reference, make_record: MakeRecord) -> None:
    """An attribution of states scores as its increments; as writes it scores worse."""
    target = reference.promptwise.profile("emergence")
    summed = np.cumsum(target)
    state, write = (
        score_record(make_record(summed, kind=kind), find_targets(reference)).profiles[
            "emergence"
        ]
        for kind in ("state", "write")
    )

    assert state.overlap.value == pytest.approx(1.0)
    assert write.overlap.value is not None
    assert write.overlap.value < 0.5


@pytest.mark.usefixtures("few_resamples")
def test_states_per_prompt_are_differenced(
    reference: Reference, make_record: MakeRecord
) -> None:
    """Resampled states say the same as resampled writes."""
    rows = np.abs(reference.promptwise.gain[:6])
    found = [
        score_record(
            make_record(each.mean(axis=0), kind=kind, per_prompt=each.tolist()),
            find_targets(reference),
        )
        .profiles["emergence"]
        .interval
        for kind, each in (("write", rows), ("state", np.cumsum(rows, axis=1)))
    ]

    assert found[0] is not None
    assert found[1] == pytest.approx(found[0])


@pytest.mark.parametrize(
    "change", [{"digest": "1" * 64}, {"version": 2}, {"id": "induction/late"}]
)
def test_other_version_of_the_task_is_refused(
    reference: Reference, make_record: MakeRecord, change: dict[str, object]
) -> None:
    """An attribution is scored against the task that it was made on or not at all."""
    task = reference.record.task
    record = make_record(np.ones(S))
    moved = record.model_copy(update={"task": task.model_copy(update=change)})

    expected = (
        rf"The attribution of 'my-method' was made on version {moved.task.version} of "
        rf"'{moved.task.id}' \(digest {moved.task.digest[:12]}\); the reference is of "
        rf"version 1 \(digest {task.digest[:12]}\)\. Evaluate the method again\."
    )
    with pytest.raises(DigestError, match=f"^{expected}$"):
        score_record(moved, find_targets(reference))


def noisy(reference: Reference) -> TaskScores:
    """Score a method of middling quality that gives its prompts."""
    rng = np.random.default_rng(1)
    target = reference.promptwise.profile("emergence")
    rows = target + 0.1 + rng.normal(0.0, 0.05, (16, S))
    return score_against(answer(rows.mean(axis=0), rows), reference)


def test_intervals_contain_the_point_estimate(reference: Reference) -> None:
    """In ordinary cases the interval lies about the skill and is no point."""
    scored = noisy(reference)

    for profile in scored.profiles.values():
        assert profile.interval is not None
        low, high = profile.interval
        assert profile.skill.value is not None
        assert low < profile.skill.value < high
        assert high - low < 0.3
    mean = mean_skill([scored])
    assert mean.prompt_interval is not None
    assert mean.score.value is not None
    assert mean.prompt_interval[0] < mean.score.value < mean.prompt_interval[1]


@pytest.mark.usefixtures("some_resamples")
def test_intervals_are_deterministic(reference: Reference) -> None:
    """Scoring twice gives the same bits, whatever was drawn in between."""
    first = noisy(reference)
    np.random.default_rng().normal(size=100)
    second = noisy(reference)

    for name in PROFILES:
        one, two = first.profiles[name].draws, second.profiles[name].draws
        assert one is not None
        assert two is not None
        np.testing.assert_array_equal(one, two)


@pytest.mark.usefixtures("some_resamples")
def test_both_sides_are_resampled(reference: Reference) -> None:
    """Prompts of the method widen the interval beyond that of the reference's."""
    per_prompt = noisy(reference).profiles["emergence"].interval
    rng = np.random.default_rng(1)
    target = reference.promptwise.profile("emergence")
    rows = target + 0.1 + rng.normal(0.0, 0.05, (16, S))
    alone = score_against(answer(rows.mean(axis=0)), reference)
    without = alone.profiles["emergence"].interval

    assert per_prompt is not None
    assert without is not None
    assert per_prompt[1] - per_prompt[0] > without[1] - without[0]


@pytest.mark.usefixtures("some_resamples")
def test_a_resample_without_a_score_counts_as_the_worst(reference: Reference) -> None:
    """Prompts on which nothing is positive do not drop out of the interval."""
    rows = np.zeros((2, S))
    rows[0, 6], rows[1, 6] = 1.0, -0.9
    found = score_against(answer(rows.mean(axis=0), rows), reference)
    profile = found.profiles["emergence"]

    assert profile.skill.value is not None
    assert profile.skill.value > 0.0
    assert profile.draws is not None
    assert 0.1 < (profile.draws == -1.0).mean() < 0.5


def test_shown_scores_are_named() -> None:
    """What is shown beside the overlap is a closed list."""
    assert list(SHOWN) == [
        "pearson",
        "spearman",
        "top_k_recall",
        "onset_error",
        "wasserstein",
    ]
