import platform
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from bench.results import provenance
from bench.results.provenance import (
    PACKAGES,
    bench_version,
    git_state,
    package_version,
    take_provenance,
)

IDENTITY = ("-c", "user.name=A", "-c", "user.email=a@example.org")


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder."""
    program = shutil.which("git")
    if program is None:
        pytest.skip("git is not installed")
    done = subprocess.run(
        [program, *IDENTITY, *arguments],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Make a repository with one commit."""
    git(tmp_path, "init", "--quiet")
    (tmp_path / "file").write_text("one")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "--quiet", "--no-gpg-sign", "-m", "one")
    return tmp_path


def test_version_of_a_package() -> None:
    """An installed package has its version, an absent one none."""
    assert package_version("numpy") == np.__version__
    assert package_version("no-such-distribution-anywhere") is None


def test_own_version_without_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkout that is not installed says so."""
    monkeypatch.setattr(provenance, "DISTRIBUTION", "no-such-distribution-anywhere")

    assert bench_version() == "not installed"


def test_clean_checkout(checkout: Path) -> None:
    """The commit is the head; nothing is uncommitted."""
    assert git_state(checkout) == (git(checkout, "rev-parse", "HEAD"), False)


@pytest.mark.parametrize("name", ["file", "new"], ids=["changed", "untracked"])
def test_dirty_checkout(checkout: Path, name: str) -> None:
    """A changed or an untracked file makes the checkout dirty."""
    (checkout / name).write_text("two")

    assert git_state(checkout) == (git(checkout, "rev-parse", "HEAD"), True)


def test_folder_inside_a_checkout_is_not_one(checkout: Path) -> None:
    """Some repository further up says nothing about a folder."""
    inside = checkout / "inside"
    inside.mkdir()

    assert git_state(inside) == (None, None)


def test_repository_without_a_commit(tmp_path: Path) -> None:
    """Before the first commit there is no state."""
    git(tmp_path, "init", "--quiet")

    assert git_state(tmp_path) == (None, None)


def test_without_git(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where git is not installed there is no state."""
    monkeypatch.setenv("PATH", str(checkout))

    assert git_state(checkout) == (None, None)


def test_provenance_holds_what_it_was_given(tmp_path: Path) -> None:
    """Device, type, threads and seed are recorded as they come."""
    found = take_provenance(
        device="cpu", dtype="float32", threads=2, seed=7, checkout=tmp_path
    )

    assert (found.device, found.dtype) == ("cpu", "float32")
    assert (found.threads, found.seed) == (2, 7)
    assert (found.git_commit, found.git_dirty) == (None, None)
    assert found.python == platform.python_version()
    assert found.bench == bench_version()


def test_provenance_lists_installed_packages_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A package that is not installed has no entry."""
    versions = {"numpy": "2.1", "torch": None}
    monkeypatch.setattr(provenance, "package_version", versions.get)
    found = take_provenance(
        device="cpu", dtype="float32", threads=2, seed=7, checkout=tmp_path
    )

    assert "torch" in PACKAGES
    assert found.packages == {"numpy": "2.1"}


def test_provenance_ends_now(tmp_path: Path) -> None:
    """The time is UTC, to the second."""
    found = take_provenance(
        device="cpu", dtype="float32", threads=2, seed=7, checkout=tmp_path
    )
    finished = datetime.fromisoformat(found.finished)

    assert finished.utcoffset() == timedelta(0)
    assert finished.microsecond == 0
    assert abs(datetime.now(UTC) - finished) < timedelta(minutes=5)
