import re

import pytest

from bench.errors import UserError
from bench.tasks.drawing import repeated_probes
from bench.tasks.prompts import Prompt, find_problems
from bench.tasks.texts import FEWEST_PROBES, passage_prompts

PERIOD = 9
BOS = 99

TWICE = (1, 2, 3, 2, 4, 5, 6, 7, 8)
"""Token 2 stands at 2 and 4, so 2 to 5 are no sources: 6 to 9 are."""
SHARED = (11, 12, 13, 14, 15, 16, 17, 18, 19)
"""All distinct; the next passage has 14 too, so 4 and 5 are no sources."""
PLAIN = (21, 22, 23, 24, 25, 14, 26, 27, 28)
"""All distinct and none in the first passage, its neighbour: 2 to 9 are sources."""
PASSAGES = (TWICE, SHARED, PLAIN)


def make(
    *passages: tuple[int, ...], period: int = PERIOD, discovery: int = 1, seed: int = 0
) -> tuple[Prompt, ...]:
    """Make prompts of passages."""
    return passage_prompts(
        passages, bos=BOS, period=period, discovery=discovery, seed=seed
    )


def sources(prompt: Prompt) -> set[int]:
    """Return which sources are probed."""
    return {probe.source for probe in prompt.probes}


def refusal(*passages: tuple[int, ...]) -> list[str]:
    """Return the lines of the message that passages are refused with."""
    with pytest.raises(UserError, match=r"^The passages are not usable:\n") as caught:
        make(*passages)
    return str(caught.value).splitlines()[1:]


@pytest.fixture
def prompts() -> tuple[Prompt, ...]:
    """The prompts of the three passages."""
    return make(*PASSAGES)


def test_a_passage_is_repeated(prompts: tuple[Prompt, ...]) -> None:
    """A prompt is BOS and the passage twice."""
    assert [prompt.input_ids for prompt in prompts] == [
        (BOS, *passage, *passage) for passage in PASSAGES
    ]


def test_the_next_passage_is_fresh(prompts: tuple[Prompt, ...]) -> None:
    """Control and corrupt prompts have the next passage; the last has the first."""
    following = (SHARED, PLAIN, TWICE)
    for prompt, passage, fresh in zip(prompts, PASSAGES, following, strict=True):
        assert prompt.control_ids == (BOS, *passage, *fresh)
        assert prompt.corrupt_ids == (BOS, *fresh, *passage)


def test_tokens_that_occur_twice_are_not_probed(prompts: tuple[Prompt, ...]) -> None:
    """Neither a repeated token nor the token after it is a source."""
    assert sources(prompts[0]) == {6, 7, 8, 9}


@pytest.mark.parametrize("seed", range(20))
def test_tokens_of_the_next_passage_are_not_probed(seed: int) -> None:
    """Neither a token of the neighbour nor the token after it is a source."""
    _, shared, plain = make(*PASSAGES, seed=seed)

    assert sources(shared) <= {2, 3, 6, 7, 8, 9}
    # its 14 is only in the passage before, which is not its neighbour
    assert sources(plain) <= set(range(2, 10))


def test_every_usable_source_is_probed_sometimes() -> None:
    """Over many seeds each source that can be probed is."""
    drawn = [make(*PASSAGES, seed=seed) for seed in range(40)]

    assert set().union(*(sources(p[1]) for p in drawn)) == {2, 3, 6, 7, 8, 9}
    assert set().union(*(sources(p[2]) for p in drawn)) == set(range(2, 10))


def test_every_prompt_has_as_many_probes(prompts: tuple[Prompt, ...]) -> None:
    """The passage with the fewest usable sources decides for all."""
    assert [len(prompt.probes) for prompt in prompts] == [4, 4, 4]

    more = make(SHARED, tuple(token + 100 for token in SHARED), discovery=1)
    assert [len(prompt.probes) for prompt in more] == [8, 8]


def test_probes_are_those_of_a_repeat(prompts: tuple[Prompt, ...]) -> None:
    """Sites and controls are those of random tokens, in order of their sources."""
    for prompt in prompts:
        expected = [p for p in repeated_probes(PERIOD) if p.source in sources(prompt)]
        assert list(prompt.probes) == expected


@pytest.mark.parametrize("seed", range(5))
def test_one_earlier_place_tells_the_answer(seed: int) -> None:
    """The token that the copy site repeats, and its answer, occur once before it."""
    for prompt in make(*PASSAGES, seed=seed):
        ids, half = prompt.input_ids, prompt.input_ids[1 : PERIOD + 1]
        fresh = prompt.control_ids[PERIOD + 1 :]
        for probe in prompt.probes:
            assert ids[probe.site + 1 : probe.site + 2] == (ids[probe.source],)
            for token in (ids[probe.source], ids[probe.site]):
                assert half.count(token) == 1
                assert token not in fresh


def test_prompts_hold_together(prompts: tuple[Prompt, ...]) -> None:
    """What is made passes the checks for prompts from a file."""
    assert list(find_problems(prompts)) == []


def test_the_first_prompts_are_for_discovery() -> None:
    """Splits follow the order of the passages, and each counts from zero."""
    made = make(*PASSAGES, discovery=2)

    assert [(prompt.id, prompt.split) for prompt in made] == [
        ("discovery-000", "discovery"),
        ("discovery-001", "discovery"),
        ("reference-000", "reference"),
    ]


def test_the_seed_decides() -> None:
    """Equal seeds probe equal sources; another one may choose others, nothing else."""
    one, again, other = (make(*PASSAGES, seed=seed) for seed in (1, 1, 2))

    assert one == again
    assert [p.input_ids for p in one] == [p.input_ids for p in other]
    assert [sources(p) for p in one] != [sources(p) for p in other]


def test_passages_are_cut() -> None:
    """Tokens after the period are left out, and repeats among them do no harm."""
    longer = [(*passage, *passage) for passage in PASSAGES]

    assert make(*longer) == make(*PASSAGES)


def test_short_passages_are_refused() -> None:
    """Every passage that is too short is named with its length."""
    assert refusal(TWICE[:8], SHARED, PLAIN[:2]) == [
        "  passage 1: 8 tokens, 9 are needed.",
        "  passage 3: 2 tokens, 9 are needed.",
    ]


def test_repetitive_passages_are_refused() -> None:
    """Every passage with too few sources is named with how many it has."""
    often = (1, 1, 2, 2, 3, 4, 5, 6, 6)  # 6, 7: (3, 4), (4, 5)
    never = (30,) * 9
    needs = "sources can be probed, 4 are needed; its tokens repeat themselves or the"
    assert refusal(often, SHARED, never) == [
        f"  passage 1: 2 {needs} next passage's.",
        f"  passage 3: 0 {needs} next passage's.",
    ]


def test_all_problems_are_reported_at_once() -> None:
    """A passage that is too short does not hide one that repeats itself."""
    short, repetitive = refusal(TWICE[:8], SHARED, (30,) * 9)

    assert short.startswith("  passage 1: 8 tokens, ")
    assert repetitive.startswith("  passage 3: 0 sources can be probed, ")


def test_the_token_that_begins_prompts_is_not_probed() -> None:
    """Where a passage holds it, its first place is the prompt's beginning."""
    within = (*PLAIN[:3], BOS, *PLAIN[4:])
    (first, *_) = make(within, (31, 32, 33, 34, 35, 36, 37, 38, 39), SHARED)

    assert sources(first) <= {2, 3, 6, 7, 8, 9}


def test_a_passage_like_its_neighbour_is_refused() -> None:
    """A passage that follows itself has nothing fresh to be compared with."""
    (line,) = refusal(SHARED, SHARED, PLAIN)[:1]

    assert line.startswith("  passage 1: 0 sources can be probed, ")


def test_fewest_sources_are_enough() -> None:
    """As many sources as are needed pass, one less is refused."""
    assert len(make(TWICE, SHARED)[0].probes) == FEWEST_PROBES
    short = (1, 2, 3, 2, 4, 5, 6, 7, 1)  # 6, 7, 8
    expected = re.escape("passage 1: 3 sources can be probed, 4 are needed")
    with pytest.raises(UserError, match=expected):
        make(short, SHARED)
