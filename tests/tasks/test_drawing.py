import re

import numpy as np
import pytest
from pydantic import ValidationError

from bench.tasks.drawing import RepeatedRandom, draw_prompts, repeated_probes
from bench.tasks.prompts import Prompt, find_problems

PERIOD = 8


def halves(ids: tuple[int, ...]) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
    """Split a prompt into its first token and two halves."""
    return ids[0], ids[1 : PERIOD + 1], ids[PERIOD + 1 :]


def test_prompts_repeat_their_half(prompts: tuple[Prompt, ...]) -> None:
    """Every prompt is BOS, a half, and the same half again."""
    for prompt in prompts:
        bos, first, second = halves(prompt.input_ids)
        assert (bos, len(first)) == (0, PERIOD)
        assert first == second


def test_controls_share_the_first_half(prompts: tuple[Prompt, ...]) -> None:
    """A control prompt has the same first half, then tokens that are all fresh."""
    for prompt in prompts:
        _, half, _ = halves(prompt.input_ids)
        bos, first, second = halves(prompt.control_ids)
        assert (bos, first) == (0, half)
        assert not set(second) & set(half)


def test_corrupt_prompts_share_the_second_half(prompts: tuple[Prompt, ...]) -> None:
    """A corrupt prompt has tokens that are all fresh, then the same second half."""
    for prompt in prompts:
        _, half, _ = halves(prompt.input_ids)
        bos, first, second = halves(prompt.corrupt_ids)
        assert (bos, second) == (0, half)
        assert not set(first) & set(half)


def test_tokens_are_distinct_and_in_range(prompts: tuple[Prompt, ...]) -> None:
    """No half repeats a token, and all tokens are ordinary ones."""
    for prompt in prompts:
        for ids in (prompt.input_ids, prompt.control_ids, prompt.corrupt_ids):
            for half in halves(ids)[1:]:
                assert len(set(half)) == PERIOD
                assert set(half) <= set(range(10, 50))


def test_both_ends_of_the_range_are_drawn(recipe: RepeatedRandom) -> None:
    """The first and the last ordinary token are inclusive, none lies outside."""
    tight = recipe.model_copy(update={"first_token": 30, "last_token": 45})
    drawn = {token for p in draw_prompts(tight) for token in p.control_ids[1:]}

    assert drawn == set(range(30, 46))


def test_tokens_are_drawn_uniformly(recipe: RepeatedRandom) -> None:
    """Every ordinary token is about as frequent as any other."""
    many = recipe.model_copy(update={"reference": 1000})
    drawn = [token for p in draw_prompts(many) for token in p.control_ids[1:]]
    counts = np.bincount(drawn, minlength=50)[10:]

    # binomial: 1002 prompts, each token with probability 16 / 40
    spread = np.sqrt(1002 * 0.4 * 0.6)
    assert np.abs(counts - 1002 * 0.4).max() < 4.5 * spread


def test_splits_have_their_sizes(prompts: tuple[Prompt, ...]) -> None:
    """Discovery prompts come first, ids are unique and count from zero."""
    ids = [prompt.id for prompt in prompts]

    assert [p.split for p in prompts] == ["discovery"] * 2 + ["reference"] * 17
    assert ids[:3] == ["discovery-000", "discovery-001", "reference-000"]
    assert len(set(ids)) == 19


def test_the_seed_decides(recipe: RepeatedRandom) -> None:
    """Equal seeds draw equal prompts, other seeds others."""
    other = recipe.model_copy(update={"seed": 4})

    assert draw_prompts(recipe) == draw_prompts(recipe)
    assert draw_prompts(recipe) != draw_prompts(other)


def test_prompts_of_a_recipe_differ(prompts: tuple[Prompt, ...]) -> None:
    """No prompt occurs twice."""
    assert len({prompt.input_ids for prompt in prompts}) == len(prompts)


def test_too_few_tokens_are_refused(recipe: RepeatedRandom) -> None:
    """Two distinct halves need twice the period; one token less is refused."""
    enough = recipe.model_copy(update={"last_token": 25})
    short = recipe.model_copy(update={"last_token": 24})

    assert len(draw_prompts(enough)) == 19
    expected = re.escape(
        "Two fresh halves of 8 distinct tokens need 16 ordinary tokens; the range "
        "holds 15. Choose a smaller period or more tokens."
    )
    with pytest.raises(ValueError, match=f"^{expected}$"):
        draw_prompts(short)


@pytest.mark.parametrize("bos", [10, 15, 25])
def test_the_first_token_is_not_drawn(recipe: RepeatedRandom, bos: int) -> None:
    """A range of ordinary tokens that holds the one to begin with is refused."""
    tokens = {"first_token": 10, "last_token": 25}
    for outside in (9, 26):
        assert draw_prompts(recipe.model_copy(update={**tokens, "bos": outside}))

    expected = (
        f"Token {bos} begins the prompts and lies among the ordinary tokens 10 to 25. "
        "Choose a range without it."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(expected)}$"):
        draw_prompts(recipe.model_copy(update={**tokens, "bos": bos}))


@pytest.mark.parametrize(
    ("field", "value"),
    [("period", 7), ("discovery", 1), ("reference", 16), ("seed", -1), ("bos", -1)],
)
def test_recipe_has_minima(recipe: RepeatedRandom, field: str, value: int) -> None:
    """Short periods, few prompts and negative numbers are refused."""
    with pytest.raises(ValidationError, match="greater than or equal to"):
        RepeatedRandom.model_validate(recipe.model_dump() | {field: value})


def test_drawn_prompts_hold_together(prompts: tuple[Prompt, ...]) -> None:
    """What is drawn passes the checks for prompts from a file."""
    assert list(find_problems(prompts)) == []


def test_copy_site_predicts_the_source(prompts: tuple[Prompt, ...]) -> None:
    """The token after the copy site is the source's, which occurred once before."""
    for prompt in prompts:
        ids = prompt.input_ids
        for probe in prompt.probes:
            token = ids[probe.source]
            assert ids[probe.site + 1 : probe.site + 2] == (token,)
            assert ids[: probe.site + 1].count(token) == 1
            # the copy site repeats what stands before the source
            assert ids[probe.site] == ids[probe.source - 1]


def test_paths_of_a_probe(prompts: tuple[Prompt, ...]) -> None:
    """The previous-token site follows the source, the match site repeats its token."""
    for prompt in prompts:
        for probe in prompt.probes:
            assert probe.previous_site == probe.source + 1
            assert prompt.input_ids[probe.match_site] == prompt.input_ids[probe.source]
            assert probe.match_site > probe.source


def test_probes_by_hand() -> None:
    """Period 4: positions 0 BOS, 1 to 4 first half, 5 to 8 second half."""
    found = [(p.source, p.site, p.controls) for p in repeated_probes(4)]

    assert found == [
        (2, 5, ((2, 8),)),
        (3, 6, ((3, 5),)),
        (4, 7, ((4, 5), (4, 6))),
    ]


@pytest.mark.parametrize("period", [8, 16, 33])
def test_controls_leave_out_the_site_and_the_two_after(period: int) -> None:
    """Controls are all other second-half sites with the probe's own source."""
    probes = repeated_probes(period)

    assert [probe.source for probe in probes] == list(range(2, period + 1))
    for probe in probes:
        left_out = {probe.site, probe.site + 1, probe.site + 2}
        second_half = set(range(period + 1, 2 * period + 1))
        assert {source for source, _ in probe.controls} == {probe.source}
        assert {site for _, site in probe.controls} == second_half - left_out
        assert len(probe.controls) == len(second_half - left_out)
