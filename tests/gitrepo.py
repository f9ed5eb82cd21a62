"""git repositories for tests: commands, and everything there is as one dictionary."""

import os
import subprocess
from collections.abc import Collection
from pathlib import Path

import pytest


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder and return its output without the line break at the end."""
    done = subprocess.run(
        ["git", *arguments],  # noqa: S607
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.removesuffix("\n")


def set_up_user(home: Path, patch: pytest.MonkeyPatch) -> Path:
    """Make a home folder with a git user, and forget this machine's settings."""
    home.mkdir()
    for name in list(os.environ):
        if name.startswith(("GIT_", "XDG_")):
            patch.delenv(name)
    patch.setenv("HOME", str(home))
    patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    git(home, "config", "--global", "user.name", "Some One")
    git(home, "config", "--global", "user.email", "some@one.example")
    return home


def begin_checkout(folder: Path) -> Path:
    """Make a repository with a user and nothing on its main branch yet."""
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "config", "user.name", "Somebody")
    git(folder, "config", "user.email", "somebody@example.org")
    return folder


def commit_all(folder: Path, message: str) -> None:
    """Commit everything that is in the working tree."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", message)


def snapshot(top: Path, *, ignore: Collection[str] = ()) -> dict[str, object]:
    """Take the bytes and times of all files, without git's objects.

    Args:
        top: A repository.
        ignore: Branches that may come to be, ``refs/heads/x``.
    """
    ours = {f".git/{ref}" for ref in ignore} | {f".git/logs/{ref}" for ref in ignore}
    return {
        str(path.relative_to(top)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(top.rglob("*"))
        if path.is_file()
        and ".git/objects" not in str(path)
        and str(path.relative_to(top)) not in ours
    }
