"""Answers to an earlier version of a task, whose reference was corrected since."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.results.trusted import Trusted
from bench.scores.version import SCORES_VERSION
from bench.submissions import validation
from bench.submissions.manifest import MANIFEST, read_manifest
from bench.submissions.pack import pack_submission
from bench.submissions.validation import validate_submission
from tests.conftest import EARLY, LATE
from tests.corrections import correct_reference

Submit = Callable[..., Path]
Edit = Callable[[Path, Callable[[dict], object]], None]

pytestmark = pytest.mark.usefixtures("few_resamples")


def codes(folder: Path, trusted: Trusted) -> list[str]:
    """Validate a submission and return the codes of its problems."""
    return [problem.code for problem in validate_submission(folder, trusted).problems]


def overlap(folder: Path, trusted: Trusted, task: str) -> float | None:
    """Return a computed overlap."""
    scores = validate_submission(folder, trusted).scores[task]
    return scores.profiles["emergence"].overlap.value


def again(trusted: Trusted, repository: Path) -> Trusted:
    """Read a repository that was changed."""
    return Trusted(repository, built_in=trusted.built_in)


def test_answers_are_scored_on_the_corrected_reference(
    submit: Submit, repository: Path, trusted: Trusted
) -> None:
    """They stay valid, bytes and claims as they are; their scores move there alone."""
    folder = submit()
    stored = {path.name: path.read_bytes() for path in folder.iterdir()}
    correct_reference(repository)
    now = again(trusted, repository)

    assert codes(folder, now) == []
    assert overlap(folder, now, EARLY) != overlap(folder, trusted, EARLY)
    assert overlap(folder, now, LATE) == overlap(folder, trusted, LATE)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == stored


def test_several_corrections(
    submit: Submit, repository: Path, trusted: Trusted
) -> None:
    """Each version that is listed counts."""
    folder = submit()
    correct_reference(repository)
    correct_reference(repository)

    assert codes(folder, again(trusted, repository)) == []


def test_other_changes_need_new_answers(
    submit: Submit, repository: Path, trusted: Trusted
) -> None:
    """A new version that does not list the one before has its answers refused."""
    folder = submit()
    correct_reference(repository, lists_earlier=False)

    assert codes(folder, again(trusted, repository)) == ["S031"]


@pytest.mark.parametrize(
    "change",
    [
        {"digest": "0" * 64},
        {"version": 3},
        {"prompts_sha256": "0" * 64},
        {"model_sha256": {}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_an_earlier_version_is_known_exactly(
    change: dict, submit: Submit, repository: Path, trusted: Trusted, spoil: Callable
) -> None:
    """Digest, version, prompts and model of the answer are those of the version."""
    folder = spoil(lambda record: record["task"].update(change))
    correct_reference(repository)

    assert codes(folder, again(trusted, repository)) == ["S031"]


def test_results_on_an_earlier_version_are_packed(
    write_results: Callable[..., Path], repository: Path, trusted: Trusted
) -> None:
    """Whoever evaluated before the correction need not evaluate again."""
    results = write_results()
    correct_reference(repository)
    now = again(trusted, repository)
    out = repository / "submissions"
    pack_submission(results, suite="core", trusted=now, out=out)

    assert codes(out / "my-method", now) == []


def test_claims_of_the_corrected_version_are_compared(
    submit: Submit, repository: Path, trusted: Trusted, edit_json: Edit
) -> None:
    """The correction excuses claims on the earlier version, and no others."""
    folder = submit()
    correct_reference(repository)
    wrong = {"emergence": 0.123, "composition": 0.456}
    claims = {"claimed_overlap": {EARLY: wrong, LATE: wrong}}
    edit_json(folder / MANIFEST, lambda manifest: manifest.update(claims))

    problems = validate_submission(folder, again(trusted, repository)).problems
    assert [(p.code, p.pointer) for p in problems] == [
        ("S040", "/claimed_overlap/induction~1late/emergence"),
        ("S040", "/claimed_overlap/induction~1late/composition"),
    ]


def test_claims_of_earlier_scores_are_not_compared(
    submit: Submit,
    trusted: Trusted,
    edit_json: Edit,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A corrected scorer computes others; claims by the present one are compared."""
    folder = submit()
    assert read_manifest(folder).scores_version == SCORES_VERSION
    wrong = {"emergence": 0.123}
    edit_json(folder / MANIFEST, lambda m: m["claimed_overlap"][EARLY].update(wrong))
    assert codes(folder, trusted) == ["S040"]

    monkeypatch.setattr(validation, "SCORES_VERSION", SCORES_VERSION + 1)
    assert codes(folder, trusted) == []
    edit_json(folder / MANIFEST, lambda m: m.update(scores_version=SCORES_VERSION + 1))
    assert codes(folder, trusted) == ["S040"]
