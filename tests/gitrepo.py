"""git repositories for tests: commands, and everything there is as one dictionary."""

import subprocess
from collections.abc import Collection
from pathlib import Path


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
