import shutil
from pathlib import Path

import pytest

from bench.errors import RunFailedError
from bench.reproduction import cage
from bench.reproduction.cage import Cage, find_cage, scrubbed


def test_a_runner_gets_the_workspace(tmp_path: Path) -> None:
    """It is started with it as the only argument, and nothing of ours around it."""
    runner = tmp_path / "run.sh"
    runner.write_text("#!/bin/sh\n")
    runner.chmod(0o755)

    found = find_cage(runner, scratch=tmp_path)

    assert found.kind == "runner"
    assert found.command(tmp_path, tmp_path / "w") == [str(runner), f"{tmp_path}/w"]


def test_a_runner_keeps_the_environment_and_nothing_else_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It isolates by itself, and may have to be told where its daemon listens."""
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/user/1000/docker.sock")
    assert "DOCKER_HOST" in Cage("runner", tmp_path).environment(tmp_path)
    assert "DOCKER_HOST" not in Cage("process").environment(tmp_path)
    assert "DOCKER_HOST" not in Cage("namespaces").environment(tmp_path)


@pytest.mark.parametrize("mode", [None, 0o644])
def test_a_runner_has_to_be_a_program(tmp_path: Path, mode: int | None) -> None:
    """One that is missing or cannot be started is reported before anything runs."""
    runner = tmp_path / "run.sh"
    if mode is not None:
        runner.write_text("#!/bin/sh\n")
        runner.chmod(mode)

    with pytest.raises(RunFailedError, match="is not a program that can be started"):
        find_cage(runner, scratch=tmp_path)


def test_less_isolation_is_had_and_named_where_more_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without unshare limits are all there is; where it fails less is tried."""
    works: list[str] = ["network"]
    monkeypatch.setattr(cage, "_works", lambda kind, _scratch: kind in works)
    assert find_cage(None, scratch=tmp_path).kind == "network"
    works.clear()
    assert find_cage(None, scratch=tmp_path).kind == "process"
    monkeypatch.undo()

    monkeypatch.setattr(shutil, "which", lambda _name: None)
    assert find_cage(None, scratch=tmp_path).kind == "process"


def test_the_child_is_started_without_the_callers_paths(tmp_path: Path) -> None:
    """Isolated mode, the parent's own package, and a workspace of a fixed name."""
    plain = Cage("process").command(tmp_path, tmp_path / "w")
    caged = Cage("namespaces").command(tmp_path, tmp_path / "w")

    assert plain[1:4] == ["-I", "-B", "-c"]
    assert plain[-1] == f"{tmp_path}/w"
    assert caged[0] == "unshare"
    assert caged[-1] == "/workspace"


def test_the_environment_is_our_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of the caller's but the number of threads."""
    monkeypatch.setenv("GITHUB_SHA", "1" * 40)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")

    found = scrubbed(tmp_path)

    assert "GITHUB_SHA" not in found
    assert found["OMP_NUM_THREADS"] == "3"
    assert found["HOME"] == str(tmp_path)
