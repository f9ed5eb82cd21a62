import json
from collections.abc import Callable

import numpy as np
import pytest

from bench.profiles.attribution import LayerAttribution
from bench.results.aggregate import MeanSkill
from bench.results.attribution_record import AttributionRecord
from bench.results.report import (
    plain_evaluation,
    plain_interval,
    plain_mean,
    plain_profile,
    plain_score,
    plain_task,
)
from bench.results.scoring import TaskScores
from bench.results.trusted import Trusted
from bench.scores.score import Score, undefined
from tests.conftest import score_against

EARLY, LATE = "induction/early", "induction/late"

pytestmark = pytest.mark.usefixtures("few_resamples")


@pytest.fixture
def scores(trusted: Trusted) -> TaskScores:
    """Scores of an answer to emergence."""
    reference = trusted.references[EARLY]
    values = reference.promptwise.profile("emergence") + 0.01
    return score_against(LayerAttribution(values=values), reference)


def test_numbers_are_rounded() -> None:
    """Six decimals, and undefined is null, not a number."""
    assert plain_score(Score(1 / 3)) == 0.333333
    assert plain_score(undefined("why")) is None
    assert plain_interval((1 / 3, 2 / 3)) == [0.333333, 0.666667]
    assert plain_interval(None) is None


def test_profile(scores: TaskScores) -> None:
    """A profile is told with what it is measured against."""
    profile = scores.profiles["emergence"]
    found = plain_profile(profile)
    name, best = profile.yardstick.best_null

    assert list(found) == [
        "overlap",
        "skill",
        "interval",
        "undefined",
        "ranked",
        "ceiling",
        "best_null",
        "own_null",
        "nulls",
        "pearson",
        "spearman",
        "top_k_recall",
        "onset_error",
        "wasserstein",
    ]
    assert found["best_null"] == {"name": name, "overlap": round(best, 6)}
    assert found["ranked"] is True
    assert found["undefined"] is None
    assert found["own_null"] is None
    short = plain_profile(profile, nulls=False)
    assert {**short, "nulls": found["nulls"]} == found


def test_undefined_profile(trusted: Trusted) -> None:
    """An undefined skill has a reason and no interval."""
    negative = LayerAttribution(values=-np.ones(12))
    scores = score_against(negative, trusted.references[EARLY])
    found = plain_profile(scores.profiles["emergence"])

    assert (found["overlap"], found["skill"], found["interval"]) == (None, None, None)
    assert found["undefined"] == "the attribution is nowhere positive"


def test_task(
    scores: TaskScores, make_record: Callable[..., AttributionRecord]
) -> None:
    """A task comes with its cost, where somebody ran something."""
    record = make_record([1.0])
    of_method, of_null = plain_task(scores, record), plain_task(scores, None)

    assert (of_method["task"], of_method["status"]) == (EARLY, "ok")
    assert of_method["cost_forward_equivalents"] == 3.0
    assert of_method["wall_s"] == 0.5
    assert of_null["cost_forward_equivalents"] is None
    assert of_null["wall_s"] is None
    assert of_null["profiles"] == of_method["profiles"]


def test_mean() -> None:
    """A mean has a value with an interval, or a reason."""
    assert plain_mean(MeanSkill(Score(0.5), (0.25, 0.75), (0.4, 0.6))) == {
        "mean_skill": 0.5,
        "interval": [0.25, 0.75],
        "prompt_interval": [0.4, 0.6],
        "undefined": None,
    }
    assert plain_mean(MeanSkill(undefined("why")), "skill") == {
        "skill": None,
        "interval": None,
        "prompt_interval": None,
        "undefined": "why",
    }


def test_evaluation(
    scores: TaskScores, make_record: Callable[..., AttributionRecord]
) -> None:
    """An evaluation is one JSON object with finite numbers."""
    record = make_record([1.0])
    found = plain_evaluation(
        method="my-method",
        suite="core",
        scored=[(scores, record)],
        failed={},
        pending={},
    )

    assert (found["method"], found["suite"]) == ("my-method", "core")
    assert found["tasks"] == [plain_task(scores, record)]
    assert found["mean_skill"] is not None
    json.dumps(found, allow_nan=False)


def test_evaluation_with_failures(
    scores: TaskScores, make_record: Callable[..., AttributionRecord]
) -> None:
    """A failure anywhere leaves the mean undefined and names the tasks."""
    found = plain_evaluation(
        method="my-method",
        suite=None,
        scored=[(scores, make_record([1.0]))],
        failed={LATE: "raised", "induction/a": "also"},
        pending={},
    )

    assert found["mean_skill"] is None
    assert found["undefined"] == f"failed on induction/a, {LATE}"
    tasks = found["tasks"]
    assert isinstance(tasks, list)
    assert tasks[1:] == [
        {"task": LATE, "status": "failed", "error": "raised"},
        {"task": "induction/a", "status": "failed", "error": "also"},
    ]


def test_evaluation_with_pending_references(
    scores: TaskScores, make_record: Callable[..., AttributionRecord]
) -> None:
    """A task without a reference leaves the mean undefined and says what to do."""
    found = plain_evaluation(
        method="my-method",
        suite=None,
        scored=[(scores, make_record([1.0]))],
        failed={},
        pending={LATE: "measure it"},
    )

    assert (found["mean_skill"], found["interval"]) == (None, None)
    assert found["undefined"] == f"reference pending: {LATE}"
    tasks = found["tasks"]
    assert isinstance(tasks, list)
    assert tasks[1] == {
        "task": LATE,
        "status": "reference pending",
        "advice": "measure it",
    }
