"""``bench withdraw``."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.cli.trusted import read_trusted
from bench.submissions.manifest import read_manifest
from bench.submissions.withdrawal import Withdrawal
from bench.tasks.strict_json import read_strict_json
from tests.gitrepo import commit_all, git, set_up_user, snapshot

Bench = Callable[..., Any]
Submit = Callable[..., Path]
WHY = ("--reason", "A bug in my code.")
PATH = "submissions/my-method/withdrawal.json"

pytestmark = pytest.mark.usefixtures("few_resamples")


@pytest.fixture(autouse=True)
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder with a git user, and nothing else of this machine's settings."""
    return set_up_user(tmp_path / "home", monkeypatch)


@pytest.fixture
def repo(repository: Path, submit: Submit) -> Path:
    """A repository under git with a submission, and another one only in its files."""
    submit(flat=0.5)  # off the reference, so that nothing is flagged
    source = read_trusted(repository).sources["eap-ig"]
    submit("eap-ig", origin="built-in", source_sha256=source)
    git(repository, "init", "--quiet", "--initial-branch", "main")
    commit_all(repository, "First")
    submit("not-committed")
    return repository


def read(path: Path) -> Withdrawal:
    """Read a withdrawal."""
    return Withdrawal.parse(read_strict_json(path), file=path)


def test_a_branch(bench: Bench, repo: Path, tmp_path: Path) -> None:
    """The branch has the folder with the withdrawal alone; nothing else changed."""
    digest = read_manifest(repo / "submissions" / "my-method").digest
    before = snapshot(repo)
    ran = bench("withdraw", "my-method", *WHY, "--write")

    assert ran.code == 0
    assert snapshot(repo, ignore=["refs/heads/withdraw-my-method"]) == before
    assert ran.out.startswith("Withdraw my-method\n\nA bug in my code.\n\n")
    assert f"- withdrawn: `{digest}`\n" in ran.out
    assert "\n  git push REMOTE withdraw-my-method\n" in ran.err
    listed = git(repo, "ls-tree", "-r", "--name-only", "withdraw-my-method")
    assert [n for n in listed.splitlines() if "my-method" in n] == [PATH]
    assert "submissions/eap-ig/submission.json" in listed
    git(repo, "worktree", "add", "--quiet", str(tmp_path / "w"), "withdraw-my-method")
    assert read(tmp_path / "w" / PATH) == Withdrawal(
        method="my-method", digest=digest, reason="A bug in my code."
    )
    assert bench("validate", tmp_path / "w" / "submissions" / "my-method").code == 0


def test_a_dry_run(bench: Bench, repo: Path) -> None:
    """Without --write nothing is made."""
    before = snapshot(repo)
    ran = bench("withdraw", "my-method", *WHY)

    assert ran.code == 0
    assert snapshot(repo) == before
    assert ran.out.startswith("Withdraw my-method\n\n")
    assert "would hold\n  withdrawal.json: " in ran.err


def test_the_folder_alone(bench: Bench, repo: Path) -> None:
    """With --no-git the folder is changed in place; the board goes on without it."""
    assert bench("leaderboard").code == 0
    folder = repo / "submissions" / "my-method"
    ran = bench("withdraw", "my-method", *WHY, "--write", "--no-git")

    assert (ran.code, ran.out) == (0, f"{folder}\n")
    assert [path.name for path in folder.iterdir()] == ["withdrawal.json"]
    assert bench("validate", folder).code == 0
    assert bench("leaderboard").code == 0


@pytest.mark.parametrize("options", [[], ["--write"], ["--write", "--no-git"]])
def test_what_cannot_be_withdrawn(options: list[str], bench: Bench, repo: Path) -> None:
    """A misspelt name, a built-in method, and nothing at all."""
    before = snapshot(repo)
    ran = bench("withdraw", "my-metod", *WHY, *options)
    assert (ran.code, ran.out) == (2, "")
    assert "No submission is called 'my-metod'. Did you mean 'my-method'?" in ran.err
    assert "eap-ig" not in ran.err

    for name in ("eap-ig", "relp", "constant"):
        ran = bench("withdraw", name, *WHY, *options)
        assert ran.code == 2
        assert ran.err == (
            f"'{name}' is a built-in method, which nobody submitted. A maintainer "
            "removes it together with its code.\n"
        )
    for name in ("../my-method", "", "."):
        assert bench("withdraw", name, *WHY, *options).code == 2
    assert snapshot(repo) == before


def test_with_git_the_branch_counts(bench: Bench, repo: Path) -> None:
    """What is in the working tree alone was not submitted; what is gone there was."""
    ran = bench("withdraw", "not-committed", *WHY)
    assert ran.code == 2
    assert ran.err.endswith(
        "Known: my-method. Looked on the branch main; another one: --base BRANCH.\n"
    )
    for path in (repo / "submissions" / "my-method").iterdir():
        path.unlink()

    assert bench("withdraw", "my-method", *WHY, "--write").code == 0
    assert bench("withdraw", "not-committed", *WHY, "--no-git").code == 0


@pytest.mark.parametrize("options", [[], ["--no-git"]])
def test_twice(options: list[str], bench: Bench, repo: Path) -> None:
    """What was withdrawn cannot be withdrawn again."""
    bench("withdraw", "my-method", *WHY, "--write", "--no-git")
    commit_all(repo, "Withdrawn")
    ran = bench("withdraw", "my-method", *WHY, *options)

    assert (ran.code, ran.err) == (2, "'my-method' was withdrawn already.\n")


@pytest.mark.parametrize("options", [[], ["--no-git"]])
def test_an_empty_or_broken_folder(
    options: list[str], bench: Bench, repo: Path
) -> None:
    """Without a manifest there is nothing to withdraw; a broken one is named."""
    manifest = repo / "submissions" / "my-method" / "submission.json"
    manifest.write_text('{"a": 1, "a": 2}')
    commit_all(repo, "Broken")
    ran = bench("withdraw", "my-method", *WHY, *options)
    assert ran.code == 2
    assert "is not strict JSON: the key 'a' occurs more than once." in ran.err
    manifest.unlink()
    commit_all(repo, "Without")
    ran = bench("withdraw", "my-method", *WHY, *options)
    assert (ran.code, ran.err) == (
        2,
        "'submissions/my-method/submission.json' does not exist: there is nothing to "
        "withdraw.\n",
    )


@pytest.mark.parametrize("reason", ["", " ", "a\nb", "a\u202eb", "a" * 201])
def test_bad_reasons(reason: str, bench: Bench, repo: Path) -> None:
    """A reason is one printable line."""
    before = snapshot(repo)
    ran = bench("withdraw", "my-method", "--reason", reason, "--write")

    assert ran.code == 2
    assert ran.err == (
        f"The reason of the withdrawal is {reason!a}; expected one line of 1 to 200 "
        "characters.\n"
    )
    assert snapshot(repo) == before


def test_a_reason_is_needed(bench: Bench, repo: Path) -> None:
    """Nobody withdraws without a word."""
    assert bench("withdraw", "my-method").code == 2


def test_a_life(bench: Bench, repo: Path) -> None:
    """The ledger sees it come and go."""
    update = ("ledger", "update", "--commit", "a" * 40, "--date", "2020-01-02")
    bench(*update)
    bench("withdraw", "my-method", *WHY, "--write", "--no-git")
    bench(*update)

    ran = bench("ledger", "show", "my-method")
    assert [line.split()[1] for line in ran.out.splitlines()[2:]] == [
        "added",
        "withdrawn",
    ]
