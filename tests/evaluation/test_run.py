import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.errors import DigestError, MethodFailedError, NoRoomError
from bench.evaluation import run as run_module
from bench.evaluation.contexts import OpenedTask
from bench.evaluation.evaluate_task import method_key
from bench.evaluation.run import Outcome, Plan, Settings, result_path, run_methods
from bench.methods.discovery import FoundMethod
from bench.methods.protocol import Method
from bench.results.attribution_record import AttributionRecord, read_attribution
from bench.results.provenance import Provenance, bench_version
from bench.tasks.registry import suite_tasks
from bench.tasks.spec import Task

CPU = Settings(device="cpu", seed=0)


def never(_: object) -> Any:
    """Stand in for a method that must not be called."""
    raise AssertionError


FOUND = FoundMethod(
    Method("my-method", "write", never, "Say something."),
    "file",
    "my_method.py",
    "0" * 64,
)


@pytest.fixture
def tasks(repository: Path) -> tuple[Task, ...]:
    """Two tasks."""
    return suite_tasks("core", root=repository)


class Evaluation:
    """Stands in for the running of models: counts calls and fails where told."""

    def __init__(
        self, make_record: Callable[..., AttributionRecord], provenance: Provenance
    ) -> None:
        """Fail nowhere."""
        self.make_record = make_record
        self.provenance = provenance
        self.ran: list[str] = []
        self.opened: list[OpenedTask] = []
        self.errors: dict[str, Exception] = {}
        self.reported_device: str | None = None

    def __call__(
        self, found: FoundMethod, opened: OpenedTask, *, stage: Any
    ) -> AttributionRecord:
        """Make a record of the circumstances."""
        task, device, seed = opened.task, opened.device, opened.seed
        self.ran.append(task.id)
        self.opened.append(opened)
        stage("attribution")(1, 1)
        if task.id in self.errors:
            raise self.errors[task.id]
        where = {
            "device": self.reported_device or device,
            "seed": seed,
            "bench": bench_version(),
        }
        return self.make_record(
            [1 / 3] * task.n_sections,
            task=task.id,
            untrained=[0.0] * task.n_sections,
            untrained_reason=None,
            control=[0.0] * task.n_sections,
            control_reason=None,
            method=method_key(found).model_dump(),
            provenance=self.provenance.model_copy(update=where).model_dump(),
        )


@pytest.fixture
def evaluation(
    monkeypatch: pytest.MonkeyPatch,
    make_record: Callable[..., AttributionRecord],
    provenance: Provenance,
) -> Evaluation:
    """Replace the running of models."""
    fake = Evaluation(make_record, provenance)
    monkeypatch.setattr(run_module, "evaluate_task", fake)
    return fake


@pytest.fixture
def run(
    evaluation: Evaluation, tasks: tuple[Task, ...], tmp_path: Path
) -> Callable[..., list[Outcome]]:
    """Run both tasks, and forget what ran before."""

    def again(found: FoundMethod = FOUND, settings: Settings = CPU) -> list[Outcome]:
        evaluation.ran.clear()
        outcomes = run_methods(
            [Plan(found, tmp_path / "out")],
            tasks,
            settings,
            announce=lambda _title: lambda _name: lambda _done, _total: None,
        )
        return outcomes[found.method.name]

    return again


Run = Callable[..., list[Outcome]]


@pytest.fixture
def first(run: Run, tmp_path: Path) -> Path:
    """Run once and return the file of the first task."""
    run()
    return result_path(tmp_path / "out", "induction/early")


def test_every_task_is_run_and_stored(
    run: Run, evaluation: Evaluation, tasks: tuple[Task, ...], tmp_path: Path
) -> None:
    """What is returned is what was written, rounding included."""
    outcomes = run()

    assert evaluation.ran == [task.id for task in tasks]
    for task, outcome in zip(tasks, outcomes, strict=True):
        path = tmp_path / "out" / f"{task.id}.json"
        assert outcome == Outcome(task, read_attribution(path), None, resumed=False)
        assert outcome.record is not None
        assert outcome.record.values[0] == 0.333333333


@pytest.mark.usefixtures("first")
def test_matching_results_are_kept(run: Run, evaluation: Evaluation) -> None:
    """The same command does nothing twice."""
    outcomes = run()

    assert evaluation.ran == []
    assert [outcome.resumed for outcome in outcomes] == [True, True]
    assert all(outcome.record is not None for outcome in outcomes)


@pytest.mark.usefixtures("first")
@pytest.mark.parametrize(
    ("found", "settings"),
    [
        (replace(FOUND, source_sha256="1" * 64), CPU),
        (replace(FOUND, source="other.py"), CPU),
        (FOUND, Settings(device="cpu", seed=1)),
        (FOUND, Settings(device="cuda", seed=0)),
    ],
    ids=["digest", "source", "seed", "device"],
)
def test_changed_circumstances_run_again(
    found: FoundMethod,
    settings: Settings,
    run: Run,
    evaluation: Evaluation,
    tasks: tuple[Task, ...],
) -> None:
    """A result of other circumstances is not passed off as this one's."""
    outcomes = run(found, settings)

    assert evaluation.ran == [task.id for task in tasks]
    assert not any(outcome.resumed for outcome in outcomes)


def test_another_version_runs_again(
    run: Run, evaluation: Evaluation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new version of this package may measure differently."""
    run()
    monkeypatch.setattr(run_module, "bench_digest", lambda: "0" * 64)

    run()
    assert len(evaluation.ran) == 2


def test_devices_are_recognised_by_their_kind(run: Run, evaluation: Evaluation) -> None:
    """The device 'cuda' is stored as 'cuda:0'; asking for either keeps the result."""
    evaluation.reported_device = "cuda:0"
    run(settings=Settings(device="cuda", seed=0))
    for device, ran in (("cuda", 0), ("cuda:0", 0), ("cuda:1", 2)):
        run(settings=Settings(device=device, seed=0))
        assert len(evaluation.ran) == ran


@pytest.mark.parametrize("damage", ["truncated", "corrupt", "empty", "altered-task"])
def test_damaged_results_are_made_again(
    damage: str, first: Path, run: Run, evaluation: Evaluation
) -> None:
    """A file that cannot be trusted is replaced, the others are kept."""
    sound = first.read_bytes()
    document = json.loads(sound)
    document["task"]["digest"] = "0" * 64
    first.write_bytes(
        {
            "truncated": sound[: len(sound) // 2],
            "corrupt": sound.replace(b"0.333333333", b"NaN", 1),
            "empty": b"",
            "altered-task": json.dumps(document).encode(),
        }[damage]
    )
    outcomes = run()

    assert evaluation.ran == ["induction/early"]
    assert [outcome.resumed for outcome in outcomes] == [False, True]
    assert first.read_bytes() == sound


def test_a_failing_task_does_not_stop_the_next(
    run: Run, evaluation: Evaluation, tmp_path: Path
) -> None:
    """What went wrong is told for the task, and only for it."""
    error = MethodFailedError("no")
    evaluation.errors["induction/early"] = error
    early, late = run()

    assert (early.record, early.error) == (None, error)
    assert late.error is None
    assert late.record is not None
    assert not (tmp_path / "out" / "induction" / "early.json").exists()

    del evaluation.errors["induction/early"]
    assert [outcome.resumed for outcome in run()] == [False, True]


def test_a_failure_keeps_the_older_result(
    first: Path, run: Run, evaluation: Evaluation
) -> None:
    """A file of other circumstances stays until there is a new one."""
    before = first.read_bytes()
    evaluation.errors["induction/early"] = MethodFailedError("no")

    run(settings=Settings(device="cpu", seed=1))
    assert first.read_bytes() == before


def test_what_the_user_has_to_mend_stops_everything(
    run: Run, evaluation: Evaluation
) -> None:
    """Altered files of a task are no failure of the method."""
    evaluation.errors["induction/early"] = DigestError("altered")

    with pytest.raises(DigestError, match="altered"):
        run()
    assert evaluation.ran == ["induction/early"]


def test_a_full_disk_stops_everything(
    first: Path, run: Run, evaluation: Evaluation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The older file is left, no part of a new one, and later tasks do not start."""
    before = first.read_bytes()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", full)
        with pytest.raises(NoRoomError, match="could not be written: No space left"):
            run(settings=Settings(device="cpu", seed=1))
    assert evaluation.ran == ["induction/early"]
    assert first.read_bytes() == before
    assert {path.name for path in first.parent.iterdir()} == {"early.json", "late.json"}


KILLED = """
import os, signal, sys
from pathlib import Path
from bench.results.store import write_atomically

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

os.replace = die
write_atomically(Path(sys.argv[1]), Path(sys.argv[2]).read_bytes())
"""


@pytest.mark.parametrize("old", [None, b"{}"], ids=["new", "replacing"])
def test_a_kill_while_writing(
    first: Path,
    run: Run,
    evaluation: Evaluation,
    tmp_path: Path,
    old: bytes | None,
) -> None:
    """Killed in the middle of writing, no half of a result is left; the next run ends.

    The child dies after the data was written and before it got its name.
    """
    sound = tmp_path / "sound.json"
    sound.write_bytes(first.read_bytes())
    first.unlink()
    if old is not None:
        first.write_bytes(old)
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(first), str(sound)], check=False
    )
    assert done.returncode == -signal.SIGKILL
    assert (first.read_bytes() if first.exists() else None) == old

    outcomes = run()
    assert evaluation.ran == ["induction/early"]
    assert [outcome.resumed for outcome in outcomes] == [False, True]
    assert first.read_bytes() == sound.read_bytes()
    assert {path.name for path in first.parent.glob("*.json")} == {
        "early.json",
        "late.json",
    }


def test_a_result_that_is_too_large_is_not_written(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What could not be read again is refused with what to do."""
    monkeypatch.setattr(run_module, "LARGEST_FILE", 10)

    outcomes = run()

    assert all("Leave per_prompt out" in str(o.error) for o in outcomes)
    assert not list((tmp_path / "out").rglob("*.json"))


@pytest.mark.parametrize("fails", [False, True])
def test_nobody_runs_on_what_a_failed_run_left(
    fails: bool, evaluation: Evaluation, tasks: tuple[Task, ...], tmp_path: Path
) -> None:
    """After a failure the model is loaded anew; else one is enough for all."""
    if fails:
        evaluation.errors[tasks[0].id] = MethodFailedError("left the model changed")
    plans = [Plan(FOUND, tmp_path / name) for name in ("one", "other")]
    run_methods(
        plans,
        tasks[:1],
        CPU,
        announce=lambda _: lambda _name: lambda _done, _total: None,
    )

    one, other = evaluation.opened
    assert (one is not other) == fails
