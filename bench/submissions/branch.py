"""A branch with one changed submission, made beside everything the user works on.

Blobs, trees and the commit are written straight into git's object store, and one new
branch is made. No file of the working tree, no index and no HEAD is changed, and no
hook, filter or signing program of the user's runs.
"""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.errors import RunFailedError, UserError
from bench.submissions.git import run_git

REMOTES = ("upstream", "origin")
"""Where the repository itself is: for the clone of a fork, ``upstream``."""
COMMON = ("main", "master")
FOLDER_MODE, FILE_MODE = "040000", "100644"
ADVICE = "Or leave git out: --no-git"


@dataclass(frozen=True)
class Base:
    """The branch that a new one starts from."""

    name: str
    """For people: ``origin/main``."""
    commit: str


@dataclass(frozen=True)
class Commit:
    """What was committed, where."""

    branch: str
    base: Base
    commit: str


class GitRepository:
    """A git repository whose top is the given folder."""

    def __init__(self, top: Path) -> None:
        """Take the folder; see :func:`find_repository`."""
        self.top = top

    def run(self, *arguments: str, data: bytes = b"") -> str:
        """Run git and return what it says.

        Raises:
            RunFailedError: git failed; the message has its reason.
        """
        done = run_git(self.top, *arguments, data=data)
        if done.returncode:
            reason = done.stderr.decode(errors="replace").strip()
            raise RunFailedError(
                f"git {arguments[0]} failed in '{self.top}': {reason}. Nothing of the "
                f"working tree was changed. {ADVICE}"
            )
        return done.stdout.decode(errors="surrogateescape")

    def ask(self, *arguments: str) -> str | None:
        """Run git and return its answer without the line break; None if it has none."""
        done = run_git(self.top, *arguments)
        answer = done.stdout.decode(errors="surrogateescape").strip()
        return answer if not done.returncode and answer else None

    def base(self, name: str | None = None) -> Base:
        """Find the default branch, as far as this repository knows it.

        Args:
            name: The branch to take instead.

        Raises:
            UserError: There is no such branch, or none that is known to be the default.
        """
        named = () if name is None or name.startswith("-") else (name,)
        for ref in self._candidates() if name is None else named:
            commit = self.ask("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}")
            if commit is not None:
                short = self.ask("rev-parse", "--abbrev-ref", "--verify", ref)
                return Base(short or ref, commit)
        if name is not None:
            raise UserError(
                f"The git repository '{self.top}' has no branch '{name}' to start "
                f"from. See: git branch --all. {ADVICE}"
            )
        raise UserError(
            f"The default branch of the git repository '{self.top}' is not known: no "
            "remote's HEAD, main or master, and no local one. Commit something first, "
            f"or name the branch: --base BRANCH. {ADVICE}"
        )

    def _candidates(self) -> Iterator[str]:
        remotes = (self.ask("remote") or "").split()
        known = [r for r in REMOTES if r in remotes]
        for remote in known or remotes[:1]:
            for branch in ("HEAD", *COMMON):
                yield f"refs/remotes/{remote}/{branch}"
        own = self.ask("config", "init.defaultBranch")
        for branch in (*((own,) if own else ()), *COMMON):
            yield f"refs/heads/{branch}"
        current = self.ask("symbolic-ref", "--quiet", "HEAD")
        if current is not None:
            yield current

    def push_to(self) -> str | None:
        """Return the remote that a branch is pushed to; None if there is none."""
        remotes = (self.ask("remote") or "").split()
        return "origin" if "origin" in remotes else next(iter(remotes), None)

    def read(self, commit: str, path: str) -> bytes | None:
        """Return a file of a commit; None if there is no such file."""
        done = run_git(self.top, "cat-file", "blob", f"{commit}:{path}")
        return None if done.returncode else done.stdout

    def names(self, commit: str, folder: str) -> list[str]:
        """List a folder of a commit; a folder that is not there has nothing."""
        tree = self._tree(f"{commit}:{folder}")
        return [entry.partition("\t")[2] for entry in tree]

    def check_free(self, branch: str) -> None:
        """Check that a branch can be made.

        Raises:
            UserError: There is one of this name, or git does not know its user.
        """
        ref = f"refs/heads/{branch}"
        if self.ask("rev-parse", "--verify", "--quiet", ref) is not None:
            raise UserError(
                f"There is a branch '{branch}' already, and it is left as it is. "
                f"Rename it: git branch -m {branch} {branch}-old; or delete it: git "
                f"branch -D {branch}. {ADVICE}"
            )
        for who in ("GIT_AUTHOR_IDENT", "GIT_COMMITTER_IDENT"):
            if self.ask("var", who) is None:
                raise UserError(
                    "git does not know who you are, and a commit has an author. Tell "
                    "it: git config --global user.name 'Your Name' && git config "
                    f"--global user.email you@example.com. {ADVICE}"
                )

    def commit_folder(
        self, path: str, files: Mapping[str, bytes], *, message: str, base: Base
    ) -> Commit:
        """Make a branch with one commit that replaces one folder.

        Args:
            path: The folder, ``parent/name``.
            files: What it shall hold, and nothing else: file name to content.
            message: Of the commit; the branch is called by it.
            base: Where the branch starts.

        Raises:
            UserError: The branch is there already, git does not know its user, or the
                folder is the same on the base.
            RunFailedError: git failed.
        """
        branch = branch_name(message)
        self.check_free(branch)
        tree = self._replaced(base.commit, path, self._folder(files))
        if tree == self.ask("rev-parse", f"{base.commit}^{{tree}}"):
            raise UserError(
                f"'{path}' is the same on {base.name}: there is nothing to commit."
            )
        text = f"{message}\n".encode()
        commit = self.run("commit-tree", tree, "-p", base.commit, data=text).strip()
        # the empty old value: it must not have come to be in the meantime
        self.run("update-ref", f"refs/heads/{branch}", commit, "")
        return Commit(branch, base, commit)

    def _folder(self, files: Mapping[str, bytes]) -> str:
        """Store files exactly as they are and return their tree."""
        entries = [
            f"{FILE_MODE} blob {self._blob(data)}\t{name}"
            for name, data in sorted(files.items())
        ]
        return self._make_tree(entries)

    def _blob(self, data: bytes) -> str:
        # from stdin, without a path: no filter can apply
        return self.run("hash-object", "-w", "--stdin", data=data)[:-1]

    def _replaced(self, commit: str, path: str, folder: str) -> str:
        """Return a commit's tree with another folder at ``parent/name``."""
        parent, _, name = path.partition("/")
        inner = self._with_folder(self._tree(f"{commit}:{parent}"), name, folder)
        return self._with_folder(self._tree(commit), parent, inner)

    def _with_folder(self, entries: Sequence[str], name: str, folder: str) -> str:
        kept = [entry for entry in entries if entry.partition("\t")[2] != name]
        return self._make_tree([*kept, f"{FOLDER_MODE} tree {folder}\t{name}"])

    def _tree(self, name: str) -> list[str]:
        """List a tree; what is not there, or is a file, has no entries."""
        found = self.ask("rev-parse", "--verify", "--quiet", name)
        # in two steps: after a colon, ^{tree} would be a part of the path
        found = found and self.ask("rev-parse", "--quiet", f"{found}^{{tree}}")
        if found is None:
            return []
        return self.run("ls-tree", "-z", found).split("\0")[:-1]

    def _make_tree(self, entries: Sequence[str]) -> str:
        # --missing: a partial clone has not every object
        text = "".join(entry + "\0" for entry in entries)
        data = text.encode(errors="surrogateescape")
        return self.run("mktree", "-z", "--missing", data=data).strip()


def branch_name(message: str) -> str:
    """Return the branch of a commit: ``submit-x`` for "Submit x"."""
    return message.lower().replace(" ", "-")


def find_repository(folder: Path) -> GitRepository | None:
    """Return the git repository whose top is a folder.

    None if git is not installed, there is no repository, or only one further up that
    holds other things besides.

    Raises:
        UserError: There is one that git refuses to use.
    """
    if not (folder / ".git").exists() or shutil.which("git") is None:
        return None
    repository = GitRepository(folder)
    try:
        top = repository.run("rev-parse", "--show-toplevel")
    except RunFailedError as error:
        raise UserError(str(error)) from None
    same = Path(top.removesuffix("\n")).resolve() == folder.resolve()
    return repository if same else None
