from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bench.errors import RunFailedError, UserError
from bench.profiles.promptwise import PROFILES, ProfileName
from bench.reproduction.cage import Cage
from bench.reproduction.circuits import Circuit, Shape, analytic_nulls
from bench.reproduction.grading import Grade, grade
from bench.reproduction.questions import Asked, Question, open_question
from bench.reproduction.replies import Expected
from bench.reproduction.request import ANSWERS, Limits
from bench.reproduction.run import Settings, reproduce, run_child
from bench.reproduction.supervise import Ended
from bench.reproduction.verdict import Reply, judge_replies
from bench.results.attribution_record import AttributionRecord
from bench.results.trusted import Trusted
from bench.scores.score import Score, undefined
from bench.submissions.validation import Checked

CIRCUIT = Circuit(Shape("llama", 8, redundant=False), 0)
FINE = Ended(code=0, stopped=None, output="", wall_s=1.0)
UNUSABLE = Question(None, CIRCUIT, 0)


def reply(question: Question) -> Reply:
    """A question that was not answered."""
    asked = Asked(question, Expected(16, 32), analytic_nulls(16))
    return Reply(asked, None, "there is no answer")


def test_the_truth_gets_a_skill_of_one() -> None:
    """The ceiling is one, and a constant is worth no more than the best null."""
    nulls = analytic_nulls(16)
    for name, profile in CIRCUIT.truth.items():
        best = grade(profile, kind="write", truth=CIRCUIT.truth, nulls=nulls)
        assert best.skill[name].value == pytest.approx(1.0)
    flat = grade(np.ones(16), kind="write", truth=CIRCUIT.truth, nulls=nulls)
    assert all((score.value or 0.0) <= 0.0 for score in flat.skill.values())


def test_states_are_differenced_before_they_are_graded() -> None:
    """The cumulative sum of the truth, as states, is the truth."""
    truth = CIRCUIT.truth
    states = np.cumsum(truth["emergence"])

    found = grade(states, kind="state", truth=truth, nulls=analytic_nulls(16))

    assert found.overlap["emergence"].value == pytest.approx(1.0)


def test_a_mean_of_what_is_undefined_is_undefined() -> None:
    """With the reason, never a number."""
    both: dict[ProfileName, Score] = {
        "emergence": Score(1.0),
        "composition": undefined("nothing positive"),
    }
    half: dict[ProfileName, Score] = dict.fromkeys(PROFILES, Score(0.5))

    assert Grade(both, both).mean_skill == undefined("nothing positive")
    assert Grade(both, half).mean_skill == Score(0.5)


@pytest.mark.parametrize(
    ("ended", "reason"),
    [
        (Ended(-9, "it was not done after 1 s", "", 1.0), "stopped: it was not done"),
        (Ended(-11, None, "", 1.0), "ended with code -11"),
    ],
)
def test_how_a_process_ended_is_a_reason(
    trusted: Trusted, ended: Ended, reason: str
) -> None:
    """Even if all answers were there."""
    found = judge_replies({}, trusted, [], ended, kind="write")

    assert reason in found.reasons[0]


def test_unanswered_questions_are_named_and_counted(trusted: Trusted) -> None:
    """Five by name, the rest by number; without them nothing can be compared."""
    found = judge_replies({}, trusted, [reply(UNUSABLE)] * 8, FINE, kind="write")

    assert len(found.reasons) == 7
    assert found.reasons[0] == (
        "No usable answer on a fresh circuit (llama): there is no answer."
    )
    assert found.reasons[5] == "Nor on 3 more of 8 circuits."
    assert found.reasons[6].startswith("Fresh circuits could not be compared")
    assert found.gate is None
    assert all(circuit.mean_skill is None for circuit in found.fresh)


def test_questions_say_what_they_are_about(trusted: Trusted) -> None:
    """Names for messages; the child sees none of them."""
    task = next(iter(trusted.tasks.values()))

    assert Question(task, None, 0).label == f"'{task.id}'"
    untrained = Question(task, None, 0, untrained=True)
    assert untrained.label == f"the untrained model of '{task.id}'"
    disguised = Question(task, None, 0, disguise=1)
    assert disguised.label == f"the disguised model of '{task.id}'"


def test_a_question_is_about_something() -> None:
    """Neither task nor circuit is a mistake of ours."""
    with pytest.raises(ValueError, match="has a task or a circuit"):
        open_question(Question(None, None, 0))


def test_only_a_valid_submission_is_run(trusted: Trusted, tmp_path: Path) -> None:
    """Nothing of one with problems is copied anywhere."""
    with pytest.raises(UserError, match="is not valid: run bench validate first"):
        reproduce(
            Checked(tmp_path, None),
            trusted,
            Settings(commit="1" * 40),
            stage=lambda _name: lambda _done, _total: None,
        )


def test_a_runner_that_fails_is_not_the_methods_fault(tmp_path: Path) -> None:
    """Before the method was loaded nothing can be held against it."""
    runner = tmp_path / "run.sh"
    runner.write_text("#!/bin/sh\necho no image\nexit 125\n")
    runner.chmod(0o755)
    (tmp_path / "workspace" / ANSWERS).mkdir(parents=True)

    with pytest.raises(RunFailedError, match=r"code 125. It printed: no image"):
        run_child(
            Cage("runner", runner), tmp_path, [], Limits(), lambda _done, _total: None
        )


def test_tasks_with_records_are_compared(
    trusted: Trusted, make_record: Callable[..., AttributionRecord]
) -> None:
    """A claim without an answer does not agree."""
    record = make_record([1.0] * 12)

    found = judge_replies({record.task.id: record}, trusted, [], FINE, kind="write")

    assert not found.agreement[record.task.id].holds
