import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.errors import RunFailedError, UserError
from bench.submissions.branch import Base, GitRepository, find_repository
from tests.gitrepo import commit_all, git, set_up_user, snapshot

FOLDER = "submissions/mine"
FILES = {"submission.json": b"{}\r\n", "README.md": b"# Mine\n"}
MESSAGE = "Submit mine"


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder with a git user, and nothing else of this machine's settings."""
    return set_up_user(tmp_path / "home", monkeypatch)


@pytest.fixture
def work(tmp_path: Path, user: Path) -> Path:
    """A repository with a file at the top and one submission."""
    top = tmp_path / "work tree"
    top.mkdir()
    git(top, "init", "--quiet", "--initial-branch", "trunk")
    (top / "README.md").write_text("here")
    for name in ("old.json", "submission.json"):
        (top / "submissions" / "theirs").mkdir(parents=True, exist_ok=True)
        (top / "submissions" / "theirs" / name).write_text(name)
    commit_all(top, "First")
    return top


@pytest.fixture
def repository(work: Path) -> GitRepository:
    """The same, as a repository."""
    found = find_repository(work)
    assert found is not None
    return found


def commit(repository: GitRepository, files: dict[str, bytes] | None = None) -> str:
    """Commit a folder on the default branch and return the new commit."""
    made = repository.commit_folder(
        FOLDER, files or FILES, message=MESSAGE, base=repository.base()
    )
    return made.commit


def listing(top: Path, commit: str) -> list[str]:
    """List the files of a commit with their modes."""
    lines = git(top, "ls-tree", "-r", commit).splitlines()
    return [f"{line.split()[0]} {line.partition(chr(9))[2]}" for line in lines]


def test_one_folder_on_top_of_the_default_branch(
    repository: GitRepository, work: Path
) -> None:
    """The commit adds the files as they are, keeps the rest, and has one parent."""
    before = git(work, "rev-parse", "trunk")
    made = commit(repository)

    assert git(work, "rev-parse", "submit-mine", "submit-mine^") == f"{made}\n{before}"
    assert listing(work, made) == [
        "100644 README.md",
        "100644 submissions/mine/README.md",
        "100644 submissions/mine/submission.json",
        "100644 submissions/theirs/old.json",
        "100644 submissions/theirs/submission.json",
    ]
    for name, data in FILES.items():
        assert repository.read(made, f"{FOLDER}/{name}") == data
    shown = git(work, "log", "-1", "--format=%an|%ae|%cn|%B", "submit-mine").strip()
    assert shown == "Some One|some@one.example|Some One|Submit mine"
    assert git(work, "fsck", "--strict") == ""


def test_a_folder_is_replaced_whole(repository: GitRepository, work: Path) -> None:
    """Files that the new state of a submission has not are gone from the commit."""
    made = repository.commit_folder(
        "submissions/theirs",
        {"withdrawal.json": b"{}"},
        message="Withdraw theirs",
        base=repository.base(),
    )

    assert made.branch == "withdraw-theirs"
    assert listing(work, made.commit) == [
        "100644 README.md",
        "100644 submissions/theirs/withdrawal.json",
    ]


@pytest.mark.parametrize("kind", ["nothing", "file"])
def test_the_first_submission(kind: str, repository: GitRepository, work: Path) -> None:
    """A base without the folder of submissions gets one."""
    shutil.rmtree(work / "submissions")
    if kind == "file":
        (work / "submissions").write_text("a file")
    commit_all(work, "None")

    assert listing(work, commit(repository))[1:] == [
        f"100644 {FOLDER}/README.md",
        f"100644 {FOLDER}/submission.json",
    ]


def dirty(work: Path) -> None:
    """Leave changes staged, not staged, untracked, ignored and conflicting."""
    (work / ".gitignore").write_text("submissions/\n*.tmp\n")
    (work / "a.tmp").write_text("ignored")
    (work / "untracked").write_text("untracked")
    (work / "README.md").write_text("staged")
    git(work, "add", "README.md")
    (work / "README.md").write_text("then changed")
    (work / FOLDER).mkdir()
    (work / FOLDER / "submission.json").write_text("other work on it")
    (work / "submissions" / "theirs" / "old.json").unlink()


def detached(work: Path) -> None:
    """Check out a commit instead of a branch."""
    git(work, "checkout", "--quiet", "--detach")
    (work / "README.md").write_text("detached")
    commit_all(work, "Not on any branch")


def merging(work: Path) -> None:
    """Stop in the middle of a merge with a conflict."""
    git(work, "switch", "--quiet", "--create", "other")
    (work / "README.md").write_text("other")
    commit_all(work, "Other")
    git(work, "switch", "--quiet", "trunk")
    (work / "README.md").write_text("mine")
    commit_all(work, "Mine")
    done = subprocess.run(
        ["git", "merge", "other"],  # noqa: S607
        cwd=work,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 1


def sparse(work: Path) -> None:
    """Check out a part of the files."""
    git(work, "sparse-checkout", "set", "--no-cone", "/README.md")


def no_index(work: Path) -> None:
    """Lose the index."""
    (work / ".git" / "index").unlink()


@pytest.mark.parametrize(
    "change", [dirty, detached, merging, sparse, no_index], ids=lambda f: f.__name__
)
def test_nothing_else_is_touched(
    change: Callable[[Path], None], repository: GitRepository, work: Path
) -> None:
    """Working tree, index, HEAD and all other branches stay byte for byte."""
    git(work, "config", "init.defaultBranch", "trunk")
    change(work)
    expected = git(work, "rev-parse", "trunk")
    before = snapshot(work)
    made = commit(repository)

    assert snapshot(work, ignore=["refs/heads/submit-mine"]) == before
    assert git(work, "rev-parse", f"{made}^") == expected
    changed = git(work, "diff", "--name-only", f"{made}^", made).splitlines()
    assert changed == [f"{FOLDER}/{name}" for name in sorted(FILES)]


def test_a_linked_work_tree(work: Path, tmp_path: Path) -> None:
    """A second working tree of a repository is as good as the first."""
    linked = tmp_path / "linked"
    git(work, "worktree", "add", "--quiet", "-b", "side", str(linked))
    repository = find_repository(linked)
    assert repository is not None
    git(work, "config", "init.defaultBranch", "trunk")

    made = commit(repository)
    assert git(work, "rev-parse", "submit-mine") == made


def test_hooks_filters_and_signatures_do_not_run(
    repository: GitRepository, work: Path, tmp_path: Path
) -> None:
    """What the user has set up for own commits neither runs nor changes a byte."""
    ran = tmp_path / "ran"
    script = tmp_path / "hooks" / "any"
    script.parent.mkdir()
    script.write_text(f"#!/bin/sh\necho $0 >>'{ran}'\nexit 1\n")
    script.chmod(0o755)
    for name in ("pre-commit", "commit-msg", "post-commit", "reference-transaction"):
        shutil.copy(script, script.parent / name)
    for key, value in {
        "core.hooksPath": str(script.parent),
        "core.fsmonitor": str(script),
        "commit.gpgSign": "true",
        "gpg.program": str(script),
        "filter.any.clean": str(script),
        "filter.any.required": "true",
        "core.autocrlf": "input",
        "commit.template": str(script),
        "i18n.commitEncoding": "latin1",
    }.items():
        git(work, "config", key, value)
    (work / ".gitattributes").write_text("* filter=any text\n")

    made = commit(repository)
    assert not ran.exists()
    assert repository.read(made, f"{FOLDER}/submission.json") == b"{}\r\n"
    assert "gpgsig" not in git(work, "cat-file", "commit", made)


def test_a_variable_does_not_lead_elsewhere(
    repository: GitRepository, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Called from a hook of another repository, it works on this one."""
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"):
        monkeypatch.setenv(name, str(work / "elsewhere"))
    made = commit(repository)
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"):
        monkeypatch.delenv(name)

    assert git(work, "rev-parse", "submit-mine") == made
    assert not (work / "elsewhere").exists()


def test_a_branch_that_is_there(repository: GitRepository, work: Path) -> None:
    """A branch of that name is not moved, whatever is on it."""
    commit(repository)
    before = snapshot(work)

    with pytest.raises(UserError) as caught:
        commit(repository, {"submission.json": b"new"})
    assert str(caught.value) == (
        "There is a branch 'submit-mine' already, and it is left as it is. Rename it: "
        "git branch -m submit-mine submit-mine-old; or delete it: git branch -D "
        "submit-mine. Or leave git out: --no-git"
    )
    assert snapshot(work) == before


def test_a_branch_that_came_in_between(
    repository: GitRepository, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that somebody makes after the check is not moved either."""
    made = commit(repository)
    monkeypatch.setattr(repository, "check_free", lambda _branch: None)

    with pytest.raises(RunFailedError, match=r"^git update-ref failed in "):
        commit(repository, {"submission.json": b"new"})
    assert git(work, "rev-parse", "submit-mine") == made


def test_a_branch_below_that_name(repository: GitRepository, work: Path) -> None:
    """What git itself refuses is said in its words, and no branch is left."""
    git(work, "branch", "submit-mine/more")

    with pytest.raises(
        RunFailedError,
        match=r"^git update-ref failed in .*: fatal: (?s:.*)\. Nothing of the working "
        r"tree was changed\. Or leave git out: --no-git$",
    ):
        commit(repository)
    assert git(work, "branch", "--list", "submit-mine") == ""


def test_without_a_user(repository: GitRepository, work: Path, user: Path) -> None:
    """A commit needs somebody; how to say who is said."""
    (user / ".gitconfig").write_text("[user]\nuseConfigOnly = true\n")
    before = snapshot(work)

    expected = r"^git does not know who you are, and a commit has an author\. Tell it: "
    with pytest.raises(UserError, match=expected):
        commit(repository)
    assert snapshot(work) == before


def test_nothing_to_commit(repository: GitRepository, work: Path) -> None:
    """A submission that is on the base already makes no empty commit."""
    git(work, "merge", "--quiet", commit(repository))
    git(work, "branch", "-D", "submit-mine")

    expected = "'submissions/mine' is the same on trunk: there is nothing to commit."
    with pytest.raises(UserError) as caught:
        commit(repository)
    assert str(caught.value) == expected
    assert git(work, "branch", "--list", "submit-mine") == ""


def clone(work: Path, name: str) -> Path:
    """Clone a repository and make one commit that is there alone."""
    made = work.parent / name
    git(work.parent, "clone", "--quiet", str(work), str(made))
    (made / "own").write_text(name)
    commit_all(made, "Own")
    return made


def base_of(top: Path, name: str | None = None) -> Base:
    """Return the base that is found in a repository."""
    repository = find_repository(top)
    assert repository is not None
    return repository.base(name)


def test_the_base_of_a_clone(work: Path) -> None:
    """It is the remote's default branch, not what the user did on top of it."""
    top = clone(work, "clone")
    git(top, "switch", "--quiet", "--create", "main")

    assert base_of(top) == Base("origin/trunk", git(work, "rev-parse", "trunk"))


def test_the_base_of_a_fork(work: Path) -> None:
    """Where there is an upstream, it counts, by its HEAD or by its name."""
    git(work, "branch", "master")
    (work / "README.md").write_text("newer")
    fork = clone(clone(work, "fork"), "clone of it")
    commit_all(work, "Newer")
    git(fork, "remote", "add", "upstream", str(work))
    git(fork, "fetch", "--quiet", "upstream")
    assert base_of(fork).name == "upstream/master"

    git(fork, "remote", "set-head", "upstream", "trunk")
    assert base_of(fork) == Base("upstream/trunk", git(work, "rev-parse", "trunk"))


def test_a_remote_of_another_name(work: Path) -> None:
    """A single remote is the one, whatever it is called."""
    top = clone(work, "clone")
    git(top, "remote", "rename", "origin", "lab")

    assert base_of(top).name == "lab/trunk"


def test_the_base_without_a_remote(work: Path) -> None:
    """It is the configured default, then main, then the branch that is checked out."""
    assert base_of(work).name == "trunk"
    git(work, "switch", "--quiet", "--create", "side")
    assert base_of(work).name == "side"
    git(work, "branch", "main", "trunk")
    assert base_of(work).name == "main"
    git(work, "config", "init.defaultBranch", "trunk")
    assert base_of(work).name == "trunk"


def test_a_base_by_name(work: Path) -> None:
    """A branch or a commit may be named, and one that is not there is refused."""
    made = git(work, "rev-parse", "HEAD")
    assert base_of(work, "trunk") == Base("trunk", made)
    assert base_of(work, made).commit == made

    for name in ("none", "--all", "trunk:README.md"):
        expected = f"' has no branch '{name}' to start from. See: git branch --all."
        with pytest.raises(UserError, match=expected):
            base_of(work, name)


@pytest.mark.parametrize("state", ["nothing committed", "detached, no main"])
def test_no_base(state: str, work: Path, tmp_path: Path) -> None:
    """A repository without a default branch says what to name."""
    if state == "nothing committed":
        work = tmp_path / "empty"
        work.mkdir()
        git(work, "init", "--quiet")
    else:
        git(work, "checkout", "--quiet", "--detach")

    with pytest.raises(UserError, match=r"is not known: .* --base BRANCH\. Or leave"):
        base_of(work)


def test_no_repository(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No .git, one further up, one that works on another folder, no git: none."""
    assert find_repository(work / "submissions") is None
    assert find_repository(work.parent) is None
    assert find_repository(work / "none") is None
    git(work, "config", "core.worktree", str(work.parent))
    assert find_repository(work) is None
    git(work, "config", "--unset", "core.worktree")
    assert find_repository(work) is not None
    monkeypatch.setenv("PATH", str(work))
    assert find_repository(work) is None


def test_a_repository_below_another_one(work: Path) -> None:
    """The inner one is used, and the outer one stays as it is."""
    inner = work / "inner"
    inner.mkdir()
    git(inner, "init", "--quiet", "--initial-branch", "main")
    (inner / "file").write_text("inner")
    commit_all(inner, "Inner")
    repository = find_repository(inner)
    assert repository is not None

    commit(repository)
    assert git(work, "branch", "--list") == "* trunk"
    assert git(inner, "branch", "--list", "submit-mine").split() == ["submit-mine"]


def test_a_repository_that_git_refuses(work: Path) -> None:
    """What is wrong with it is said in git's words, and how to do without."""
    (work / ".git" / "HEAD").write_text("nonsense")

    with pytest.raises(UserError, match=r"^git rev-parse failed in .*fatal: (?s:.*)"):
        find_repository(work)


def test_names_in_a_commit(repository: GitRepository, work: Path) -> None:
    """Names of any kind are kept; a folder or a file that is not there is none."""
    odd = "ümläut \n tab\t.txt"
    (work / odd).write_text("odd")
    commit_all(work, "Odd")
    made = commit(repository)

    assert odd in repository.names(made, "")
    assert repository.names(made, "submissions") == ["mine", "theirs"]
    assert repository.names(made, "none") == []
    assert repository.read(made, "none") is None
    assert repository.read(made, "submissions") is None


def test_where_to_push(work: Path) -> None:
    """A branch is pushed to the user's own clone; there may be none."""
    top = clone(work, "clone")
    git(top, "remote", "add", "upstream", str(work))
    for folder, expected in ((work, None), (top, "origin")):
        found = find_repository(folder)
        assert found is not None
        assert found.push_to() == expected
