"""Bring a change of one submission to where it is going to be: a branch or a folder."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import typer

from bench.errors import BenchError
from bench.submissions.branch import (
    Commit,
    GitRepository,
    branch_name,
    find_repository,
)
from bench.submissions.folder import write_folder
from bench.submissions.manifest import FOLDER
from bench.tasks.bounded import read_bounded
from bench.tasks.strict_json import LARGEST_FILE


@dataclass(frozen=True)
class Proposal:
    """A change of one submission."""

    name: str
    title: str
    """``Submit x``: title of the pull request, message of the commit."""
    body: str
    files: Mapping[str, bytes]
    """All that the folder is going to hold."""

    @property
    def path(self) -> str:
        """The folder, seen from the top of the repository."""
        return f"{FOLDER}/{self.name}"


@dataclass(frozen=True)
class Delivery:
    """Where a change goes."""

    root: Path
    """The repository."""
    write: bool = False
    """Whether anything is written at all."""
    git: bool = True
    """Whether to make a branch where there is a git repository."""
    base: str | None = None
    """The branch to start from, if not the default one."""
    out: Path | None = None
    """Folder of submissions that is none of the repository's."""

    @property
    def repository(self) -> GitRepository | None:
        """The git repository to make a branch in.

        Raises:
            UserError: There is one that git refuses to use.
        """
        return find_repository(self.root) if self.git and self.out is None else None

    def folder(self, name: str) -> Path:
        """Return where a submission's folder is, without git."""
        return (self.root / FOLDER if self.out is None else self.out) / name

    def names(self) -> list[str]:
        """List what is submitted, on the branch to start from if there is one."""
        repository = self.repository
        if repository is None:
            return [path.name for path in self.folder("x").parent.glob("*")]
        return repository.names(repository.base(self.base).commit, FOLDER)

    def read(self, name: str, file: str) -> bytes | None:
        """Return a file of a submission, as it is there; None if there is none."""
        repository = self.repository
        if repository is None:
            path = self.folder(name) / file
            return read_bounded(path, limit=LARGEST_FILE) if path.is_file() else None
        commit = repository.base(self.base).commit
        return repository.read(commit, f"{FOLDER}/{name}/{file}")


def deliver(proposal: Proposal, delivery: Delivery) -> None:
    """Make a branch of a change, or write its folder, or say what would be done.

    The pull request's text goes to stdout; the folder does, where only that is wanted.

    Raises:
        UserError: There is no branch to start from, or one of that name already.
        RunFailedError: git failed.
        NoRoomError: A file could not be written.
    """
    repository = delivery.repository
    folder = delivery.folder(proposal.name)
    if not delivery.write:
        _announce(proposal, delivery, repository)
    elif repository is not None:
        _commit(proposal, delivery, repository)
    else:
        write_folder(folder, proposal.files)
        if not delivery.git or delivery.out is not None:
            print(folder)
            return
        _say(
            f"'{delivery.root}' is not the top of a git repository, or git is not "
            f"installed. Wrote the folder alone: {folder}"
        )
    print(f"{proposal.title}\n\n{proposal.body}", end="")


def _announce(
    proposal: Proposal, delivery: Delivery, repository: GitRepository | None
) -> None:
    """Say what would be written, and what would be in the way of it."""
    files = [f"  {name}: {len(data)} bytes" for name, data in proposal.files.items()]
    where = f"the folder {delivery.folder(proposal.name)}"
    if repository is not None:
        where = f"the branch {branch_name(proposal.title)}"
    _say(
        f"Nothing was written. {proposal.path} would hold\n"
        + "\n".join(files)
        + f"\nThe same command with --write makes {where}."
    )
    try:
        if repository is not None:
            base = repository.base(delivery.base)
            repository.check_free(branch_name(proposal.title))
            _say(f"It would start from {base.name}.")
    except BenchError as error:
        _say(f"Before that: {error}")


def _commit(proposal: Proposal, delivery: Delivery, repository: GitRepository) -> None:
    base = repository.base(delivery.base)
    made = repository.commit_folder(
        proposal.path, proposal.files, message=proposal.title, base=base
    )
    _say(_next_steps(made, repository.push_to() or "REMOTE"))


def _next_steps(made: Commit, remote: str) -> str:
    return (
        f"Made the branch {made.branch} from {made.base.name}, commit "
        f"{made.commit[:12]}. Your files, your index and your branch are untouched.\n"
        f"  git show --stat {made.branch}\n"
        f"  git push {remote} {made.branch}\n"
        "Then open a pull request from it, with this text:"
    )


def _say(text: str) -> None:
    typer.echo(text, err=True)
