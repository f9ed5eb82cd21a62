import re
from pathlib import Path

import pytest

from bench.cli.problem_output import text_lines
from bench.results.trusted import Trusted
from bench.submissions.problems import CODES
from bench.submissions.validation import Checked, validate_submission
from tests.submissions.corpus import (  # noqa: F401  (they enter their cases)
    attributions,
    folders,
    manifests,
    texts,
)
from tests.submissions.corpus.cases import CASES, NAME

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "submissions"

ELSEWHERE = {"S008": "test_extremes.py", "S035": "test_validation.py"} | {
    code: "test_review.py" for code in CODES if code >= "S050"
}
"""Codes that no folder has by itself, and the module whose tests produce them."""

pytestmark = pytest.mark.usefixtures("few_resamples")


def report(checked: Checked) -> str:
    """Return what ``bench validate`` prints, with the path inside the repository.

    Digests over computed numbers, and their last digits, are those of a machine.
    """
    folder = Path("submissions") / checked.folder.name
    lines = text_lines(checked.problems, folder=folder)
    text = "".join(f"{line}\n" for line in lines)
    text = re.sub(r"\b[0-9a-f]{12}\.\.\.", "<digest>...", text)
    return re.sub(r"\d\.\d{7,}", lambda found: f"{float(found.group()):.6f}", text)


def test_the_submission_behind_the_corpus_is_valid(
    sound: Path, trusted_once: Trusted
) -> None:
    """Every case spoils what has no problem."""
    checked = validate_submission(sound, trusted_once)

    assert report(checked) == ""
    assert sound.name == NAME
    assert len(checked.scores) == 2


@pytest.mark.parametrize("name", sorted(CASES))
def test_report(
    name: str, sound: Path, trusted_once: Trusted, pytestconfig: pytest.Config
) -> None:
    """A spoilt submission is refused with exactly the stored report, and no crash."""
    folder = CASES[name].spoil(sound) or sound
    checked = validate_submission(folder, trusted_once)

    assert {problem.code for problem in checked.problems} == CASES[name].codes
    found, path = report(checked), GOLDEN / f"{name}.txt"
    if pytestconfig.getoption("--update-goldens"):
        path.write_text(found)
    assert found == path.read_text(), "see: pytest --update-goldens, and git diff"
    assert all(line.isascii() and line.isprintable() for line in found.splitlines())


def test_every_report_has_a_case() -> None:
    """No report is left over from a case that is gone."""
    assert {path.stem for path in GOLDEN.iterdir()} == set(CASES)


def test_every_code_is_in_the_corpus() -> None:
    """No code exists that nothing produces."""
    covered = {code for case in CASES.values() for code in case.codes}

    assert covered | set(ELSEWHERE) == set(CODES)
    assert len(CASES) >= 60
    for code, module in ELSEWHERE.items():
        assert code in (Path(__file__).parent / module).read_text(), code
