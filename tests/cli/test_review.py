import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.submissions.manifest import FOLDER, MANIFEST
from tests.gitrepo import begin_checkout, commit_all, git

pytestmark = pytest.mark.usefixtures("few_resamples")

NAME = "my-method"


@pytest.fixture
def offered(tmp_path: Path, submit: Callable[..., Path]) -> Path:
    """A branch with a submission, in a checkout of its own."""
    folder = begin_checkout(tmp_path / "checkout")
    (folder / "README.md").write_text("")
    commit_all(folder, "Begin")
    git(folder, "switch", "--quiet", "--create", "offer")
    shutil.move(submit(NAME, flat=0.5), folder / FOLDER / NAME)
    commit_all(folder, "Offer")
    return folder


def spoil(offered: Path, text: str) -> None:
    """Commit another summary of the method."""
    path = offered / FOLDER / NAME / MANIFEST
    path.write_text(path.read_text().replace("Say something.", text))
    commit_all(offered, "Spoil")


def test_a_valid_branch(bench: Callable, offered: Path) -> None:
    """The row is shown with the places that it has if it is reproduced."""
    ran = bench("review", offered, "--base", "main")

    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines[0] == f"{FOLDER}/{NAME}: valid"
    assert "rank, if reproduced" in lines[1]
    assert lines[3].startswith(f"| {NAME}")


def test_a_valid_branch_as_json(bench: Callable, offered: Path) -> None:
    """A program learns the name, and everything that the row says."""
    ran = bench("review", offered, "--base", "main", "--format", "json")
    found = json.loads(ran.out)

    assert (ran.code, found["valid"], found["problems"]) == (0, True, [])
    assert (found["submission"], found["method"]) == (f"{FOLDER}/{NAME}", NAME)
    assert (found["withdrawn"], found["has_code"], found["flags"]) == (False, False, [])
    assert found["row"]["digest"] == found["digest"]
    assert found["row"]["tier"] == "reproduced"


def test_a_spoilt_branch(bench: Callable, offered: Path) -> None:
    """All problems are printed, and the exit code says that there are some."""
    spoil(offered, "Say nothing.")
    ran = bench("review", offered, "--base", "main")

    assert ran.code == 3
    lines = ran.out.splitlines()
    place = f"{FOLDER}/{NAME}/{MANIFEST}"
    assert lines[0] == f"S028 {place}#/digest: manifest differs from its own digest"
    assert lines[-1] == "3 problems; nothing was executed"


def test_a_spoilt_branch_as_json(bench: Callable, offered: Path) -> None:
    """Problems are data, and there is no row."""
    spoil(offered, "Say nothing.")
    ran = bench("review", offered, "--base", "main", "--format", "json")
    found = json.loads(ran.out)

    assert (ran.code, found["valid"], found["row"]) == (3, False, None)
    assert [p["code"] for p in found["problems"]] == ["S028", "S033", "S033"]


def test_annotations(bench: Callable, offered: Path) -> None:
    """On GitHub each problem stands at its file in the pull request."""
    (offered / "a,b%\n::stop-commands::x").write_text("")
    commit_all(offered, "Attack")
    ran = bench("review", offered, "--base", "main", "--format", "github")

    assert ran.code == 3
    lines = ran.out.splitlines()
    assert lines[0].startswith("::error file=a%2Cb%25\\n%3A%3Astop-commands%3A%3Ax,")
    assert lines[1:] == ["1 problem; nothing was executed"]


@pytest.mark.parametrize("valid", [True, False])
def test_the_summary(
    valid: bool, bench: Callable, offered: Path, tmp_path: Path
) -> None:
    """It is added to what is there, and a stranger's text in it makes no markup."""
    path = tmp_path / "summary.md"
    path.write_text("# Before\n")
    if not valid:
        (offered / "<img src=x> [a](https:b)").write_text("")
        commit_all(offered, "Attack")
    bench("review", offered, "--base", "main", "--summary", path)

    text = path.read_text()
    assert text.startswith(f"# Before\n## {FOLDER}/{NAME}\n")
    if valid:
        assert f"| {NAME}" in text
    else:
        assert "&lt;img src=x&gt; [a]\\(https:b)" in text
        assert "**S050**" in text
        assert "<img" not in text


def test_withdrawal(bench: Callable, offered: Path, tmp_path: Path) -> None:
    """A withdrawn submission is valid and has no row."""
    folder = offered / FOLDER / NAME
    digest = json.loads((folder / MANIFEST).read_text())["digest"]
    shutil.rmtree(folder)
    folder.mkdir()
    left = {"schema_version": 1, "method": NAME, "digest": digest, "reason": "Wrong."}
    (folder / "withdrawal.json").write_text(json.dumps(left))
    commit_all(offered, "Withdraw")
    ran = bench("review", offered, "--base", "main")

    assert (ran.code, ran.out) == (0, f"{FOLDER}/{NAME}: withdrawn\n")


def test_unknown_base(bench: Callable, offered: Path) -> None:
    """A revision that is not there is a usage error."""
    ran = bench("review", offered, "--base", "nowhere")

    assert ran.code == 2
    assert "Give a git repository and commits that it has." in ran.err
