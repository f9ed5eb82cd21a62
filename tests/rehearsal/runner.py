"""Runs workflows on this machine, as the service does on its own."""

import re
import secrets
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.rehearsal.actions import ActionFailedError, Place, act
from tests.rehearsal.expressions import fill, plain, truth
from tests.rehearsal.hub import NAME, Hub
from tests.rehearsal.machine import Machine
from tests.rehearsal.workflow import Event, Workflow, needs

SHELLS = {
    None: ["bash", "-e"],
    "bash": ["bash", "--noprofile", "--norc", "-eo", "pipefail"],
}
COMMAND = re.compile(r"^::(?P<name>[\w-]+)(?: (?P<options>[^:]*))?::(?P<text>.*)$")
STEP_S = 600


@dataclass
class JobRun:
    """What became of a job."""

    result: str = "success"
    outputs: dict[str, str] = field(default_factory=dict)
    log: str = ""
    summary: str = ""
    commands: list[tuple[str, str]] = field(default_factory=list)
    """What the log told the runner to do: name and text."""


@dataclass
class Run:
    """What became of a workflow."""

    workflow: str
    jobs: dict[str, JobRun] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether nothing failed; what was skipped did not."""
        return all(job.result in {"success", "skipped"} for job in self.jobs.values())

    @property
    def log(self) -> str:
        """Everything that was printed."""
        return "\n".join(f"[{name}]\n{job.log}" for name, job in self.jobs.items())

    @property
    def commands(self) -> list[tuple[str, str]]:
        """Everything that the runner was told."""
        return [command for job in self.jobs.values() for command in job.commands]


@dataclass(frozen=True)
class Service:
    """What runs the workflows of a hub."""

    hub: Hub
    folder: Path
    left_out: frozenset[str] = frozenset()
    """Jobs that would take too long, as ``workflow/job``; they count as passed."""

    @property
    def notes(self) -> Path:
        """What the stand-ins wrote down."""
        return self.folder / "notes"

    def react(self, event: Event, *, files: str) -> Mapping[str, Run]:
        """Run every workflow of a commit that an event starts; file name to run."""
        found = {}
        for path in self.hub.files(files, ".github/workflows"):
            workflow = Workflow.parse(self.hub.read(files, path))
            if workflow.starts_on(event):
                found[Path(path).name] = self.run(workflow, event)
        return found

    def run(self, workflow: Workflow, event: Event) -> Run:
        """Run the jobs of a workflow, one after the other."""
        place = self.folder / f"run-{secrets.token_hex(4)}"
        run = Run(workflow.name)
        for name, job in workflow.in_order():
            context = _context(event, run, place)
            earlier = [run.jobs[other].result for other in needs(job)]
            context |= _status(all(result == "success" for result in earlier))
            condition = str(job.get("if", "success()"))
            # without a word about it, a job waits for the success of what it needs
            if "()" not in condition:
                condition = f"success() && ({condition})"
            if not truth(condition, context):
                run.jobs[name] = JobRun(result="skipped")
            elif f"{workflow.name}/{name}" in self.left_out:
                run.jobs[name] = JobRun()
            else:
                run.jobs[name] = self._all(name, workflow, job, context, event, place)
        return run

    def _all(
        self,
        name: str,
        workflow: Workflow,
        job: Mapping[str, Any],
        context: dict[str, Any],
        event: Event,
        place: Path,
    ) -> JobRun:
        """Run a job once for each entry of its matrix."""
        whole = JobRun()
        for index, matrix in enumerate(_matrix(job, context)):
            machine = Machine(place / f"{name}-{index}", self.notes)
            token = _token(job)
            at = Place(self.hub, machine, place / "artefacts", event.sha, token)
            words = context | {"matrix": matrix, "steps": {}}
            words["runner"] = {"temp": str(machine.temp)}
            words["github"] = words["github"] | {"token": token}
            part = _Job(workflow, job, words, at, event).run()
            whole.log += part.log
            whole.summary += part.summary
            whole.commands += part.commands
            whole.outputs |= part.outputs
            whole.result = part.result if part.result != "success" else whole.result
        return whole


class _Job:
    """One job on one machine."""

    def __init__(
        self,
        workflow: Workflow,
        job: Mapping[str, Any],
        context: dict[str, Any],
        place: Place,
        event: Event,
    ) -> None:
        self.workflow, self.job, self.context = workflow, job, context
        self.place, self.machine, self.event = place, place.machine, event
        self.found = JobRun()
        self.environment: dict[str, str] = {}

    def run(self) -> JobRun:
        self.machine.start()
        for step in self.job["steps"]:
            self.context |= _status(self.found.result == "success")
            condition = str(step.get("if", "success()"))
            if "()" not in condition:
                condition = f"success() && ({condition})"
            if truth(condition, self.context):
                self.step(step)
        outputs = self.job.get("outputs", {})
        self.found.outputs = {k: self.filled(v) for k, v in outputs.items()}
        return self.found

    def filled(self, value: object) -> str:
        return plain(fill(value, self.context))

    def step(self, step: Mapping[str, Any]) -> None:
        self.found.log += f"> {step.get('name', step.get('uses', 'run'))}\n"
        if "run" in step:
            self.command(step)
            return
        inputs = {k: self.filled(v) for k, v in step.get("with", {}).items()}
        try:
            act(step["uses"], inputs, self.place)
        except (ActionFailedError, RuntimeError) as error:
            self.found.log += f"{error}\n"
            self.found.result = "failure"

    def command(self, step: Mapping[str, Any]) -> None:
        """Run a step's script, and read what it leaves for the runner."""
        files = {
            name: self.machine.temp / f"_{name.lower()}_{secrets.token_hex(4)}"
            for name in ("GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_STEP_SUMMARY")
        }
        for file in files.values():
            file.touch()
        script = self.machine.temp / f"_{secrets.token_hex(4)}.sh"
        script.write_text(self.filled(step["run"]))
        where = self.machine.workspace / self.filled(step.get("working-directory", "."))
        done = subprocess.run(
            [*SHELLS[self.shell(step)], script],
            cwd=where,
            env=self.words(step) | {name: str(file) for name, file in files.items()},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=STEP_S,
            check=False,
        )
        printed = done.stdout.decode(errors="replace")
        self.found.log += printed
        self.found.commands += list(told(printed))
        self.found.summary += files["GITHUB_STEP_SUMMARY"].read_text()
        self.environment |= assignments(files["GITHUB_ENV"].read_text())
        if "id" in step:
            outputs = assignments(files["GITHUB_OUTPUT"].read_text())
            self.context["steps"][step["id"]] = {"outputs": outputs}
        if done.returncode:
            self.found.log += f"exit code {done.returncode}\n"
            self.found.result = "failure"

    def shell(self, step: Mapping[str, Any]) -> str | None:
        defaults = self.workflow.document.get("defaults", {}).get("run", {})
        return step.get("shell", defaults.get("shell"))

    def words(self, step: Mapping[str, Any]) -> dict[str, str]:
        """Return the step's environment."""
        given: dict[str, str] = {}
        for part in (self.workflow.document, self.job, step):
            given |= {k: self.filled(v) for k, v in part.get("env", {}).items()}
        github = {
            "GITHUB_ACTIONS": "true",
            "GITHUB_EVENT_NAME": self.event.name,
            "GITHUB_REF": self.event.ref,
            "GITHUB_REPOSITORY": NAME,
            "GITHUB_SHA": self.event.sha,
        }
        return self.machine.environment() | github | self.environment | given


def _context(event: Event, run: Run, place: Path) -> dict[str, Any]:
    github = {
        "event": event.payload,
        "event_name": event.name,
        "ref": event.ref,
        "sha": event.sha,
        "repository": NAME,
    }
    ended = {
        name: {"result": job.result, "outputs": job.outputs}
        for name, job in run.jobs.items()
    }
    return {"github": github, "needs": ended, "runner": {"temp": str(place)}}


def _status(good: bool) -> dict[str, Any]:
    return {
        "success()": lambda: good,
        "failure()": lambda: not good,
        "always()": lambda: True,
        "cancelled()": lambda: False,
    }


def _matrix(
    job: Mapping[str, Any], context: Mapping[str, object]
) -> Iterator[Mapping[str, Any]]:
    """Yield the entries of a matrix of one dimension; one empty entry without any."""
    dimensions = job.get("strategy", {}).get("matrix", {})
    if not dimensions:
        yield {}
    for name, values in dimensions.items():
        for value in fill(values, context):  # type: ignore[union-attr]
            yield {name: value}


def _token(job: Mapping[str, Any]) -> str:
    """Return the token of a job; what it is not given it cannot do."""
    may_write = job.get("permissions", {}).get("contents") == "write"
    return "job-token-write" if may_write else "job-token-read"


def assignments(text: str) -> dict[str, str]:
    """Read ``name=value`` and ``name<<END`` as the runner does."""
    found: dict[str, str] = {}
    lines = iter(text.splitlines())
    for line in lines:
        name, sign, rest = re.match(r"([^=<]*)(=|<<)(.*)", line).groups()  # type: ignore[union-attr]
        if sign == "<<":
            inner = []
            while (next_line := next(lines)) != rest:
                inner.append(next_line)
            rest = "\n".join(inner)
        found[name] = rest
    return found


def told(printed: str) -> Iterator[tuple[str, str]]:
    """Yield the commands in a log, but for what stands between stop and go."""
    until: str | None = None
    for line in printed.replace("\r", "\n").splitlines():
        if until is not None:
            until = None if line == f"::{until}::" else until
            continue
        found = COMMAND.match(line.strip())
        if found is None:
            continue
        if found["name"] == "stop-commands":
            until = found["text"]
        else:
            yield found["name"], f"{found['options'] or ''}::{found['text']}"
