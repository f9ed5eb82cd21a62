"""What every workflow file has to say, besides what zizmor and the schema ask."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.rehearsal.workflow import Event, Workflow

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
WORKFLOWS = {file.name: Workflow.parse(file.read_text()) for file in FILES}
CALLED = re.compile(r"\b(python|pip|bench|uv|make)\b")


def jobs() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield all jobs of all workflows."""
    for file, workflow in WORKFLOWS.items():
        for name, job in workflow.in_order():
            yield f"{file}/{name}", dict(job)


def steps(job: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the steps of a job."""
    yield from job["steps"]


@pytest.mark.parametrize("file", WORKFLOWS)
def test_nothing_is_permitted_but_what_a_job_asks_for(file: str) -> None:
    """Every workflow starts from no permission, every job names its own and a limit."""
    document = WORKFLOWS[file].document
    assert document["permissions"] == {}
    assert "concurrency" in document
    assert document["defaults"]["run"]["shell"] == "bash"
    for job in document["jobs"].values():
        assert job["permissions"]
        assert job["timeout-minutes"] <= 180
        assert job["runs-on"] == "ubuntu-24.04"


def test_pull_requests_start_workflows_without_privileges_only() -> None:
    """No event gives a stranger's pull request the repository's own rights."""
    allowed = {"pull_request", "push", "schedule", "workflow_dispatch"}
    for workflow in WORKFLOWS.values():
        triggers = workflow.document["on"]
        assert set(triggers) <= allowed


def test_one_job_writes_and_it_runs_git_and_gh_alone() -> None:
    """Whoever holds a token that can write starts no code, installed or submitted."""
    writers = {
        name: job
        for name, job in jobs()
        if set(job["permissions"].values()) != {"read"}
    }
    assert set(writers) == {"board.yml/propose"}
    for job in writers.values():
        for step in steps(job):
            assert not CALLED.search(step.get("run", ""))
            assert "setup" not in step.get("uses", "")


def test_scripts_of_the_writing_job_start_no_code() -> None:
    """The same holds for what that job calls."""
    for name in ("take-board.sh", "propose-board.sh"):
        lines = (ROOT / ".github" / name).read_text().splitlines()
        code = "\n".join(x for x in lines if not x.lstrip().startswith("#"))
        assert not CALLED.search(code)


def test_no_expression_becomes_a_part_of_a_script() -> None:
    """What an event brings reaches scripts as variables alone."""
    for name, job in jobs():
        for step in steps(job):
            assert "${{" not in step.get("run", ""), name


def test_no_secret_no_cache_no_credentials_on_disk() -> None:
    """One job uses its own token; nothing else is known, kept or left behind."""
    for file in FILES:
        text = file.read_text()
        assert "secrets." not in text
        assert "cache" not in text.lower()
        assert text.count("github.token") == (1 if file.name == "board.yml" else 0)
    for name, job in jobs():
        for step in steps(job):
            if "checkout" in step.get("uses", ""):
                assert step["with"]["persist-credentials"] is False, name


def test_actions_are_pinned_to_one_commit_each() -> None:
    """A tag can be moved, a commit cannot; the version is said beside it."""
    pins: dict[str, set[str]] = {}
    for file in FILES:
        for line in file.read_text().splitlines():
            found = re.search(r"uses: (\S+)@(\S+)(.*)", line)
            if found:
                assert re.fullmatch("[0-9a-f]{40}", found[2])
                assert re.fullmatch(r" # v\d+\.\d+\.\d+", found[3])
                pins.setdefault(found[1], set()).add(found[2])
    assert all(len(versions) == 1 for versions in pins.values())
    assert set(pins) == {
        f"actions/{name}"
        for name in ("checkout", "setup-python", "upload-artifact", "download-artifact")
    }


@pytest.mark.parametrize(
    ("changed", "started"),
    [
        (["submissions/x/submission.json"], {"board.yml"}),
        (["records/ledger.jsonl", "leaderboard.json"], {"tests.yml"}),
        (["bench/api.py"], {"tests.yml"}),
        (["bench/api.py", "submissions/x/README.md"], {"board.yml", "tests.yml"}),
    ],
)
def test_pushes_start_what_they_need(changed: list[str], started: set[str]) -> None:
    """A merged submission starts no tests, a merged board no other board."""
    event = Event("push", {}, sha="0" * 40, ref="refs/heads/main", changed=changed)
    assert {f for f, w in WORKFLOWS.items() if w.starts_on(event)} == started


def test_every_pull_request_is_looked_at() -> None:
    """Required checks have to start always; what they need they decide themselves."""
    event = Event("pull_request", {}, sha="0" * 40, ref="x", changed=["a"])
    started = {file for file, w in WORKFLOWS.items() if w.starts_on(event)}
    assert started == {"submission.yml", "tests.yml"}


def test_nightly_verifies_every_reference_of_core() -> None:
    """The list in the workflow is the suite's."""
    import tomllib

    suites = tomllib.loads((ROOT / "tasks" / "suites.toml").read_text())
    job = WORKFLOWS["nightly.yml"].document["jobs"]["references"]
    assert job["strategy"]["matrix"]["task"] == suites["core"]["tasks"]


def test_the_base_image_is_one_image() -> None:
    """A tag can be moved; a digest cannot."""
    lines = (ROOT / ".github/container/Dockerfile").read_text().splitlines()
    images = [line for line in lines if line.startswith("FROM")]
    assert [bool(re.search("@sha256:[0-9a-f]{64}$", x)) for x in images] == [True]


def test_dependencies_are_watched() -> None:
    """Actions, the image and the packages get proposals, some days after a release."""
    updates = yaml.safe_load((ROOT / ".github/dependabot.yml").read_text())["updates"]
    watched = {update["package-ecosystem"] for update in updates}
    assert watched == {"github-actions", "docker", "pip"}
    assert all(update["cooldown"]["default-days"] >= 7 for update in updates)
