"""``bench reproduce``: run a submission's method again, on circuits it cannot know."""

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from bench.cli.console import table, write_out
from bench.cli.display import progress_display
from bench.cli.options import Json, Root, resolve_root
from bench.cli.trusted import read_trusted
from bench.errors import InvalidSubmissionError, MissingExtraError, UserError
from bench.profiles.promptwise import PROFILES
from bench.results.provenance import git_state
from bench.results.reproduction_record import CircuitGrade, ReproductionRecord
from bench.results.store import to_json, write_atomically
from bench.submissions.validation import Checked, validate_submission

REFUSED = 3


def reproduce(
    submission: Annotated[Path, typer.Argument(help="A submission's folder.")],
    commit: Annotated[
        str | None,
        typer.Option(
            metavar="SHA",
            help="Commit that the fresh circuits derive from.",
            show_default="the repository's",
        ),
    ] = None,
    runner: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Program that runs a workspace in isolation, instead of our own.",
        ),
    ] = None,
    timeout: Annotated[
        float, typer.Option(metavar="SECONDS", min=1.0, help="Most wall time.")
    ] = 3600.0,
    memory: Annotated[
        float, typer.Option(metavar="GB", min=0.5, help="Most memory.")
    ] = 8.0,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where to write the record.")
    ] = None,
    as_json: Json = False,
    root: Root = None,
) -> None:
    """Run a method again, where it cannot know.

    The method of a submission runs in a process of its own, without network where the
    platform allows, on circuits that derive from a commit. It is refused (exit code 3)
    unless it says again what was claimed, and finds fresh circuits as well as public
    ones.
    """
    folder = resolve_root(root)
    sha = _commit(commit, folder)
    record = _run(submission, folder, sha, runner, timeout=timeout, memory=memory)
    if out is not None:
        write_atomically(out, to_json(record))
    if as_json:
        print(to_json(record).decode(), end="")
    else:
        _show(record)
    if record.verdict == "refused":
        raise typer.Exit(REFUSED)


def _commit(given: str | None, root: Path) -> str:
    """Return the commit to derive circuits from.

    Raises:
        UserError: It is no full SHA, or none was given and there is no repository.
    """
    found = git_state(root)[0] if given is None else given
    if found is None:
        raise UserError(
            f"'{root}' is no git repository, so that there is no commit to derive "
            "fresh circuits from. Name one with --commit, 40 hexadecimal digits."
        )
    if not re.fullmatch("[0-9a-f]{40}", found):
        raise UserError(
            f"'{found}' is not a commit: expected 40 hexadecimal digits, as git "
            "rev-parse prints them."
        )
    return found


def _run(
    submission: Path,
    root: Path,
    commit: str,
    runner: Path | None,
    *,
    timeout: float,
    memory: float,
) -> ReproductionRecord:
    if find_spec("torch") is None:
        raise MissingExtraError("torch", extra="run")
    trusted = read_trusted(root)
    checked = validate_submission(submission, trusted)
    _check(checked)
    from bench.reproduction.request import Limits
    from bench.reproduction.run import Settings, reproduce

    limits = Limits(timeout_s=timeout, memory_gb=memory)
    settings = Settings(commit=commit, runner=runner, limits=limits)
    with progress_display() as titled:
        return reproduce(checked, trusted, settings, stage=titled(submission.name))


def _check(checked: Checked) -> None:
    if checked.problems or checked.manifest is None:
        first = f": {checked.problems[0].title}" if checked.problems else ""
        raise InvalidSubmissionError(
            f"'{checked.folder}' is not a valid submission ({len(checked.problems)} "
            f"problems{first}). See them with: bench validate {checked.folder}"
        )


def _show(record: ReproductionRecord) -> None:
    """Print the verdict and what it rests on."""
    print(f"{record.method}: {record.verdict}")
    for reason in record.reasons:
        print(f"  {reason}")
    print(f"submission {record.digest[:12]}, commit {record.commit[:12]}")
    print(_isolation(record))
    agreed = sum(found.holds for found in record.agreement.values())
    print(f"agrees with its claims on {agreed} of {len(record.agreement)} tasks")
    if record.gate is not None:
        gate = record.gate
        print(
            f"mean overlap on fresh circuits is {abs(gate.drop):.3f} "
            f"{'lower' if gate.drop > 0 else 'higher'} than on public ones "
            f"(p = {gate.p:.2g})"
        )
    for each in record.disguised:
        print(
            f"mean overlap {each.plain:.3f} on '{each.task}', {each.disguised:.3f} "
            "when its model looks different"
        )
    score, interval = record.fresh_skill, record.fresh_interval
    if score.value is not None and interval is not None:
        print(
            f"mean skill on {len(record.fresh)} fresh circuits {score.value:.3f} "
            f"[{interval[0]:.3f}, {interval[1]:.3f}]"
        )
    write_out("", _table(record))


def _isolation(record: ReproductionRecord) -> str:
    had = {
        "runner": "as the given program isolates it",
        "namespaces": "own file system, own processes, no network",
        "network": "own processes, no network; it could read this machine's files",
        "process": "limits alone; it could read this machine's files and use the "
        "network",
    }[record.isolation.kind]
    return f"ran for {record.wall_s:.0f} s, isolation: {record.isolation.kind} ({had})"


def _table(record: ReproductionRecord) -> Table:
    found = table("circuits", "number", *(f"skill, {name}" for name in PROFILES))
    groups: dict[str, list[CircuitGrade]] = {}
    for circuit in (*record.public, *record.fresh):
        name = circuit.task or f"fresh {circuit.architecture}, {circuit.blocks} blocks"
        groups.setdefault(name, []).append(circuit)
    for name, circuits in groups.items():
        skills = (_mean(circuits, profile) for profile in PROFILES)
        found.add_row(name, str(len(circuits)), *skills)
    return found


def _mean(circuits: list[CircuitGrade], profile: str) -> str:
    values = [v for c in circuits for name, v in c.skill.items() if name == profile]
    known = [value for value in values if value is not None]
    if len(known) < len(values) or not known:
        return "undefined"
    return f"{sum(known) / len(known):.3f}"
