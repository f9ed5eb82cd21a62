import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.errors import UserError
from bench.results.trusted import Trusted
from bench.submissions import git_tree
from bench.submissions.manifest import FOLDER, MANIFEST, README
from bench.submissions.review import Review, review_pull_request
from tests.gitrepo import begin_checkout, commit_all, git

Submit = Callable[..., Path]

pytestmark = pytest.mark.usefixtures("few_resamples")

NAME = "my-method"
PLACE = f"{FOLDER}/{NAME}"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with a main branch, and a branch `offer` to be reviewed."""
    folder = begin_checkout(tmp_path / "checkout")
    (folder / "bench.py").write_text("rules = 1\n")
    (folder / FOLDER / "older").mkdir(parents=True)
    (folder / FOLDER / "older" / README).write_text("# Older\n")
    commit_all(folder, "Begin")
    git(folder, "switch", "--quiet", "--create", "offer")
    return folder


@pytest.fixture
def offered(checkout: Path, submit: Submit) -> Path:
    """The same with a valid submission, not yet committed."""
    shutil.copytree(submit(), checkout / PLACE)
    return checkout


@pytest.fixture
def reviewed(trusted: Trusted) -> Callable[[Path], Review]:
    """Commit what is in a checkout and review it."""

    def run(checkout: Path) -> Review:
        git(checkout, "add", "--all")
        git(checkout, "commit", "--quiet", "--allow-empty", "--message", "Offer")
        return review_pull_request(checkout, trusted, base="main", head="offer")

    return run


Reviewed = Callable[[Path], Review]


def codes(review: Review) -> list[tuple[str, str]]:
    """Return the codes and files of all problems."""
    return [(problem.code, problem.file) for problem in review.problems]


def test_a_valid_submission(offered: Path, reviewed: Reviewed) -> None:
    """One valid folder is a valid pull request, and is scored."""
    found = reviewed(offered)

    assert (found.valid, found.name, found.problems) == (True, NAME, ())
    assert found.checked is not None
    assert len(found.checked.scores) == 2


def test_only_what_is_committed_counts(offered: Path, reviewed: Reviewed) -> None:
    """The working tree may say what it likes."""
    assert reviewed(offered).valid

    (offered / PLACE / MANIFEST).write_text("{}")
    (offered / PLACE / "run.py").write_text("raise SystemExit")
    found = reviewed(offered)
    assert not found.valid
    git(offered, "reset", "--quiet", "--hard", "HEAD~1")
    (offered / PLACE / MANIFEST).write_text("{}")
    assert git(offered, "status", "--porcelain") == f" M {PLACE}/{MANIFEST}"


def test_main_may_have_moved_on(offered: Path, reviewed: Reviewed) -> None:
    """What others changed on main since is no change of this branch."""
    git(offered, "stash", "--quiet", "--include-untracked")
    git(offered, "switch", "--quiet", "main")
    (offered / "bench.py").write_text("rules = 2\n")
    commit_all(offered, "Rules")
    git(offered, "switch", "--quiet", "offer")
    git(offered, "stash", "pop", "--quiet")

    assert reviewed(offered).valid


def test_attributes_rewrite_nothing(offered: Path, reviewed: Reviewed) -> None:
    """Line endings of a checkout do not spoil digests; the attributes are refused."""
    (offered / ".gitattributes").write_text("*.json text eol=crlf\n")

    assert codes(reviewed(offered)) == [("S050", ".gitattributes")]


@pytest.mark.parametrize(
    "path", ["bench.py", ".github/workflows/x.yml", "leaderboard.md", f"{FOLDER}/x"]
)
def test_s050_change_outside(path: str, offered: Path, reviewed: Reviewed) -> None:
    """A submission does not come with changes of the rules, the board or the like."""
    (offered / path).parent.mkdir(parents=True, exist_ok=True)
    (offered / path).write_text("rules = 0\n")

    assert codes(reviewed(offered)) == [("S050", path)]


def test_s050_many_changes(
    offered: Path, reviewed: Reviewed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flood of changes is named by its first and their number."""
    for number in range(30):
        (offered / f"file-{number:02}").write_text("")
    monkeypatch.setattr(git_tree, "MOST_CHANGES", 10)
    monkeypatch.setattr("bench.submissions.review.MOST_CHANGES", 10)
    found = reviewed(offered)

    assert {problem.code for problem in found.problems} >= {"S050"}
    assert "at most 10 changes" in {problem.expected for problem in found.problems}
    assert len(found.problems) <= 25


def test_s051_two_submissions(offered: Path, reviewed: Reviewed) -> None:
    """One pull request is one submission; neither is validated."""
    shutil.copytree(offered / PLACE, offered / FOLDER / "other")
    found = reviewed(offered)

    assert codes(found) == [("S051", FOLDER)]
    assert found.problems[0].found == "my-method, other"
    assert found.checked is None


def test_s052_executable(offered: Path, reviewed: Reviewed) -> None:
    """Data is not executable."""
    (offered / PLACE / README).chmod(0o755)
    found = reviewed(offered)

    # left out of what is validated, where it is then missing
    assert codes(found)[0] == ("S052", f"{PLACE}/{README}")
    assert found.problems[0].found == "mode 100755"


def test_s052_link(offered: Path, reviewed: Reviewed) -> None:
    """A link is not followed, not even to be written."""
    (offered / PLACE / README).unlink()
    (offered / PLACE / README).symlink_to("../../bench.py")
    found = reviewed(offered)

    assert codes(found)[0] == ("S052", f"{PLACE}/{README}")
    assert found.problems[0].found == "mode 120000"


def test_s052_submodule(offered: Path, trusted: Trusted) -> None:
    """A submodule is no submission."""
    head = git(offered, "rev-parse", "HEAD")
    entry = f"160000,{head},{PLACE}/inner"
    git(offered, "add", PLACE)
    git(offered, "update-index", "--add", "--cacheinfo", entry)
    git(offered, "commit", "--quiet", "--message", "Offer")

    found = review_pull_request(offered, trusted, base="main", head="offer")
    assert ("S052", f"{PLACE}/inner") in codes(found)


def test_s053_nothing(checkout: Path, reviewed: Reviewed) -> None:
    """A branch without changes submits nothing."""
    assert codes(reviewed(checkout)) == [("S053", FOLDER)]


def test_s054_built_in(checkout: Path, submit: Submit, reviewed: Reviewed) -> None:
    """Nobody edits the answers of a built-in method, which are ranked as they stand."""
    folder = submit("attribution-patching", origin="built-in")
    shutil.copytree(folder, checkout / FOLDER / "attribution-patching")

    assert codes(reviewed(checkout)) == [("S054", f"{FOLDER}/attribution-patching")]


def test_s055_deleted(checkout: Path, reviewed: Reviewed) -> None:
    """A submission is withdrawn with a reason, not deleted."""
    shutil.rmtree(checkout / FOLDER / "older")
    found = reviewed(checkout)

    assert codes(found) == [("S055", f"{FOLDER}/older")]
    assert found.problems[0].fix == (
        "Withdraw it with: bench withdraw older --reason REASON"
    )


def test_s003_folder_inside(offered: Path, reviewed: Reviewed) -> None:
    """Files lie in the submission's folder itself."""
    (offered / PLACE / "deep" / "er").mkdir(parents=True)
    (offered / PLACE / "deep" / "er" / MANIFEST).write_text("{}")

    assert codes(reviewed(offered)) == [("S003", f"{PLACE}/deep/er/{MANIFEST}")]


def test_problems_of_the_submission_are_placed(
    offered: Path, reviewed: Reviewed
) -> None:
    """What validation finds is named by its path in the repository."""
    text = (offered / PLACE / MANIFEST).read_text()
    (offered / PLACE / MANIFEST).write_text(text.replace('"core"', '"half"'))

    found = reviewed(offered)
    assert {file for _, file in codes(found)} == {f"{PLACE}/{MANIFEST}"}
    assert {"S028", "S025"} <= {code for code, _ in codes(found)}


def test_a_huge_file_is_not_read(
    offered: Path, reviewed: Reviewed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its size is known to git, and reported as if it were there."""
    (offered / PLACE / "big.json").write_bytes(b" " * 3_000_001)
    read: list[tuple[str, ...]] = []
    original = git_tree._git

    def spied(repository: Path, *arguments: str) -> bytes:
        read.append(arguments)
        return original(repository, *arguments)

    monkeypatch.setattr(git_tree, "_git", spied)
    found = reviewed(offered)

    assert codes(found) == [("S004", f"{PLACE}/big.json")]
    assert found.problems[0].found == "3000001 bytes"
    blob = git(offered, "rev-parse", f"offer:{PLACE}/big.json")
    assert ("cat-file", "-s", blob) in read
    assert ("cat-file", "blob", blob) not in read


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a\nb.json", r"a\nb.json"),
        ("::error::x.json", "::error::x.json"),
        ("\u202efdp.json", r"\u202efdp.json"),
        ("x" * 130 + ".json", "x" * 130 + ".json"),
        ("con.json", "con.json"),
    ],
)
def test_hostile_names(
    name: str, shown: str, offered: Path, reviewed: Reviewed
) -> None:
    """Names that no system should have to print are printed as plain ASCII."""
    (offered / PLACE / name).write_text("{}")
    found = reviewed(offered)

    assert found.problems
    assert all(problem.file == f"{PLACE}/{shown}" for problem in found.problems)


def test_names_that_are_not_utf8(offered: Path, reviewed: Reviewed) -> None:
    """Git stores any bytes as a name."""
    raw = os.fsencode(offered / PLACE) + b"/\xff.json"
    with open(raw, "w") as file:  # noqa: PTH123  (a name that no string has)
        file.write("{}")

    assert ("S006", rf"{PLACE}/\udcff.json") in codes(reviewed(offered))


def test_a_tree_that_leads_outside(
    offered: Path, trusted: Trusted, tmp_path: Path
) -> None:
    """A tree object may call a file '..'; nothing is written there."""
    blob = git(offered, "hash-object", "-w", "bench.py")
    tree = _write_tree(offered, tmp_path, b"")
    base = git(offered, "commit-tree", tree, "-m", "Nothing")
    for entry, name in (("100644", ".."), ("40000", NAME), ("40000", FOLDER)):
        below = blob if name == ".." else tree
        line = f"{entry} {name}".encode() + b"\0" + bytes.fromhex(below)
        tree = _write_tree(offered, tmp_path, line)
    head = git(offered, "commit-tree", tree, "-p", base, "-m", "Evil")

    found = review_pull_request(offered, trusted, base=base, head=head)
    assert found.name == NAME
    assert not found.valid


@pytest.mark.parametrize("name", ["..", ".", "My-Method", "x" * 300, "a b", "\u202ea"])
def test_s020_folders_that_no_method_is_called(
    name: str, offered: Path, trusted: Trusted, tmp_path: Path
) -> None:
    """A tree object may call a folder anything; nothing is written for it."""
    blob = git(offered, "hash-object", "-w", "bench.py")
    tree = _write_tree(offered, tmp_path, b"")
    base = git(offered, "commit-tree", tree, "-m", "Nothing")
    for mode, entry in (("100644", MANIFEST), ("40000", name), ("40000", FOLDER)):
        below = blob if entry == MANIFEST else tree
        line = f"{mode} {entry}".encode() + b"\0" + bytes.fromhex(below)
        tree = _write_tree(offered, tmp_path, line)
    head = git(offered, "commit-tree", tree, "-p", base, "-m", "Evil")

    found = review_pull_request(offered, trusted, base=base, head=head)
    assert [problem.code for problem in found.problems] == ["S020"]
    assert found.checked is None


def _write_tree(repository: Path, folder: Path, data: bytes) -> str:
    """Store a tree object that git itself would not make."""
    (folder / "tree").write_bytes(data)
    arguments = ("hash-object", "-t", "tree", "-w", "--literally")
    return git(repository, *arguments, str(folder / "tree"))


def test_unknown_revision(offered: Path, trusted: Trusted) -> None:
    """A base that is not there is a usage error with git's own words."""
    expected = "git merge-base failed in .*nowhere.*Give a git repository and commits"
    with pytest.raises(UserError, match=expected):
        review_pull_request(offered, trusted, base="nowhere", head="offer")


def test_options_are_no_revisions(offered: Path, trusted: Trusted) -> None:
    """A branch that is called like an option is not one."""
    with pytest.raises(UserError, match="git merge-base failed"):
        review_pull_request(offered, trusted, base="main", head="--output=x")
    assert not (offered / "x").exists()


def test_no_repository(tmp_path: Path, trusted: Trusted) -> None:
    """A folder that git does not know, or that is not there, is named."""
    with pytest.raises(UserError, match=r"git merge-base failed in .*not a git"):
        review_pull_request(tmp_path, trusted, base="main", head="offer")
    with pytest.raises(UserError, match=r"git could not be run in .*nowhere"):
        review_pull_request(tmp_path / "nowhere", trusted, base="main", head="offer")
