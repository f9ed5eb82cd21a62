"""Local equivalents of the published actions that the workflows use."""

import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from tests.rehearsal.hub import Hub, git
from tests.rehearsal.machine import Machine

PINNED = re.compile(r"(?P<name>[\w.-]+/[\w.-]+)@[0-9a-f]{40}")


class ActionFailedError(Exception):
    """An action ends a job."""


@dataclass(frozen=True)
class Place:
    """Where an action runs."""

    hub: Hub
    machine: Machine
    artefacts: Path
    """What the jobs of a run hand over to one another."""
    sha: str
    """The event's commit."""
    token: str
    """The job's."""


def act(uses: str, inputs: Mapping[str, str], place: Place) -> None:
    """Do what an action does.

    Raises:
        ActionFailedError: It is not pinned, not imitated, or fails.
    """
    found = PINNED.fullmatch(uses)
    if found is None:
        raise ActionFailedError(f"'{uses}' is not pinned to a commit")
    action = ACTIONS.get(found["name"])
    if action is None:
        raise ActionFailedError(f"'{uses}' is not imitated")
    action(inputs, place)


def check_out(inputs: Mapping[str, str], place: Place) -> None:
    """Clone as deep as asked, and leave credentials behind unless told not to."""
    target = place.machine.workspace / inputs.get("path", ".")
    target.mkdir(parents=True, exist_ok=True)
    name = inputs.get("ref") or place.sha
    origin = place.hub.upstream.as_uri()
    git("init", "--quiet", "--initial-branch=main", at=target)
    git("remote", "add", "origin", origin, at=target)
    if inputs.get("fetch-depth") == "0":
        everything = "+refs/heads/*:refs/remotes/origin/*"
        git("fetch", "--quiet", "origin", everything, at=target)
        git("fetch", "--quiet", "origin", name, at=target)
    else:
        git("fetch", "--quiet", "--depth=1", "origin", name, at=target)
    git("checkout", "--quiet", "--detach", "FETCH_HEAD", at=target)
    if inputs.get("persist-credentials") != "false":
        header = f"AUTHORIZATION: basic {place.token}"
        git("config", "http.https://github.com/.extraheader", header, at=target)


def upload(inputs: Mapping[str, str], place: Place) -> None:
    """Keep a file or a folder's content under a name."""
    source, target = Path(inputs["path"]), place.artefacts / inputs["name"]
    if not source.exists():
        if inputs.get("if-no-files-found") == "error":
            raise ActionFailedError(f"no files at {source}")
        return
    target.mkdir(parents=True)
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    else:
        shutil.copy(source, target)


def download(inputs: Mapping[str, str], place: Place) -> None:
    """Fetch one artefact by name, or each that matches into a folder of its own."""
    target = Path(inputs["path"])
    if "name" in inputs:
        shutil.copytree(place.artefacts / inputs["name"], target)
        return
    kept = place.artefacts.iterdir() if place.artefacts.exists() else ()
    for artefact in kept:
        if fnmatchcase(artefact.name, inputs["pattern"]):
            shutil.copytree(artefact, target / artefact.name)


def nothing(inputs: Mapping[str, str], place: Place) -> None:
    """Python is here."""


ACTIONS: Mapping[str, Callable[[Mapping[str, str], Place], None]] = {
    "actions/checkout": check_out,
    "actions/setup-python": nothing,
    "actions/upload-artifact": upload,
    "actions/download-artifact": download,
}
