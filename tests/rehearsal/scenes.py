"""The scenes of the rehearsal. Each raises SceneError where something is amiss."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.tasks.digest import sha256_of_file
from tests.rehearsal.hub import git
from tests.rehearsal.methods import ATTACKER, GOOD
from tests.rehearsal.runner import Run
from tests.rehearsal.seed import bench
from tests.rehearsal.spoils import (
    METHOD,
    REJECTED,
    Spoil,
    edit,
    forge_claims,
    forge_values,
    write,
)
from tests.rehearsal.stage import (
    BOARD,
    TESTS,
    NotAllowedError,
    Reviewed,
    Stage,
)


class SceneError(AssertionError):
    """The cycle is not as it should be."""


def expect(holds: object, what: str, *runs: Run) -> None:
    """Raise, with the logs of what ran, unless something holds."""
    if not holds:
        logs = "\n".join(f"--- {run.workflow}\n{run.log}" for run in runs)
        raise SceneError(f"expected: {what}\n{logs}")


def write_submission(stage: Stage, results: Path) -> str:
    """Evaluate Ada's method, unless it was, and submit it in her fork; the branch."""
    clone = stage.hub.fork("ada")
    file = results.parent / "ada.py"
    file.write_text(GOOD.replace("{name}", METHOD))
    if not results.exists():
        bench("evaluate", file, "--out", results, at=clone)
    bench("submit", file, "--results", results, "--write", at=clone)
    return f"submit-{METHOD}"


def copy_submission(stage: Stage, answers: Path, *, author: str, name: str) -> str:
    """Submit Ada's answers as those of a method that attacks; the branch with them."""
    clone = stage.hub.fork(author)
    file = stage.folder / f"{author}.py"
    file.write_text(ATTACKER.replace("{name}", name))
    results = stage.folder / f"{author}-results"
    shutil.copytree(answers, results)
    key = {
        "name": name,
        "source": file.name,
        "source_sha256": sha256_of_file(file),
    }
    for path in results.glob("*/*.json"):
        edit(path, lambda record: record["method"].update(key))
    bench("submit", file, "--results", results, "--write", at=clone)
    return f"submit-{name}"


def good(stage: Stage, branch: str) -> None:
    """A submission is reviewed, run, merged, run again, and ranked as reproduced."""
    reviewed = stage.ask("ada", branch)
    review = reviewed.review
    expect(review.passed, "the submission passes", review)
    states = {name: job.result for name, job in review.jobs.items()}
    expect(set(states.values()) == {"success"}, f"every job runs: {states}", review)
    expect(METHOD in review.jobs["review"].summary, "the summary shows its row", review)
    skipped = reviewed.runs[TESTS].jobs["test"].result
    expect(skipped == "skipped", "data alone starts no tests", reviewed.runs[TESTS])
    started = stage.merge(reviewed)
    expect(set(started) == {BOARD}, f"a merge starts the board alone: {set(started)}")
    board = started[BOARD]
    expect(board.passed, "the board is generated", board)
    check_board(stage, board)


def check_board(stage: Stage, board: Run) -> None:
    """The board's pull request shows the submission as reproduced, and is merged."""
    merged = stage.hub.commit("main")
    proposed = stage.hub.commit("board")
    rows = json.loads(stage.hub.read(proposed, "leaderboard.json"))["rows"]
    tiers = {row["method"]: row["tier"] for row in rows}
    expect(tiers.get(METHOD) == "reproduced", f"it is reproduced: {tiers}", board)
    record = json.loads(
        stage.hub.read(proposed, f"records/reproductions/{METHOD}.json")
    )
    expect(record["commit"] == merged, "circuits derive from the merge", board)
    expect(events(stage, proposed) >= {"added", "reproduced"}, "the ledger says so")
    asked = (stage.service.notes / "pull-requests.jsonl").read_text().splitlines()
    expect(len(asked) == 1, "one pull request is open", board)
    started = stage.force(proposed)
    expect(set(started) == {TESTS}, f"its merge starts the tests alone: {set(started)}")
    expect(
        started[TESTS].jobs["scope"].outputs["board"] == "board",
        "an up-to-date board is checked again",
        started[TESTS],
    )


def events(stage: Stage, commit: str, method: str = METHOD) -> set[str]:
    """Return what the ledger of a commit says happened to a submission."""
    lines = stage.hub.read(commit, "records/ledger.jsonl").splitlines()
    told = [json.loads(line) for line in lines]
    return {line["event"] for line in told if line["method"] == method}


def withdrawn(stage: Stage) -> None:
    """A withdrawal is reviewed, merged, and takes the row off the board."""
    clone = stage.hub.fork("ada")
    git("fetch", "--quiet", stage.hub.upstream, "main", at=clone)
    git("reset", "--quiet", "--hard", "FETCH_HEAD", at=clone)
    git("push", "--quiet", "origin", "HEAD:main", at=clone)
    bench("withdraw", METHOD, "--reason", "A sign was wrong.", "--write", at=clone)
    reviewed = stage.ask("ada", f"withdraw-{METHOD}")
    review = reviewed.review
    expect(review.passed, "the withdrawal passes", review)
    expect(review.jobs["reproduce"].result == "skipped", "nothing is run", review)
    board = stage.merge(reviewed)[BOARD]
    expect(board.passed, "the board is generated", board)
    proposed = stage.hub.commit("board")
    rows = json.loads(stage.hub.read(proposed, "leaderboard.json"))["rows"]
    shown = {row["method"] for row in rows}
    expect(METHOD not in shown, f"its row is gone: {shown}", board)
    expect("withdrawn" in events(stage, proposed), "the ledger says so", board)


@contextmanager
def spoilt(stage: Stage, branch: str, spoil: Spoil) -> Iterator[str]:
    """Make a branch with a good submission that is spoilt before it is committed."""
    clone = stage.hub.folder / "ada"
    git("checkout", "--quiet", "--detach", branch, at=clone)
    spoil(clone)
    stage.commit("ada", "spoilt")
    yield "spoilt"
    git("checkout", "--quiet", "--force", "main", at=clone)
    git("clean", "--quiet", "-ffdx", at=clone)


def rejected(stage: Stage, branch: str, kind: str) -> Reviewed:
    """A pull request is refused for what is wrong with it, and nothing of it is run."""
    spoil, code = REJECTED[kind]
    with spoilt(stage, branch, spoil) as bad:
        reviewed = stage.ask("ada", bad)
    review = reviewed.review
    expect(review.jobs["review"].result == "failure", f"{kind} is refused", review)
    expect(review.jobs["reproduce"].result == "skipped", "nothing is run", review)
    expect(reviewed.codes, f"{kind} has a code", review)
    expect(not code or code in reviewed.codes, f"{code}: {reviewed.codes}", review)
    kinds = {name for name, _ in review.commands}
    expect(kinds <= {"error", "notice"}, f"bench alone speaks: {kinds}", review)
    expect("S000" not in reviewed.codes, "bench alone names codes", review)
    expect(review.jobs["review"].summary, "the summary says why", review)
    refuse(stage, reviewed)
    return reviewed


def refuse(stage: Stage, reviewed: Reviewed, *, read: bool = False) -> None:
    """Check that a pull request cannot be merged."""
    try:
        stage.merge(reviewed, read=read)
    except NotAllowedError:
        return
    raise SceneError("expected: it cannot be merged")


CANARY = "validator-of-the-pull-request-ran"


def own_validator(clone: Path) -> None:
    """Bring a package that leaves a trace when it is imported, and finds no problem."""
    init = clone / "bench" / "__init__.py"
    init.write_text(
        init.read_text() + f"import os, pathlib\n"
        f"pathlib.Path(os.environ.get('HOME', '/tmp'), '{CANARY}').touch()\n"
    )
    write("sitecustomize.py", "import os\nos._exit(0)\n")(clone)


def traces(stage: Stage) -> list[Path]:
    """Find what the validator of a pull request left."""
    return list(stage.folder.rglob(CANARY))


def hostile_code(stage: Stage, branch: str) -> None:
    """A validator of the pull request's own is not started."""
    with spoilt(stage, branch, own_validator) as bad:
        reviewed = stage.ask("ada", bad)
    expect(not traces(stage), "nothing of it runs", reviewed.review)
    expect("S050" in reviewed.codes, "it is refused", reviewed.review)
    refuse(stage, reviewed, read=True)


PASSING = """\
name: submission
on: pull_request
permissions: {}
jobs:
  review:
    name: Validate the submission
    runs-on: ubuntu-24.04
    outputs: {}
    steps:
      - run: 'true'
"""


def hostile_workflow(stage: Stage, branch: str) -> None:
    """A workflow that lets itself pass needs a maintainer's reading; ours says no."""

    def spoil(clone: Path) -> None:
        forge_claims(clone)
        write(".github/workflows/submission.yml", PASSING)(clone)

    with spoilt(stage, branch, spoil) as bad:
        reviewed = stage.ask("ada", bad)
        ours = stage.ask("ada", bad, files=stage.hub.commit("main"))
    expect(reviewed.review.passed, "it passes by its own measure", reviewed.review)
    refuse(stage, reviewed)
    expect("S050" in ours.codes, "it does not pass by ours", ours.review)


def forced(stage: Stage, branch: str) -> None:
    """What was merged without a review is not published."""
    before = stage.hub.commit("main")
    with spoilt(stage, branch, forge_values) as bad:
        git("push", "--quiet", "--force", "origin", bad, at=stage.hub.folder / "ada")
        head = git("rev-parse", bad, at=stage.hub.folder / "ada")
        fork = stage.hub.folder / "ada.git"
        git("fetch", "--quiet", fork, bad, at=stage.hub.upstream)
        git("update-ref", "refs/pull/past", head, at=stage.hub.upstream)
    run = stage.force(head)[BOARD]
    results = {name: job.result for name, job in run.jobs.items()}
    expect(results.pop("pending") == "failure", "the tree is validated again", run)
    expect(set(results.values()) == {"skipped"}, f"nothing else runs: {results}", run)
    stage.hub.rewind(before)


def attack(stage: Stage, answers: Path) -> None:
    """A method that attacks the runner reaches nothing of it, and is refused."""
    branch = copy_submission(stage, answers, author="eve", name="eves-method")
    reviewed = stage.ask("eve", branch)
    review = reviewed.review
    run = review.jobs["reproduce"]
    expect(run.result == "failure", "the method is run, and refused", review)
    expect("the attacker says so" in run.log, "it spoke", review)
    kinds = {name for name, _ in run.commands}
    expect(kinds <= {"notice"}, f"the runner hears nothing of it: {kinds}", review)
    expect("it sees <>" in run.log, "no variable of the runner is seen", review)
    expect("job-token" not in review.log, "the log shows no token", review)
    refuse(stage, reviewed)
