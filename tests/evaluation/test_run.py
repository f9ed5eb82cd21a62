import errno
import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from bench.cache.cache import Cache, StoredEntry, default_folder
from bench.errors import DigestError, MethodFailedError, NoRoomError, UserError
from bench.evaluation import keys, parts, units
from bench.evaluation.contexts import OpenedTask
from bench.evaluation.evaluate_task import Stage, evaluate_task
from bench.evaluation.parts import PARTS, Part, Parts
from bench.evaluation.run import Outcome, Plan, Settings, result_path, run_methods
from bench.evaluation.units import Unit, Worker
from bench.execution.local import LocalExecutor
from bench.methods.discovery import FoundMethod, find_method
from bench.methods.protocol import Method
from bench.results.attribution_record import (
    AttributionRecord,
    read_attribution,
    task_key,
)
from bench.results.provenance import Provenance
from bench.tasks.registry import PACKAGE, suite_tasks
from bench.tasks.spec import Task


def settings_of(device: str = "cpu", seed: int = 0) -> Settings:
    """Run on a device, with the cache of the test."""
    return Settings(device=device, seed=seed, cache=Cache(default_folder()))


def never(_: object) -> Any:
    """Stand in for a method that must not be called."""
    raise AssertionError


FOUND = FoundMethod(
    Method("my-method", "write", never, "Say something."),
    "file",
    "my_method.py",
    "0" * 64,
    called="my-method",
    code_sha256="0" * 64,
)


@pytest.fixture
def tasks(repository: Path) -> tuple[Task, ...]:
    """Two tasks."""
    return suite_tasks("core", root=repository)


class Evaluation:
    """Stands in for the running of models: counts calls and fails where told."""

    def __init__(self) -> None:
        """Fail nowhere."""
        self.ran: list[str] = []
        self.opened: list[OpenedTask] = []
        self.errors: dict[str, Exception] = {}
        self.found = FOUND
        self.record: Callable[..., AttributionRecord]

    def __call__(self, parts: Parts, *, stage: Stage) -> AttributionRecord:
        """Compute what is not kept, out of nothing."""
        opened = parts.opened
        self.opened.append(opened)
        for what in PARTS:
            parts.take(what, lambda: self._part(opened, stage))
        return evaluate_task(parts, stage=stage)

    def _part(self, opened: OpenedTask, stage: Stage) -> tuple[Part, float]:
        task = opened.task
        stage("attribution")(1, 1)
        if task.id not in self.ran:
            self.ran.append(task.id)
        if task.id in self.errors:
            raise self.errors[task.id]
        return Part(values=(1 / 3,) * task.n_sections, cost=1.0), 0.1


def record_of(
    make_record: Callable[..., AttributionRecord], task: Task, **fields: Any
) -> AttributionRecord:
    """Make a record of a task that has everything, but for some fields."""
    values = [1 / 3] * task.n_sections
    whole = {
        "untrained": values,
        "untrained_reason": None,
        "control": values,
        "control_reason": None,
    }
    return make_record(values, task=task.id, **(whole | fields))


@pytest.fixture
def evaluation(
    monkeypatch: pytest.MonkeyPatch,
    make_record: Callable[..., AttributionRecord],
    provenance: Provenance,
) -> Evaluation:
    """Replace the running of models."""
    fake = Evaluation()
    fake.record = partial(record_of, make_record)
    monkeypatch.setattr(units, "evaluate_task", fake)
    monkeypatch.setattr(units, "find_method", lambda _name: fake.found)
    monkeypatch.setattr(parts, "model_provenance", lambda *_, **__: provenance)
    monkeypatch.setattr(OpenedTask, "subject", None)
    return fake


@pytest.fixture
def run(
    evaluation: Evaluation, tasks: tuple[Task, ...], tmp_path: Path
) -> Callable[..., list[Outcome]]:
    """Run both tasks, and forget what ran before."""

    def again(
        found: FoundMethod = FOUND, settings: Settings | None = None
    ) -> list[Outcome]:
        evaluation.ran.clear()
        evaluation.found = found
        outcomes = run_methods(
            [Plan(found, tmp_path / "out")],
            tasks,
            settings or settings_of(),
            executor=LocalExecutor(),
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
        (replace(FOUND, code_sha256="1" * 64), {}),
        (replace(FOUND, source="other.py"), {}),
        (FOUND, {"seed": 1}),
        (FOUND, {"device": "cuda"}),
    ],
    ids=["digest", "source", "seed", "device"],
)
def test_changed_circumstances_run_again(
    found: FoundMethod,
    settings: dict[str, Any],
    run: Run,
    evaluation: Evaluation,
    tasks: tuple[Task, ...],
) -> None:
    """A result of other circumstances is not passed off as this one's."""
    outcomes = run(found, settings_of(**settings))

    assert evaluation.ran == [task.id for task in tasks]
    assert not any(outcome.resumed for outcome in outcomes)


@pytest.mark.parametrize("part", ["models", "methods", "tasks", "evaluation"])
def test_other_code_runs_again(
    part: str, run: Run, evaluation: Evaluation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What computes is in the key, whichever part of this package it is in."""
    run()
    others = tuple(folder for folder in keys.COMPUTING if folder != part)
    assert part in keys.COMPUTING
    monkeypatch.setattr(keys, "COMPUTING", others)
    keys.code_digest.cache_clear()

    run()
    keys.code_digest.cache_clear()
    assert len(evaluation.ran) == 2


def test_what_scores_is_in_no_key() -> None:
    """A changed score, table or check runs no model again."""
    for folder in ("scores", "results", "leaderboard", "submissions", "cli", "plots"):
        assert (PACKAGE / folder).is_dir()
        assert folder not in keys.COMPUTING


def test_devices_are_recognised_by_their_kind(run: Run, evaluation: Evaluation) -> None:
    """Of several devices of a kind it does not matter which."""
    for device, ran in (("cuda", 2), ("cuda:0", 0), ("cuda:1", 0), ("cpu", 2)):
        run(settings=settings_of(device))
        assert len(evaluation.ran) == ran


@pytest.mark.usefixtures("first")
@pytest.mark.parametrize("damage", ["truncated", "altered", "empty", "of another key"])
def test_spoilt_entries_are_computed_again(
    damage: str, run: Run, evaluation: Evaluation
) -> None:
    """An entry that cannot be trusted is replaced, the others are used."""
    entries = list(Cache(default_folder()).stored())
    path = next(e.path for e in entries if of_early(e))
    other = next(e.path for e in entries if not of_early(e))
    sound = path.read_bytes()
    path.write_bytes(
        {
            "truncated": sound[: len(sound) // 2],
            "altered": sound.replace(b"0.333", b"0.334", 1),
            "empty": b"",
            "of another key": other.read_bytes(),
        }[damage]
    )
    outcomes = run()

    assert evaluation.ran == ["induction/early"]
    assert [outcome.resumed for outcome in outcomes] == [False, True]
    assert path.read_bytes() == sound


def of_early(stored: StoredEntry) -> bool:
    """Whether an entry belongs to the first task."""
    return stored.entry is not None and stored.entry.key.task.id == "induction/early"


@pytest.mark.usefixtures("evaluation")
def test_result_files_are_written_from_the_cache(
    first: Path, run: Run, evaluation: Evaluation
) -> None:
    """A file that was lost or altered is there again, without a run."""
    sound = first.read_bytes()
    for content in (None, b"{}"):
        first.unlink() if content is None else first.write_bytes(content)
        run()
        assert evaluation.ran == []
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

    run(settings=settings_of("cpu", 1))
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
            run(settings=settings_of("cpu", 1))
    assert evaluation.ran == ["induction/early"]
    assert first.read_bytes() == before
    assert {path.name for path in first.parent.iterdir()} == {"early.json", "late.json"}


def test_a_result_that_is_too_large_is_not_written(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What could not be read again is refused with what to do."""
    monkeypatch.setattr(units, "LARGEST_FILE", 10)

    outcomes = run()

    assert all("Leave per_prompt out" in str(o.error) for o in outcomes)
    assert not list((tmp_path / "out").rglob("*.json"))


def unit_on(task: Task) -> Unit:
    """Return a unit of the method."""
    return Unit(
        FOUND.called,
        FOUND.code_sha256,
        "0" * 64,
        str(task.file),
        "cpu",
        0,
        "float32",
        "c",
        "t",
    )


def test_another_version_elsewhere_is_refused(
    evaluation: Evaluation, tasks: tuple[Task, ...]
) -> None:
    """A worker with other code of this package computes nothing."""
    assert evaluation.found is FOUND
    done = Worker().do(unit_on(tasks[0]), lambda _name: lambda _done, _total: None)
    assert "The code of this package was changed" in str(done.error)
    assert isinstance(done.error, UserError)


def test_what_is_in_a_key(tasks: tuple[Task, ...]) -> None:
    """Each ingredient comes from where it should."""
    key = keys.computation_key(
        "untrained", tasks[0], device="cuda:1", seed=3, found=FOUND, settings={"a": 1}
    )

    assert (key.what, key.device, key.seed) == ("untrained", "cuda", 3)
    assert key.task == task_key(tasks[0])
    assert key.method == keys.method_key(FOUND)
    assert key.method_code == FOUND.code_sha256
    assert key.settings == {"a": 1}
    assert key.code == keys.code_digest()
    assert key.packages["torch"] == torch.__version__
    assert "my-needs" not in key.packages


def test_what_a_method_needs_is_in_its_key(tasks: tuple[Task, ...]) -> None:
    """Another version of a package that a method file asks for is another answer."""
    needing = replace(FOUND, packages=(("my-needs", "1.2"),))
    key = keys.computation_key("x", tasks[0], device="auto", seed=0, found=needing)

    assert key.packages["my-needs"] == "1.2"
    assert key.packages["torch"] == torch.__version__
    assert key.device == ("cuda" if torch.cuda.is_available() else "cpu")


def test_a_package_is_known_by_all_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A helper that changes is another method, as far as results go."""
    folder = tmp_path / "packaged"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "helper.py").write_text("WEIGHT = 1\n")
    (folder / "methods.py").write_text(
        "from bench.api import method\n\n\n@method('packaged', kind='write')\n"
        "def packaged(ctx):\n    return None\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    before = find_method("packaged.methods:packaged")
    (folder / "helper.py").write_text("WEIGHT = 2\n")
    after = find_method("packaged.methods:packaged")

    assert before.source_sha256 == after.source_sha256
    assert before.code_sha256 != after.code_sha256
    alone = find_method("attribution-patching")
    assert alone.code_sha256 == alone.source_sha256
