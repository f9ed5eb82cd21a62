from collections.abc import Sequence

import pytest
from pydantic import ValidationError

from bench.errors import UserError
from bench.tasks.prompts import Probe, Prompt, check_readable, find_problems

LENGTH = 17


def make_probe(
    source: int, site: int, *controls: tuple[int, int], match_site: int = 12
) -> Probe:
    """Make a probe with the given correlation and controls."""
    return Probe(
        source=source,
        site=site,
        controls=controls,
        previous_site=source + 1,
        match_site=match_site,
    )


def make_prompt(*probes: Probe, name: str = "a", **lengths: int) -> Prompt:
    """Make a prompt whose parts have 17 tokens unless told otherwise."""
    fields = ("input_ids", "control_ids", "corrupt_ids")
    ids = {field: tuple(range(lengths.get(field, LENGTH))) for field in fields}
    chosen = probes or (make_probe(2, 9, (2, 12)),)
    return Prompt(id=name, split="discovery", probes=chosen, **ids)


def problems(*prompts: Prompt) -> Sequence[str]:
    """List the problems of some prompts."""
    return list(find_problems(prompts))


def test_positions_go_through_all_fields() -> None:
    """Every position that a probe names is looked at."""
    probe = make_probe(2, 9, (3, 11), (4, 14))

    assert sorted(probe.positions()) == [2, 3, 3, 4, 9, 11, 12, 14]


def test_no_prompts_have_no_problems() -> None:
    """Nothing is wrong with nothing."""
    assert problems() == []


def test_good_prompts_have_no_problems() -> None:
    """Prompts of one shape with their own ids hold together."""
    assert problems(make_prompt(), make_prompt(name="b")) == []


def test_duplicated_ids_are_counted() -> None:
    """An id that occurs more than once is reported once, with its count."""
    found = problems(make_prompt(), make_prompt(name="b"), make_prompt(), make_prompt())

    assert found == ["  prompt 'a': the id occurs 3 times."]


@pytest.mark.parametrize("field", ["input_ids", "control_ids", "corrupt_ids"])
@pytest.mark.parametrize("length", [16, 18])
def test_lengths_are_equal(field: str, length: int) -> None:
    """Each part of each prompt is as long as the first prompt."""
    found = problems(make_prompt(), make_prompt(name="b", **{field: length}))

    assert (
        f"  prompt 'b': {field} has {length} tokens; every prompt of a task has the "
        "same number, here 17."
    ) in found


def test_probe_numbers_are_equal() -> None:
    """Each prompt has as many probes as the first."""
    one, two = make_probe(2, 9, (2, 12)), make_probe(3, 10, (3, 13))
    found = problems(make_prompt(one, two), make_prompt(one, name="b"))

    assert found == [
        "  prompt 'b': 1 probes; every prompt of a task has the same number, here 2.",
        "  prompt 'b': 1 different sources; every prompt of a task has the same "
        "number, here 2.",
    ]


@pytest.mark.parametrize(
    "probe",
    [
        make_probe(2, LENGTH, (2, 12)),
        make_probe(2, 9, (2, LENGTH)),
        make_probe(2, 9, (LENGTH - 1, LENGTH), (2, 12)),
        make_probe(2, 9, (2, 12), match_site=LENGTH),
        make_probe(LENGTH - 1, LENGTH, (2, 12)),
    ],
    ids=["site", "control-site", "control-source", "match", "previous"],
)
def test_positions_lie_within_the_prompt(probe: Probe) -> None:
    """The first position behind the end is outside, whichever field names it."""
    expected = "  prompt 'a', probe 0: a position lies outside the prompt of 17 tokens."

    assert problems(make_prompt(probe)) == [expected]


def test_last_position_is_inside() -> None:
    """The last token may be named."""
    assert problems(make_prompt(make_probe(2, 16, (2, 12), match_site=16))) == []


@pytest.mark.parametrize("site", [4, 5])
def test_site_comes_after_its_source(site: int) -> None:
    """A site at or before its source is refused."""
    found = problems(make_prompt(make_probe(5, site, (2, 12))))

    assert found == [f"  prompt 'a', probe 0: its site {site} is not after its source."]


def test_own_site_is_no_control() -> None:
    """The probe's own pair among its controls is refused."""
    found = problems(make_prompt(make_probe(2, 9, (2, 12), (2, 9))))

    assert found == ["  prompt 'a', probe 0: its own copy site is among its controls."]


@pytest.mark.parametrize("far", [0, 1])
def test_a_control_is_half_as_far_as_the_site(far: int) -> None:
    """Of controls within reach of short-range mixing alone a prompt is refused."""
    found = problems(make_prompt(make_probe(2, 10, (4, 7 + far), (9, 11))))

    message = (
        "  prompt 'a', probe 0: none of its controls is at least half as far from its "
        "source as its own site is (here 8); nearer ones answer to whatever mixes "
        "neighbouring positions."
    )
    assert found == ([] if far else [message])


def test_far_controls_hand_worked() -> None:
    """Half the distance itself still counts as far."""
    probe = make_probe(2, 10, (4, 7), (4, 8), (2, 12))

    assert probe.far_controls == ((4, 8), (2, 12))


@pytest.mark.parametrize(
    ("control", "problem"),
    [
        ((0, 12), "has the first token as source."),
        ((5, 5), "never responds: its site is not after its source."),
        ((12, 3), "never responds: its site is not after its source."),
        ((3, 10), "is a probe of this prompt."),
    ],
)
def test_controls_can_respond_and_hold_no_correlation(
    control: tuple[int, int], problem: str
) -> None:
    """A control that must be zero, or is a probe, would move the signature."""
    probes = make_probe(2, 9, (2, 12), control), make_probe(3, 10, (3, 13))
    found = problems(make_prompt(*probes))

    assert f"  prompt 'a', probe 0: its control {control} {problem}" in found


def test_equal_distances_need_no_matched_controls() -> None:
    """Where every probe has one distance, controls may have any."""
    found = problems(
        make_prompt(make_probe(2, 9, (2, 12)), make_probe(3, 10, (3, 15), (3, 9)))
    )

    assert found == []


def test_varying_distances_need_matched_controls() -> None:
    """As soon as distances vary, each unmatched control is reported."""
    matched = make_probe(2, 9, (3, 10), (4, 11))
    unmatched = make_probe(2, 10, (3, 11), (3, 12))
    found = problems(make_prompt(matched, unmatched))

    assert found == [
        "  prompt 'a', probe 1: the distance from source to site varies over this "
        "task, so every control must have the probe's own distance 8."
    ]


def test_distances_that_vary_between_prompts_count() -> None:
    """Distances are compared over the whole task, not within one prompt."""
    one = make_prompt(make_probe(2, 9, (2, 12), (3, 12)))
    other = make_prompt(make_probe(2, 10, (3, 11)), name="b")

    (found,) = problems(one, other)
    assert found.startswith("  prompt 'a', probe 0: the distance from source to site")


def test_varying_distances_with_matched_controls_are_fine() -> None:
    """Controls at the probe's own distance satisfy a task of varying distances."""
    found = problems(
        make_prompt(make_probe(2, 9, (3, 10)), make_probe(2, 10, (3, 11), (4, 12)))
    )

    assert found == []


def test_the_first_token_is_no_source() -> None:
    """Nothing comes before the first token, so nothing predicts it."""
    (found,) = problems(make_prompt(make_probe(0, 9, (2, 12))))

    assert found == (
        "  prompt 'a', probe 0: its source is the first token, which nothing predicts."
    )


def test_problems_are_reported_together() -> None:
    """One pass finds everything that is wrong."""
    found = problems(
        make_prompt(make_probe(5, 5, (5, 5)), input_ids=16, control_ids=18),
        make_prompt(make_probe(5, 5, (5, 20)), input_ids=16, corrupt_ids=12),
    )

    # the id, three lengths that differ from 16, two sites, one control, one position
    assert len(found) == 1 + 4 + 2 + 1 + 1


@pytest.mark.parametrize("missing", ["controls", "probes"])
def test_controls_and_probes_are_never_empty(missing: str) -> None:
    """A probe needs a control to subtract, a prompt needs a probe."""
    with pytest.raises(ValidationError, match="at least 1 item"):
        if missing == "controls":
            make_probe(2, 9)
        else:
            Prompt.model_validate(make_prompt().model_dump() | {"probes": ()})


def test_prompts_that_the_model_cannot_read_are_refused(
    prompts: tuple[Prompt, ...],
) -> None:
    """The vocabulary and the context must hold the prompts; both are said at once."""
    check_readable(prompts, vocabulary=50, context=17)

    with pytest.raises(
        UserError,
        match=r"The prompts hold token 49; the model's vocabulary ends at 48\. The "
        r"prompts have 17 tokens; the model's context holds 16\. Draw prompts",
    ):
        check_readable(prompts, vocabulary=49, context=16)
