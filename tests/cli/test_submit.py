"""``bench submit``: nothing is written unless it is asked for, and then aside."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.submissions.manifest import MANIFEST, README, read_manifest
from bench.tasks.digest import sha256_of_file
from tests.gitrepo import commit_all, git, set_up_user, snapshot

Bench = Callable[..., Any]
Results = Callable[..., Path]
FILES = {MANIFEST, README, "induction-early.json", "induction-late.json"}

pytestmark = pytest.mark.usefixtures("few_resamples")


@pytest.fixture(autouse=True)
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder with a git user, and nothing else of this machine's settings."""
    return set_up_user(tmp_path / "home", monkeypatch)


@pytest.fixture
def repo(repository: Path) -> Path:
    """The synthetic repository, under git, with work on another branch going on."""
    git(repository, "init", "--quiet", "--initial-branch", "main")
    commit_all(repository, "First")
    git(repository, "switch", "--quiet", "--create", "work")
    (repository / "notes").write_text("mine")
    git(repository, "add", "notes")
    (repository / "notes").write_text("mine, again")
    return repository


def holds(folder: Path) -> set[str]:
    """Return the names of a folder's files."""
    return {path.name for path in folder.iterdir()}


def test_a_dry_run(
    bench: Bench, write_results: Results, repo: Path, tmp_path: Path
) -> None:
    """Without --write everything is said, and nothing written anywhere."""
    results = write_results()
    before = snapshot(tmp_path)
    ran = bench("submit", "my-method", "--results", results)

    assert ran.code == 0
    assert snapshot(tmp_path) == before
    lines = ran.out.splitlines()
    assert lines[:4] == ["Submit my-method", "", "Say something.", ""]
    assert lines[4] == "- suite: core 1.0, 2 of 2 tasks"
    assert lines[5].startswith("- mean skill on them: 0.")
    assert lines[6].startswith("- code: none, so that it cannot be run again")
    assert lines[7].startswith("- digest: `")
    assert ran.err.startswith("Nothing was written. submissions/my-method would hold\n")
    for name in FILES:
        assert f"\n  {name}: " in ran.err
    assert "The same command with --write makes the branch submit-my-method.\n" in (
        ran.err
    )
    assert ran.err.endswith("It would start from main.\n")


def test_a_branch(bench: Bench, write_results: Results, repo: Path) -> None:
    """With --write there is a branch with the submission, and nothing else changed."""
    results = write_results()
    before = snapshot(repo)
    ran = bench("submit", "my-method", "--results", results, "--write")

    assert ran.code == 0
    assert snapshot(repo, ignore=["refs/heads/submit-my-method"]) == before
    assert ran.out.startswith("Submit my-method\n\nSay something.\n\n- suite: core")
    assert ran.err.startswith("Made the branch submit-my-method from main, commit ")
    assert "\n  git push REMOTE submit-my-method\n" in ran.err
    changed = git(repo, "diff", "--name-only", "main", "submit-my-method").split()
    assert {Path(name).name for name in changed} == FILES
    git(repo, "stash", "--quiet")
    git(repo, "switch", "--quiet", "submit-my-method")
    assert bench("validate", repo / "submissions" / "my-method").code == 0


def test_only_the_folder(bench: Bench, write_results: Results, repo: Path) -> None:
    """With --no-git there is the folder, whose name is all of stdout."""
    results = write_results()
    ran = bench("submit", "my-method", "--results", results, "--write", "--no-git")

    folder = repo / "submissions" / "my-method"
    assert (ran.code, ran.out, ran.err) == (0, f"{folder}\n", "")
    assert holds(folder) == FILES
    assert git(repo, "branch", "--list", "submit-*") == ""
    assert bench("validate", folder).code == 0


def test_without_a_repository(
    bench: Bench, write_results: Results, repository: Path
) -> None:
    """Where there is no git repository the folder is written, and that is said."""
    ran = bench("submit", "my-method", "--results", write_results(), "--write")

    folder = repository / "submissions" / "my-method"
    assert ran.code == 0
    assert ran.out.startswith("Submit my-method\n\n")
    assert ran.err == (
        f"'{repository}' is not the top of a git repository, or git is not installed. "
        f"Wrote the folder alone: {folder}\n"
    )
    assert holds(folder) == FILES


def test_a_repository_further_up(
    bench: Bench, write_results: Results, repository: Path, tmp_path: Path
) -> None:
    """Somebody else's repository around this one gets no branch."""
    git(tmp_path, "init", "--quiet")
    before = snapshot(tmp_path / ".git")
    ran = bench("submit", "my-method", "--results", write_results(), "--write")

    assert ran.code == 0
    assert snapshot(tmp_path / ".git") == before
    assert holds(repository / "submissions" / "my-method") == FILES


def test_a_folder_elsewhere(
    bench: Bench, write_results: Results, repo: Path, tmp_path: Path
) -> None:
    """A folder of one's own is written and is no part of the repository."""
    before = snapshot(repo)
    out = ("--out", tmp_path / "out")
    results = write_results()
    ran = bench("submit", "my-method", "--results", results, *out)
    assert f"makes the folder {tmp_path / 'out' / 'my-method'}.\n" in ran.err
    assert not (tmp_path / "out").exists()
    ran = bench("submit", "my-method", "--results", results, *out, "--write")

    assert (ran.code, ran.out) == (0, f"{tmp_path / 'out' / 'my-method'}\n")
    assert holds(tmp_path / "out" / "my-method") == FILES
    assert snapshot(repo) == before


def test_twice(bench: Bench, write_results: Results, repo: Path) -> None:
    """A branch that is there is left; a dry run says so before."""
    line = ("submit", "my-method", "--results", write_results())
    assert bench(*line, "--write").code == 0
    before = snapshot(repo)

    ran = bench(*line, "--write")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("There is a branch 'submit-my-method' already")
    ran = bench(*line)
    assert ran.code == 0
    assert "Before that: There is a branch 'submit-my-method' already" in ran.err
    assert snapshot(repo) == before


def test_another_base(bench: Bench, write_results: Results, repo: Path) -> None:
    """The branch to start from may be named."""
    line = ("submit", "my-method", "--results", write_results())
    ran = bench(*line, "--write", "--base", "none")
    assert ran.code == 2
    assert "has no branch 'none' to start from" in ran.err
    ran = bench(*line, "--write", "--base", "work")
    assert ran.code == 0
    assert "from work, commit" in ran.err


def test_an_update_keeps_the_readme(
    bench: Bench, write_results: Results, repo: Path, tmp_path: Path
) -> None:
    """A text that was submitted before stays, unless another one is given."""
    text = tmp_path / "text.md"
    text.write_text("# What it is\n")
    line = ("submit", "my-method", "--results", write_results(), "--write")
    assert bench(*line, "--readme", text).code == 0
    path = "submissions/my-method/README.md"
    assert git(repo, "show", f"submit-my-method:{path}") == "# What it is"

    git(repo, "branch", "--move", "submit-my-method", "merged")
    write_results(flat=0.5)
    assert bench(*line, "--base", "merged").code == 0
    assert git(repo, "show", f"submit-my-method:{path}") == "# What it is"
    assert git(repo, "rev-parse", "submit-my-method^", "merged").count("\n") == 1

    git(repo, "branch", "--move", "submit-my-method", "second")
    (repo / path).parent.mkdir(parents=True)
    (repo / path).write_text("# Better said\n")
    assert bench(*line, "--base", "second").code == 0
    assert git(repo, "show", f"submit-my-method:{path}") == "# Better said"


@pytest.mark.parametrize("option", [[], ["--write"], ["--write", "--no-git"]])
def test_what_would_be_refused(
    option: list[str], bench: Bench, write_results: Results, repo: Path, tmp_path: Path
) -> None:
    """A submission is validated first; with problems nothing is made."""
    text = tmp_path / "text.md"
    text.write_bytes(b"turned \xe2\x80\xae around")
    results = write_results()
    before = snapshot(repo)
    ran = bench("submit", "my-method", "--results", results, "--readme", text, *option)

    assert (ran.code, ran.out) == (3, "")
    assert ran.err.startswith("The submission would be refused:\n  S012 README.md ")
    assert snapshot(repo) == before


def test_a_readme_that_is_not_there(
    bench: Bench, write_results: Results, tmp_path: Path
) -> None:
    """A missing text is named."""
    line = ("submit", "my-method", "--results", write_results())
    ran = bench(*line, "--readme", tmp_path / "none.md")

    assert ran.code == 2
    assert "none.md' cannot be read: No such file" in ran.err


def test_no_git_leaves_what_is_not_the_submission(
    bench: Bench, write_results: Results, repo: Path
) -> None:
    """An update removes what the old one had; files of the user's stay."""
    line = ("submit", "my-method", "--write", "--no-git", "--results", write_results())
    bench(*line)
    folder = repo / "submissions" / "my-method"
    (folder / "notes.txt").write_text("mine")
    (folder / "withdrawal.json").write_text("{}")
    (folder / README).write_text("# Mine\n")
    results = write_results(flat=0.5)
    (results / "induction" / "late.json").unlink()
    assert bench(*line, "--incomplete", "too large").code == 0

    assert holds(folder) == FILES - {"induction-late.json"} | {"notes.txt"}
    assert (folder / README).read_text() == "# Mine\n"


def test_by_file(
    bench: Bench, write_results: Results, tmp_path: Path, repo: Path
) -> None:
    """A method may be named by its file, which becomes a part of the submission."""
    bench("init", "my-method", root=False)
    digest = sha256_of_file(Path("my_method.py"))
    write_results(source_sha256=digest)
    ran = bench("submit", "my_method.py", "--write")

    assert ran.code == 0
    assert "\n- code: method.py, " in ran.out
    code = git(repo, "show", "submit-my-method:submissions/my-method/method.py")
    assert code == Path("my_method.py").read_text().removesuffix("\n")


def test_a_changed_file(
    bench: Bench, write_results: Results, tmp_path: Path, repo: Path
) -> None:
    """Results of an earlier state of the file are not packed."""
    bench("init", "my-method", root=False)
    write_results()
    before = snapshot(repo)
    ran = bench("submit", "my_method.py", "--write")

    assert ran.code == 2
    assert "was changed after the results" in ran.err
    assert snapshot(repo) == before


def test_without_results(bench: Bench) -> None:
    """Missing results are a problem of the user's, with what to run."""
    ran = bench("submit", "my-method")

    assert ran.code == 2
    assert "No such file or directory" in ran.err
    assert "Run: bench evaluate METHOD --suite core; or submit what" in ran.err


def test_results_of_another_method(bench: Bench, write_results: Results) -> None:
    """A folder of results belongs to the method that is submitted."""
    ran = bench("submit", "my-method", "--results", write_results("other"))

    assert (ran.code, ran.err) == (
        2,
        "These are results of 'other', not of 'my-method'. Submit them as: bench "
        "submit other\n",
    )


@pytest.mark.parametrize("name", ["../my-method", "My_Method", "", ".", "-x/", "a b"])
def test_names_that_no_method_has(name: str, bench: Bench) -> None:
    """A path or a mistyped file is not taken for a name."""
    ran = bench("submit", "--", name, root=False)

    assert ran.code == 2
    assert ran.err.startswith(f"'{name}' is no name of a method, which has lower-case")


def test_the_text_is_no_markup(
    bench: Bench, write_results: Results, edit_json: Callable
) -> None:
    """What a method says of itself cannot format the pull request."""
    results = write_results()
    for path in results.glob("*/*.json"):
        edit_json(path, lambda r: r["method"].update(summary="<b>|*x*"))
    ran = bench("submit", "my-method", "--results", results)

    assert ran.out.splitlines()[2] == "&lt;b&gt;\\|\\*x\\*"


def test_an_incomplete_submission(bench: Bench, write_results: Results) -> None:
    """The pull request says what is missing, and why."""
    results = write_results()
    (results / "induction" / "late.json").unlink()
    ran = bench("submit", "my-method", "--results", results, "--incomplete", "too big")

    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines[4:6] == [
        "- suite: core 1.0, 1 of 2 tasks",
        "- incomplete: too big",
    ]


def test_the_digest_is_the_manifests(
    bench: Bench, write_results: Results, repository: Path
) -> None:
    """The pull request names the submission as the ledger will."""
    line = ("submit", "my-method", "--results", write_results())
    shown = bench(*line).out
    bench(*line, "--write", "--no-git")
    folder = repository / "submissions" / "my-method"

    assert f"- digest: `{read_manifest(folder).digest}`" in shown
    assert json.loads((folder / MANIFEST).read_text())["scores_version"] == 1


def test_a_package(bench: Bench, write_results: Results, tmp_path: Path) -> None:
    """A published package is named with the digests of its wheels."""
    results = write_results(origin="module")
    wheel = tmp_path / "mine-1.0-py3-none-any.whl"
    wheel.write_bytes(b"a wheel")
    line = ("submit", "my-method", "--results", results, "--wheel", wheel)
    ran = bench(*line, "--package", "mine==1.0", "--write", "--no-git")
    assert ran.code == 0
    manifest = read_manifest(Path(ran.out.strip()))
    assert manifest.code is not None
    assert manifest.code.model_dump() == {
        "kind": "package",
        "requirement": "mine==1.0",
        "sha256": (sha256_of_file(wheel),),
    }

    ran = bench(*line, "--package", "mine>=1.0")
    assert ran.code == 2
    assert "'--package mine>=1.0' is not a valid CodePackage:\n  requirement" in ran.err
    ran = bench(*line)
    assert ran.code == 2
    assert ran.err.startswith("--package and --wheel go together: ")
    ran = bench(*line[:4], "--package", "mine==1.0")
    assert ran.code == 2
    assert ran.err.startswith("--package and --wheel go together: ")


def test_a_package_of_a_file(
    bench: Bench, write_results: Results, tmp_path: Path
) -> None:
    """A method that is a file of its own comes from no package."""
    wheel = tmp_path / "mine-1.0-py3-none-any.whl"
    wheel.write_bytes(b"a wheel")
    line = ("submit", "my-method", "--results", write_results(), "--wheel", wheel)
    ran = bench(*line, "--package", "mine==1.0")

    assert ran.code == 3
    assert ran.err.startswith("The submission would be refused:\n  S029 ")
