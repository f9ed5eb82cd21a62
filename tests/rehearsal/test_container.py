"""The script around ``docker run``: what it asks for, and how it ends.

There is no daemon in the tests: a stand-in writes down its arguments.
"""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / ".github" / "run-in-container.sh"
LIMITS = {"memory_gb": 1.5, "timeout_s": 12.25, "processes": 64, "file_mb": 3}

STAND_IN = """\
#!/bin/bash
printf '%s\\n' "$@" >> "{notes}"
echo -- >> "{notes}"
if [[ $1 == run ]]; then {run}; fi
"""

Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A folder as the trusted side prepares it."""
    folder = tmp_path / "workspace"
    (folder / "answers").mkdir(parents=True)
    (folder / "request.json").write_text(json.dumps({"limits": LIMITS}))
    return folder


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Start the script with a ``docker`` that does as told."""

    def begin(*arguments: str | Path, run: str = "exit 0") -> subprocess.Popen[bytes]:
        program = tmp_path / "programs" / "docker"
        program.parent.mkdir()
        program.write_text(STAND_IN.format(notes=tmp_path / "notes", run=run))
        program.chmod(0o755)
        path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
        with (tmp_path / "said").open("w") as said:
            return subprocess.Popen(
                [SCRIPT, *arguments], env={"PATH": path}, stderr=said
            )

    return begin


def calls(folder: Path) -> list[list[str]]:
    """Return the calls of ``docker``."""
    blocks = (folder / "notes").read_text().split("--\n")
    return [block.splitlines() for block in blocks if block]


def pairs(call: Sequence[str]) -> set[tuple[str, str]]:
    """Return every word with the next."""
    return set(pairwise(call))


def test_the_container_has_what_the_request_allows_and_no_more(
    start: Start, workspace: Path, tmp_path: Path
) -> None:
    """No network, no writing but of answers, no rights, and every limit."""
    assert start(workspace).wait() == 0
    call = calls(tmp_path)[0]
    assert call[0] == "run"
    assert {"--rm", "--read-only"} <= set(call)
    user = "65534:65534" if os.getuid() == 0 else f"{os.getuid()}:{os.getgid()}"
    expected = {
        "--network": "none",
        "--ipc": "none",
        "--pull": "never",
        "--cap-drop": "ALL",
        "--security-opt": "no-new-privileges",
        "--memory": "2g",
        "--memory-swap": "2g",
        "--pids-limit": "64",
        "--cpus": "2",
        "--user": user,
        "--entrypoint": "timeout",
    }
    assert set(expected.items()) <= pairs(call)
    assert {("--ulimit", "core=0"), ("--ulimit", f"fsize={3 * 2**20}")} <= pairs(call)
    assert call[-7:] == [
        *("--kill-after=10", "13"),
        *("python", "-I", "-m", "bench.reproduction.child", "/workspace"),
    ]
    forbidden = {"--privileged", "--cap-add", "--device", "--volume", "-v", "--pid"}
    assert not forbidden & set(call)


def test_only_the_workspace_is_mounted_and_only_answers_can_be_written(
    start: Start, workspace: Path, tmp_path: Path
) -> None:
    """Two mounts, the outer one read only."""
    start(workspace).wait()
    call = calls(tmp_path)[0]
    mounts = [b for a, b in pairwise(call) if a == "--mount"]
    assert mounts == [
        f"type=bind,source={workspace},target=/workspace,readonly",
        f"type=bind,source={workspace}/answers,target=/workspace/answers",
    ]


def test_how_the_method_ended_is_passed_on(start: Start, workspace: Path) -> None:
    """A clock that ran out is a failure."""
    assert start(workspace, run="exit 124").wait() == 124


def test_a_container_does_not_outlive_the_script(
    start: Start, workspace: Path, tmp_path: Path
) -> None:
    """Who is told to end ends the container as well, by its own name."""
    process = start(workspace, run="exec sleep 60")
    while not (tmp_path / "notes").exists():
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 143
    first, last = calls(tmp_path)
    assert last == ["kill", first[first.index("--name") + 1]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], r"usage: run-in-container.sh WORKSPACE"),
        (["missing"], r"usage: run-in-container.sh WORKSPACE.*found: missing"),
    ],
)
def test_other_arguments_are_refused(
    start: Start, tmp_path: Path, arguments: list[str], message: str
) -> None:
    """One folder, prepared."""
    assert start(*arguments).wait() == 2
    assert re.search(message, (tmp_path / "said").read_text())


def test_a_path_that_would_be_an_option_is_refused(
    start: Start, tmp_path: Path
) -> None:
    """A comma in a path would start another option of the mount."""
    folder = tmp_path / "a,readonly=false"
    (folder / "answers").mkdir(parents=True)
    assert start(folder).wait() == 2
    said = (tmp_path / "said").read_text()
    assert "may hold no comma and no quote; found: " in said


def test_a_request_without_limits_starts_nothing(
    start: Start, workspace: Path, tmp_path: Path
) -> None:
    """Without a limit there is no run."""
    (workspace / "request.json").write_text("{}")
    assert start(workspace).wait() != 0
    assert not (tmp_path / "notes").exists() or calls(tmp_path)[0][0] != "run"
