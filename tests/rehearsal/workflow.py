"""Workflow files, read as the service reads them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import yaml


@dataclass(frozen=True)
class Event:
    """What happened in the hosted repository."""

    name: str
    payload: Mapping[str, Any]
    sha: str
    ref: str
    changed: Sequence[str]
    """Changed paths, for the filters of pushes."""
    base_ref: str = "main"


@dataclass(frozen=True)
class Workflow:
    """One workflow file."""

    document: Mapping[Any, Any]

    @classmethod
    def parse(cls, text: str) -> "Workflow":
        """Read a file; YAML 1.1 takes the key ``on`` for true."""
        document = yaml.safe_load(text)
        return cls({("on" if key is True else key): document[key] for key in document})

    @property
    def name(self) -> str:
        """Its name."""
        return self.document["name"]

    def starts_on(self, event: Event) -> bool:
        """Say whether an event starts it."""
        triggers = self.document["on"]
        if not isinstance(triggers, Mapping):
            triggers = {name: {} for name in _listed(triggers)}
        if event.name not in triggers:
            return False
        rule = triggers[event.name] or {}
        branch = event.ref.removeprefix("refs/heads/")
        if event.name == "pull_request":
            branch = event.base_ref
        if not _matches([branch], rule.get("branches", ["**"])):
            return False
        ignored = rule.get("paths-ignore", [])
        seen = [path for path in event.changed if not _matches([path], ignored)]
        return _matches(seen, rule.get("paths", ["**"]))

    def in_order(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield the jobs, each after those that it needs."""
        waiting = dict(self.document["jobs"])
        done: set[str] = set()
        while waiting:
            ready = [n for n, job in waiting.items() if done.issuperset(needs(job))]
            if not ready:
                raise ValueError(f"jobs need one another: {', '.join(waiting)}")
            for name in ready:
                yield name, waiting.pop(name)
            done.update(ready)


def needs(job: Mapping[str, Any]) -> Sequence[str]:
    """Return the jobs that a job waits for."""
    return _listed(job.get("needs", []))


def _listed(names: str | Sequence[str]) -> Sequence[str]:
    """Return a list where the file may have one name."""
    return [names] if isinstance(names, str) else names


def _matches(paths: Sequence[str], patterns: Sequence[str]) -> bool:
    """Say whether a path matches a pattern; ``folder/**`` and plain names are used."""
    return any(
        fnmatchcase(path, pattern.replace("**", "*"))
        for path in paths
        for pattern in patterns
    )
