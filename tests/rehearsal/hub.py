"""Hosted repositories on a local disk: upstream, forks, pull requests, merges."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

NAME = "bench/upstream"
OWNER = "owner-token"
"""What a maintainer's machine sends along with a push."""

# Who may write what, with the settings of docs/maintaining.md: main through merges by
# maintainers, branches through tokens that were given `contents: write`
HOOK = """\
#!/bin/sh
while read -r old new ref; do
  case "$ref ${GH_TOKEN:-}" in
    *" owner-token") ;;
    "refs/heads/main "*) echo "main is protected" >&2; exit 1 ;;
    *" job-token-write") ;;
    *) echo "this token cannot write" >&2; exit 1 ;;
  esac
done
"""

SETTINGS = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_SYSTEM": "/dev/null",
    "GIT_AUTHOR_NAME": "Somebody",
    "GIT_AUTHOR_EMAIL": "somebody@example.org",
    "GIT_COMMITTER_NAME": "Somebody",
    "GIT_COMMITTER_EMAIL": "somebody@example.org",
}


def git(*arguments: str | Path, at: Path, token: str = "", data: bytes = b"") -> str:
    """Run git and return what it prints.

    Raises:
        RuntimeError: It fails; with what it said.
    """
    done = subprocess.run(
        ["git", "-C", at, *arguments],  # noqa: S607
        env={"PATH": os.environ["PATH"], "GH_TOKEN": token} | SETTINGS,
        input=data,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        said = done.stderr.decode(errors="replace")
        raise RuntimeError(f"git {' '.join(map(str, arguments))}: {said}")
    return done.stdout.decode(errors="surrogateescape").rstrip("\n")


@dataclass(frozen=True)
class PullRequest:
    """A branch of a fork that somebody wants merged into main."""

    number: int
    author: str
    base: str
    head: str

    @property
    def merge(self) -> str:
        """The reference of the merge that is tried for the tests."""
        return f"refs/pull/{self.number}/merge"


class Hub:
    """A hosting service with one upstream repository."""

    def __init__(self, folder: Path, first: Path) -> None:
        """Host a copy of the working tree ``first``."""
        self.folder = folder
        self.upstream = folder / "upstream.git"
        self.desk = folder / "maintainer"
        self._pull_requests = 0
        folder.mkdir(parents=True)
        git(
            "init",
            "--quiet",
            "--bare",
            "--initial-branch=main",
            self.upstream,
            at=folder,
        )
        # any commit can be fetched there too
        git("config", "uploadpack.allowAnySHA1InWant", "true", at=self.upstream)
        hook = self.upstream / "hooks" / "pre-receive"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(HOOK)
        hook.chmod(0o755)
        git("clone", "--quiet", self.upstream, self.desk, at=folder)
        self.change(first, "First")

    def change(self, tree: Path, message: str) -> str:
        """Make main what a folder holds, as a maintainer does."""
        shutil.copytree(tree, self.desk, dirs_exist_ok=True)
        git("add", "--all", at=self.desk)
        git("commit", "--quiet", "--message", message, at=self.desk)
        return self._publish()

    def fork(self, author: str) -> Path:
        """Make an author's fork, and return a clone of it to work in."""
        bare, clone = self.folder / f"{author}.git", self.folder / author
        if not bare.exists():
            git("clone", "--quiet", "--bare", self.upstream, bare, at=self.folder)
            git("clone", "--quiet", bare, clone, at=self.folder)
            git("config", "user.name", author, at=clone)
            git("config", "user.email", f"{author}@example.org", at=clone)
        return clone

    def open(self, author: str, branch: str) -> PullRequest:
        """Push a branch to its author's fork and ask for its merge."""
        clone = self.folder / author
        git("push", "--quiet", "--force", "origin", branch, at=clone)
        self._pull_requests += 1
        name = f"refs/pull/{self._pull_requests}"
        fork = self.folder / f"{author}.git"
        git("fetch", "--quiet", fork, f"+{branch}:{name}/head", at=self.upstream)
        base, head = self.commit("main"), self.commit(f"{name}/head")
        tree = git("merge-tree", "--write-tree", base, head, at=self.upstream)
        parents = ["-p", base, "-p", head]
        merge = git("commit-tree", tree, *parents, "-m", "Try", at=self.upstream)
        git("update-ref", f"{name}/merge", merge, at=self.upstream)
        return PullRequest(self._pull_requests, author, base, head)

    def merge(self, head: str, title: str) -> str:
        """Merge a commit into main, as a maintainer does; the new tip of main."""
        git("pull", "--quiet", at=self.desk)
        git("fetch", "--quiet", "origin", head, at=self.desk)
        git("merge", "--quiet", "--no-ff", "--message", title, head, at=self.desk)
        return self._publish()

    def rewind(self, commit: str) -> None:
        """Forget what was merged after a commit, so that another scene can start."""
        git("update-ref", "refs/heads/main", commit, at=self.upstream)
        git("fetch", "--quiet", "origin", at=self.desk)
        git("reset", "--quiet", "--hard", commit, at=self.desk)

    def commit(self, name: str) -> str:
        """Return the commit that a name stands for in upstream."""
        return git("rev-parse", "--verify", f"{name}^{{commit}}", at=self.upstream)

    def read(self, commit: str, path: str) -> str:
        """Read a file of a commit."""
        return git("show", f"{commit}:{path}", at=self.upstream)

    def files(self, commit: str, under: str) -> Sequence[str]:
        """List the files of a commit in a folder."""
        names = git("ls-tree", "-r", "--name-only", commit, under, at=self.upstream)
        return names.splitlines()

    def changed(self, before: str, after: str) -> Sequence[str]:
        """List the paths that differ between two commits."""
        names = git("diff", "--name-only", "-z", before, after, at=self.upstream)
        return [name for name in names.split("\0") if name]

    def _publish(self) -> str:
        git("push", "--quiet", "origin", "main", at=self.desk, token=OWNER)
        return self.commit("main")
