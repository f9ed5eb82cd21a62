"""Methods of known quality on simulated tasks, from their scores to their ranks."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.leaderboard.document import Board
from bench.leaderboard.ranking import rank_rows
from bench.leaderboard.rows import Row
from bench.profiles.promptwise import PROFILES, ProfileName, PromptwiseReference
from bench.results.reference_record import Reference
from bench.results.scoring import TaskScores
from bench.scores import bootstrap
from bench.scores.halves import Rows, split_halves
from bench.scores.overlap import overlap
from bench.scores.shares import NOT_FINITE, NOTHING_POSITIVE
from bench.tasks.strict_json import read_strict_json
from tests.leaderboard.simulated import Profile, copied, row, scored, simulated_suite

References = Mapping[str, Reference]
BOARD = Path(__file__).resolve().parents[2] / "leaderboard.json"


@pytest.fixture(scope="module", autouse=True)
def few_draws() -> Iterator[None]:
    """Draw few bootstrap samples: other prompts are not looked at here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bootstrap, "N_RESAMPLES", 2)
        yield


@pytest.fixture(scope="module")
def references(tmp_path_factory: pytest.TempPathFactory) -> References:
    """Ten tasks, each with a circuit that is the answer to both profiles."""
    root = tmp_path_factory.mktemp("simulated")
    return simulated_suite(root, [(0.0, 0.0)] * 10).references


def part(whole: PromptwiseReference, prompts: Rows) -> PromptwiseReference:
    """Take some of the prompts."""
    return PromptwiseReference(
        gain=whole.gain[prompts],
        signature=whole.signature[prompts],
        ablated=whole.ablated[prompts],
    )


def spread_over_splits(whole: PromptwiseReference, name: ProfileName) -> float:
    """Return how far the overlap of two halves varies with the split."""
    pairs = list(split_halves(whole.n_prompts))[:30]
    found = [overlap(*(whole.profile(name, half) for half in pair)) for pair in pairs]
    return float(np.std([score.value for score in found if score.value is not None]))


@pytest.mark.parametrize("name", PROFILES)
def test_the_other_half_of_the_prompts_reaches_one(
    references: References, name: ProfileName
) -> None:
    """Measured on one half of the prompts, answered with the other: a skill near 1.

    The ceiling is the mean overlap of two halves, and this is the overlap of two: the
    skill is 1 in expectation, until clipping takes what lies above. That is half of the
    mean deviation, hence at most half of the standard deviation.
    """
    halves, answers, spreads = {}, {}, []
    for task, reference in references.items():
        whole = reference.promptwise
        one, other = next(split_halves(whole.n_prompts))
        halves[task] = replace(reference, promptwise=part(whole, one))
        answers[task] = whole.profile(name, other)
        spreads.append(spread_over_splits(whole, name))
    scores = scored(halves, answers)
    found = [task.profiles[name] for task in scores]
    room = np.array([profile.yardstick.room for profile in found])
    gaps = [(p.overlap.value or 0.0) - p.yardstick.ceiling for p in found]
    spread = np.array(spreads) / room
    error = 3 * float(np.sqrt((spread**2).sum())) / len(spread)

    assert np.mean(gaps / room) == pytest.approx(0.0, abs=error)
    skill = row("half", scores, tuple(references)).profile_mean(name).score.value
    assert skill is not None
    assert 1.0 - spread.mean() / 2 - error <= skill <= 1.0
    assert spread.mean() < 0.05


NOISE = (0.05, 0.1, 0.2, 0.4, 0.8)
"""From what halves of the prompts differ by; below, copies lie at the ceiling."""


@pytest.fixture(scope="module")
def copies(references: References) -> list[Row]:
    """The reference as a method, with more and more noise."""
    rng = np.random.default_rng(11)
    return [
        row(
            f"noise-{noise}",
            scored(references, copied(references, rng, noise=noise)),
            tuple(references),
        )
        for noise in NOISE
    ]


def test_noise_costs_skill(copies: list[Row]) -> None:
    """Each further step of noise lowers the mean skill, from nearly 1 to nearly 0."""
    skills = np.array([copy.mean.score.value for copy in copies], dtype=float)

    assert (np.diff(skills) < 0.0).all()
    assert skills[0] > 0.9
    assert skills[-1] < 0.2
    # a method that is worth something is seen to be, which the random ones are not
    assert copies[0].mean.interval is not None
    assert copies[0].mean.interval[0] > 0.0


def test_noise_costs_places(copies: list[Row]) -> None:
    """Rows come in the order of noise, and so do the best places they may have."""
    found = rank_rows([copies[number] for number in (3, 0, 4, 2, 1)])
    places = [r.rank_interval for r in found if r.rank_interval is not None]

    assert [r.row.method for r in found] == [copy.method for copy in copies]
    best = [first for first, _ in places]
    assert best == sorted(best)
    assert best[0] == 1 < best[-1]
    for position, (first, last) in enumerate(places, start=1):
        assert first <= position <= last


def exponential(rng: np.random.Generator, size: int) -> Profile:
    """Shares uniform on the simplex, as those of the null."""
    return rng.exponential(size=size)


def signed(rng: np.random.Generator, size: int) -> Profile:
    """As much below zero as above."""
    return rng.normal(size=size)


def single(rng: np.random.Generator, size: int) -> Profile:
    """One section and nothing else."""
    return np.eye(size)[rng.integers(size)]


RANDOM = (exponential, signed, single)
N_ANSWERS, N_METHODS = 4, 200
Pool = dict[str, list[tuple[TaskScores, ...]]]


@pytest.fixture(scope="module")
def answers_at_random(references: References) -> Pool:
    """Several answers to every task, of every kind."""
    rng = np.random.default_rng(12)
    sizes = {task: found.promptwise.n_sections for task, found in references.items()}
    return {
        kind.__name__: [
            scored(references, {task: kind(rng, size) for task, size in sizes.items()})
            for _ in range(N_ANSWERS)
        ]
        for kind in RANDOM
    }


def test_random_methods_are_not_above_zero(answers_at_random: Pool) -> None:
    """Of 200 methods none has an interval over tasks that lies above 0.

    A random answer's expectation is one of the nulls, so the expected skill is below 0.
    If it were 0, 2.5 % of the intervals would be allowed to.
    """
    rng = np.random.default_rng(13)
    lowest: list[float] = []
    for number in range(N_METHODS):
        pool = list(answers_at_random.values())[number % len(RANDOM)]
        # every task is answered anew, by one of the answers of this kind
        scores = tuple(of[rng.integers(N_ANSWERS)] for of in zip(*pool, strict=True))
        method = row("random", scores, tuple(score.task for score in scores))
        assert method.mean.interval is not None
        lowest.append(method.mean.interval[0])

    assert sum(low > 0.0 for low in lowest) == 0
    assert len(set(lowest)) > 0.9 * N_METHODS


def test_equal_methods_are_not_told_apart(answers_at_random: Pool) -> None:
    """Random methods of one kind are equally good, and share all places of a board.

    Each may lose or win a place with a chance of 5 %: of 12 about one, rarely three.
    """
    told: list[bool] = []
    for pool in answers_at_random.values():
        tasks = tuple(score.task for score in pool[0])
        rows = [row(f"{n}", scores, tasks) for n, scores in enumerate(pool)]
        told += [found.rank_interval != (1, N_ANSWERS) for found in rank_rows(rows)]

    assert len(told) == 12
    assert sum(told) <= 3


def test_random_answers_get_what_the_null_expects(
    references: References, answers_at_random: Pool
) -> None:
    """On every reference overlaps of random answers vary around the null ``random``."""
    rng = np.random.default_rng(14)
    gaps: list[float] = []
    for task in answers_at_random["exponential"][0]:
        for name, found in task.profiles.items():
            target = references[task.task].promptwise.profile(name)
            for _ in range(40):
                value = overlap(exponential(rng, len(target)), target).value or 0.0
                gaps.append(value - found.yardstick.nulls["random"])

    error = float(np.std(gaps) / np.sqrt(len(gaps)))
    assert np.mean(gaps) == pytest.approx(0.0, abs=4 * error)


def test_no_null_of_the_board_is_above_zero() -> None:
    """On the board as it is published no null's interval lies above 0."""
    board = Board.parse(read_strict_json(BOARD), file=BOARD)
    nulls = [found for found in board.rows if found.kind == "null"]

    assert len(nulls) >= 10
    for null in nulls:
        for mean in (null, *null.profiles.values()):
            assert mean.interval is not None
            assert mean.interval[0] <= 0.0


@pytest.fixture(scope="module")
def right(references: References) -> tuple[TaskScores, ...]:
    """The reference as a method."""
    return scored(references, copied(references, np.random.default_rng(0), noise=0.0))


def with_value(bad: float) -> Callable[[Profile], Profile]:
    """Replace one section's value."""
    return lambda values: np.append(values[:-1], bad)


SPOILT: dict[str, tuple[Callable[[Profile], Profile], str]] = {
    "nan": (with_value(np.nan), NOT_FINITE),
    "infinite": (with_value(np.inf), NOT_FINITE),
    "minus infinite": (with_value(-np.inf), NOT_FINITE),
    "negative": (lambda values: -np.abs(values), NOTHING_POSITIVE),
    "zero": (lambda values: 0.0 * values, NOTHING_POSITIVE),
}


def assert_never_ranks(spoilt: Row, copies: list[Row], *, why: str) -> None:
    """Check that a row is shown last, without mean or place, and moves nobody."""
    found = rank_rows([spoilt, *copies])

    assert spoilt.mean.score.value is None
    assert spoilt.mean.score.undefined == why
    assert found[-1].row is spoilt
    assert (found[-1].rank_interval, found[-1].in_top_group) == (None, False)
    assert found[:-1] == rank_rows(copies)


@pytest.mark.parametrize("tasks", [slice(0, 1), slice(-1, None), slice(None)])
@pytest.mark.parametrize("way", SPOILT)
def test_what_is_undefined_never_ranks(
    way: str,
    tasks: slice,
    references: References,
    right: tuple[TaskScores, ...],
    copies: list[Row],
) -> None:
    """Perfect elsewhere, undefined on the first task, on the last or on all."""
    change, reason = SPOILT[way]
    chosen = list(references)[tasks]
    answers = {t: change(references[t].promptwise.profile("emergence")) for t in chosen}
    spoilt = {found.task: found for found in scored(references, answers)}
    scores = tuple(spoilt.get(found.task, found) for found in right)

    method = row("perfect-elsewhere", scores, tuple(references))
    assert_never_ranks(method, copies, why=f"{chosen[0]}, emergence: {reason}")


def test_what_was_not_run_never_ranks(
    references: References, right: tuple[TaskScores, ...], copies: list[Row]
) -> None:
    """Perfect on all tasks but one that is left out; with it, nobody is better."""
    tasks = tuple(references)
    method = row("perfect-elsewhere", right[:-1], tasks)

    assert_never_ranks(method, copies, why=f"not run on {tasks[-1]}")
    assert rank_rows([row("perfect", right, tasks), *copies])[0].in_top_group
