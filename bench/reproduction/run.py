"""Run a submission's method again and judge it."""

import os
import tempfile
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path

import torch

from bench.errors import RunFailedError, UserError
from bench.reproduction.cage import Cage, find_cage
from bench.reproduction.circuits import circuit_of, fresh_circuits, planted_tasks
from bench.reproduction.code import place_code
from bench.reproduction.questions import Asked, Question, ask, open_question
from bench.reproduction.replies import UnusableError, has_started, read_reply, shown
from bench.reproduction.request import ANSWERS, Limits
from bench.reproduction.supervise import MOST_ENTRIES, Ended, Supervised, supervise
from bench.reproduction.verdict import Reply, judge_replies
from bench.reproduction.workspace import Given, shuffled, write_workspace
from bench.results.provenance import take_provenance
from bench.results.reproduction_record import Isolation, ReproductionRecord
from bench.results.trusted import Trusted
from bench.submissions.manifest import Manifest
from bench.submissions.validation import Checked
from bench.tasks.registry import PACKAGE

EACH = 10
"""Fresh circuits of each shape."""

Report = Callable[[int, int], None]
Stage = Callable[[str], Report]


@dataclass(frozen=True)
class Settings:
    """How to reproduce."""

    commit: str
    runner: Path | None = None
    limits: Limits = field(default_factory=Limits)
    each: int = EACH


def reproduce(
    checked: Checked, trusted: Trusted, settings: Settings, *, stage: Stage
) -> ReproductionRecord:
    """Run a valid submission's method in a process of its own and judge its answers.

    Args:
        checked: The submission, validated.
        trusted: The repository's tasks.
        settings: Commit, isolation and limits.
        stage: Announces a stage.

    Raises:
        UserError: The submission brings no code, or the repository no planted tasks.
        RunFailedError: The process could not be run at all.
    """
    manifest = checked.manifest
    if manifest is None or checked.problems:
        raise UserError(f"'{checked.folder}' is not valid: run bench validate first.")
    questions = _questions(checked, manifest, trusted, settings)
    with tempfile.TemporaryDirectory(
        prefix="bench-", ignore_cleanup_errors=True
    ) as place:
        scratch = Path(place).resolve()
        cage = find_cage(settings.runner, scratch=scratch)
        method = place_code(checked.folder, manifest, scratch / "workspace")
        asked = _prepare(scratch, questions, method, settings, stage("models"))
        ended, replies = run_child(
            cage, scratch, asked, settings.limits, stage("method")
        )
    verdict = judge_replies(
        checked.records, trusted, replies, ended, kind=manifest.method.kind
    )
    return ReproductionRecord(
        method=manifest.method.name,
        digest=manifest.digest,
        commit=settings.commit,
        verdict="refused" if verdict.reasons else "reproduced",
        reasons=verdict.reasons,
        agreement=verdict.agreement,
        public=verdict.public,
        fresh=verdict.fresh,
        disguised=verdict.disguised,
        gate=verdict.gate,
        isolation=Isolation(
            kind=cage.kind,
            timeout_s=settings.limits.timeout_s,
            memory_gb=settings.limits.memory_gb,
        ),
        wall_s=ended.wall_s,
        provenance=take_provenance(
            device="cpu",
            dtype="float32",
            threads=torch.get_num_threads(),
            seed=questions[0].seed,
            checkout=PACKAGE.parent,
        ),
    )


def _questions(
    checked: Checked, manifest: Manifest, trusted: Trusted, settings: Settings
) -> list[Question]:
    planted = planted_tasks(trusted.tasks.values())
    if not planted:
        raise UserError(
            "The repository has no planted task, so that there is nothing to draw "
            "fresh circuits like. Add one with: bench task planted"
        )
    shapes = [circuit_of(task).shape for task in planted]
    fresh = fresh_circuits(
        list(dict.fromkeys(shapes)),
        each=settings.each,
        commit=settings.commit,
        digest=manifest.digest,
    )
    key = f"{settings.commit}\n{manifest.digest}"
    asked = list(
        ask(checked.records, trusted.tasks, planted=planted, fresh=fresh, key=key)
    )
    order = shuffled(len(asked), key=key)
    return [asked[index] for index in order]


def _prepare(
    scratch: Path,
    questions: Sequence[Question],
    method: str,
    settings: Settings,
    report: Report,
) -> list[Asked]:
    """Write all models and prompts; keep what is needed afterwards."""
    asked: list[Asked] = []

    def make(question: Question) -> Given:
        given, kept = open_question(question)
        asked.append(kept)
        return given

    write_workspace(
        scratch / "workspace",
        [partial(make, question) for question in questions],
        method=method,
        limits=settings.limits,
        report=report,
    )
    return asked


def run_child(
    cage: Cage,
    scratch: Path,
    asked: Sequence[Asked],
    limits: Limits,
    report: Report,
) -> tuple[Ended, list[Reply]]:
    """Run the child, then read what it wrote.

    Args:
        cage: How to start it.
        scratch: Folder that holds its workspace.
        asked: What it is asked, in the order of the workspace.
        limits: What it may use.
        report: Called with (answered, asked) as it goes on.

    Raises:
        RunFailedError: It never came as far as to load the method.
    """
    root, home, workspace = (scratch / name for name in ("root", "home", "workspace"))
    for folder in (root, home):
        folder.mkdir()
    env = cage.environment(home)
    with _opened(workspace / ANSWERS) as answers:
        job = Supervised(cage.command(root, workspace), env, home, answers)
        ended = supervise(
            job,
            limits,
            poll=lambda: report(_count(answers), len(asked)),
        )
        if not has_started(answers):
            raise RunFailedError(_not_started(cage, ended))
        return ended, [_read(answers, i, each) for i, each in enumerate(asked)]


@contextmanager
def _opened(folder: Path) -> Generator[int, None, None]:
    """Hold a folder itself, whatever becomes of its name."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        yield handle
    finally:
        os.close(handle)


def _count(answers: int) -> int:
    with os.scandir(answers) as entries:
        names = [entry.name for entry in islice(entries, MOST_ENTRIES)]
    return sum(name.endswith(".json") for name in names)


def _not_started(cage: Cage, ended: Ended) -> str:
    why = ended.stopped or f"it ended with code {ended.code}"
    return (
        f"The process that runs the method ({cage.kind}) did not come as far as to "
        f"load it: {why}. It printed: {shown(ended.output)}"
    )


def _read(answers: int, index: int, asked: Asked) -> Reply:
    try:
        return Reply(asked, read_reply(answers, index, asked.expected), None)
    except UnusableError as error:
        return Reply(asked, None, str(error))
