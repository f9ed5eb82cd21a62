from collections.abc import Callable, Sequence

import numpy as np
import pytest

from bench.leaderboard.flags import Flag, find_flags, is_too_close
from bench.leaderboard.rows import Entry
from bench.profiles.promptwise import PROFILES
from bench.results.attribution_record import AttributionRecord
from bench.results.targets import Targets
from bench.results.trusted import Trusted
from bench.scores.shares import shares
from tests.conftest import EARLY, LATE

TASKS = (EARLY, LATE)

Make = Callable[..., AttributionRecord]


@pytest.fixture
def enter(make_record: Make) -> Callable[..., Entry]:
    """Make an entry of answers to both tasks."""

    def make(name: str, answers: Sequence[np.ndarray], **changes: str) -> Entry:
        records = tuple(
            make_record(values, task=task, name=name, **changes)
            for task, values in zip(TASKS, answers, strict=True)
        )
        return Entry(records[0].method, records, ())

    return make


@pytest.fixture
def targets(trusted: Trusted) -> Targets:
    """What attributions on the first task are scored against."""
    return trusted.targets(EARLY, "core")


def profile(targets: Targets, name: str) -> np.ndarray:
    """Return a stored profile."""
    return {key: target.values for key, target in targets.items()}[name]


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("scale", [1.0, 1e-6, 250.0])
def test_the_reference_itself_is_too_close(
    share: float, scale: float, targets: Targets
) -> None:
    """So is every mixture of both profiles, at every scale."""
    emergence, composition = (shares(profile(targets, name)) for name in PROFILES)
    mixture = share * emergence + (1 - share) * composition

    assert is_too_close(scale * mixture, targets)
    assert is_too_close(scale * mixture - 1e-12, targets)


def test_rounding_hides_nothing(targets: Targets) -> None:
    """Digits cut off lie far below the noise."""
    assert is_too_close(np.round(profile(targets, "emergence"), 4), targets)


def test_another_measurement_is_not_too_close(targets: Targets) -> None:
    """The same quantity on other prompts, without any error, is rarely flagged.

    Resampled profiles play the reference, the stored one the truth: as far as these lie
    from each other, so far would a perfect method lie from the stored one.
    """
    target = targets["emergence"]
    flagged = [is_too_close(row, targets) for row in target.resampled]

    assert len(flagged) >= 100
    assert np.mean(flagged) <= 0.01


def test_what_finds_nothing_is_not_too_close(targets: Targets) -> None:
    """An answer that is nowhere positive, or nowhere on the circuit, is no copy."""
    reference = profile(targets, "emergence")
    elsewhere = np.where(reference > 0, 0.0, 1.0)

    assert not is_too_close(-np.abs(reference), targets)
    assert not is_too_close(elsewhere, targets)
    assert not is_too_close(np.ones(len(reference)), targets)


def test_a_copy_is_flagged_with_its_tasks(
    enter: Callable[..., Entry], trusted: Trusted
) -> None:
    """The flag names the tasks, and other entries have none."""
    copied = profile(trusted.targets(EARLY, "core"), "emergence")
    n_late = trusted.tasks[LATE].n_sections
    copy = enter("copy", (copied, np.ones(n_late)))
    honest = enter("honest", (np.ones(len(copied)), np.arange(n_late)))

    assert find_flags((copy, honest), trusted, suite="core") == {
        "copy": (
            Flag(
                "closeness",
                f"closer to the stored profiles of {EARLY} than another measurement of "
                "the same quantity would be",
            ),
        )
    }


@pytest.fixture
def answers(trusted: Trusted) -> list[np.ndarray]:
    """Answers that are like nothing else."""
    rng = np.random.default_rng(0)
    return [rng.normal(size=trusted.tasks[task].n_sections) for task in TASKS]


@pytest.mark.parametrize(
    ("order", "flagged", "original"),
    [((), "second", "first"), (("second", "first"), "first", "second")],
    ids=["by name", "by date"],
)
def test_the_later_of_two_clones_is_flagged(
    order: Sequence[str],
    flagged: str,
    original: str,
    enter: Callable[..., Entry],
    trusted: Trusted,
    answers: list[np.ndarray],
) -> None:
    """Nobody is flagged because somebody copied them; scale hides nothing."""
    one = enter("first", answers)
    two = enter("second", [3.0 * values + 1e-4 for values in answers])
    flags = find_flags((two, one), trusted, suite="core", order=order)

    assert flags == {flagged: (Flag("clone", f"the same answers as {original}"),)}


def test_a_clone_of_a_built_in_method(
    enter: Callable[..., Entry], trusted: Trusted, answers: list[np.ndarray]
) -> None:
    """Built-in methods come first, whatever they are called, and are never flagged."""
    built_in = enter("zero", answers, origin="built-in")
    flags = find_flags((enter("a", answers), built_in), trusted, suite="core")

    assert flags == {"a": (Flag("clone", "the same answers as zero"),)}


@pytest.mark.parametrize("task", [0, 1])
def test_one_different_answer_makes_no_clone(
    task: int,
    enter: Callable[..., Entry],
    trusted: Trusted,
    answers: list[np.ndarray],
) -> None:
    """A clone says the same on every task; a difference of one section in 20 counts."""
    other = [values.copy() for values in answers]
    other[task][3] += 0.05 * np.abs(other[task]).max()

    assert not find_flags(
        (enter("one", answers), enter("two", other)), trusted, suite="core"
    )
