"""Who plays: contributors with forks, a maintainer who merges, and the service."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from tests.rehearsal.hub import NAME, Hub, PullRequest, git
from tests.rehearsal.runner import Run, Service
from tests.rehearsal.workflow import Event

SUBMISSION, TESTS, BOARD = "submission.yml", "tests.yml", "board.yml"
# what the tests do is done by the tests, and the rehearsal is one of them
LEFT_OUT = frozenset({"tests/test"})


class NotAllowedError(Exception):
    """The settings of the repository forbid a merge."""


@dataclass(frozen=True)
class Reviewed:
    """A pull request and what the workflows said of it."""

    pull_request: PullRequest
    runs: Mapping[str, Run]
    changed: Sequence[str]

    @property
    def review(self) -> Run:
        """The workflow that submissions pass."""
        return self.runs[SUBMISSION]

    @property
    def codes(self) -> set[str]:
        """The codes of the problems that were reported."""
        told = [text for name, text in self.review.commands if name == "error"]
        properties = [text.partition("::")[0].split(",") for text in told]
        return {
            part.removeprefix("title=")
            for parts in properties
            for part in parts
            if part.startswith("title=")
        }


class Stage:
    """A hub, what runs its workflows, and the people around it."""

    def __init__(self, folder: Path, seed: Path) -> None:
        """Host a first working tree."""
        self.folder = folder
        self.hub = Hub(folder / "hub", seed)
        self.service = Service(self.hub, folder / "service", LEFT_OUT)

    def ask(self, author: str, branch: str, *, files: str | None = None) -> Reviewed:
        """Open a pull request and run what it starts.

        Args:
            author: Whose fork.
            branch: Which branch of it.
            files: Commit whose workflow files are run; by default what the service
                takes, which is the trial merge, and so whatever the author wrote.
        """
        found = self.hub.open(author, branch)
        sha = self.hub.commit(found.merge)
        event = Event(
            name="pull_request",
            payload={
                "pull_request": {
                    "number": found.number,
                    "base": {"sha": found.base},
                    "head": {
                        "sha": found.head,
                        "repo": {"full_name": f"{author}/upstream"},
                    },
                },
                "repository": {"default_branch": "main", "full_name": NAME},
            },
            sha=sha,
            ref=found.merge,
            changed=self.hub.changed(found.base, sha),
        )
        runs = self.service.react(event, files=files or sha)
        return Reviewed(found, runs, event.changed)

    def merge(self, reviewed: Reviewed, *, read: bool = False) -> Mapping[str, Run]:
        """Merge as docs/maintaining.md says, and run what that starts.

        Args:
            reviewed: What is to be merged.
            read: A maintainer read the changes of what decides about submissions.

        Raises:
            NotAllowedError: A check failed, or an owned path is changed unread.
        """
        failed = [name for name, run in reviewed.runs.items() if not run.passed]
        if failed:
            raise NotAllowedError(f"required checks failed: {', '.join(failed)}")
        owned = [path for path in reviewed.changed if self.is_owned(path)]
        if owned and not read:
            raise NotAllowedError(f"needs a maintainer's reading: {', '.join(owned)}")
        return self.force(reviewed.pull_request.head)

    def force(self, head: str) -> Mapping[str, Run]:
        """Merge without a look at any check, and run what that starts."""
        before = self.hub.commit("main")
        after = self.hub.merge(head, f"Merge {head[:7]}")
        return self.push(before, after)

    def push(self, before: str, after: str) -> Mapping[str, Run]:
        """Run what a push to main starts."""
        event = Event(
            name="push",
            payload={"before": before, "after": after},
            sha=after,
            ref="refs/heads/main",
            changed=self.hub.changed(before, after),
        )
        return self.service.react(event, files=after)

    def is_owned(self, path: str) -> bool:
        """Say whether CODEOWNERS of main names somebody for a path, besides for all."""
        lines = self.hub.read("main", ".github/CODEOWNERS").splitlines()
        rules = [line.split() for line in lines if line and not line.startswith("#")]
        return any(
            fnmatchcase(f"/{path}", f"{pattern}*")
            for pattern, *owners in rules
            if owners and pattern.startswith("/")
        )

    def commit(self, author: str, branch: str, message: str = "Change") -> None:
        """Commit everything in an author's clone to a branch."""
        clone = self.hub.folder / author
        git("add", "--all", "--force", at=clone)
        git("commit", "--quiet", "--allow-empty", "--message", message, at=clone)
        git("branch", "--force", branch, at=clone)
