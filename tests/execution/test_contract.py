"""What every executor must hold."""

import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from bench.cli.executors import Wish, choose_executor
from bench.errors import DigestError, MethodFailedError, UserError
from bench.evaluation.run import Plan, _unit
from bench.evaluation.units import Done, Executor, Unit
from bench.execution import ray_cluster
from bench.execution.local import LocalExecutor
from bench.execution.packing import Packed, pack
from bench.execution.processes import TRIES, ProcessExecutor
from bench.execution.ray_cluster import RayExecutor
from tests.execution.conftest import Trials, silent, two_nodes

REMOTE = ("process", "ray")
PARTS = 3
"""Runs of a method on a task: its answer, and both of its controls."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Start a cluster of two nodes with one processor each."""
    with two_nodes() as (cluster, _):
        yield cluster


@pytest.fixture
def ray_address(cluster: Any) -> str:
    """Where the cluster is."""
    return cluster.address


@pytest.fixture(params=("local", *REMOTE))
def kind(request: pytest.FixtureRequest) -> str:
    """Name the executor."""
    return request.param


@pytest.fixture
def make(kind: str, request: pytest.FixtureRequest):
    """Make the executor, with a time limit where there is one."""

    def made(timeout: float | None = None) -> Executor:
        if kind == "local":
            return LocalExecutor()
        if kind == "process":
            return ProcessExecutor(workers=2, threads=1, timeout=timeout)
        address = request.getfixturevalue("ray_address")
        return RayExecutor(address, workers=None, threads=1, timeout=timeout)

    return made


def unit_of(plan: Plan, trials: Trials) -> Unit:
    """Return the unit of a method on the task."""
    return _unit(plan, trials.task, trials.settings())


def test_same_bytes_as_here(trials: Trials, make) -> None:
    """Answers and controls are those of a run in this process, to the byte."""
    plans = [trials.write(name) for name in ("one", "two", "three")]
    here = trials.run(plans, LocalExecutor(), cache="here")
    there = trials.run(plans, make(), cache="there")

    expected, found = trials.entries("here"), trials.entries("there")
    assert len(expected) == len(plans) * PARTS
    assert {k: e.payload for k, e in found.items()} == {
        k: e.payload for k, e in expected.items()
    }
    for name, outcome in there.items():
        mine, other = here[name].record, outcome.record
        assert mine is not None
        assert other is not None
        changed = {"wall_s": mine.wall_s, "provenance": mine.provenance}
        assert other.model_copy(update=changed) == mine
    assert len({outcome.record.values for outcome in there.values()}) == len(plans)  # type: ignore[union-attr]


def test_a_failure_is_that_units_alone(trials: Trials, make) -> None:
    """The others are done, and the failed one says why."""
    plans = [trials.write("good"), trials.write("bad", "raise ValueError('no')")]
    plans.append(trials.write("late"))
    outcomes = trials.run(plans, make())

    assert outcomes["good"].record is not None
    assert outcomes["late"].record is not None
    error = outcomes["bad"].error
    assert isinstance(error, MethodFailedError)
    assert str(error) == (
        "The method 'bad' (bad.py) raised ValueError: no (line 22 of bad.py)"
    )


def test_what_the_user_has_to_mend_stops_the_run(
    trials: Trials,
    make,
) -> None:
    """Altered files of the task are no failure of a method."""
    plan = trials.write("good")
    (trials.task.folder / "prompts.jsonl").write_text("")

    with pytest.raises(DigestError, match=r"prompts\.jsonl' was altered"):
        trials.run([plan], make())


def test_nothing_is_computed_twice(trials: Trials, make) -> None:
    """A second run takes everything from the cache, and another method only its own."""
    plans = [trials.write("one"), trials.write("two")]
    first = trials.run(plans, make())
    began = trials.told("began")
    assert sorted(began) == sorted(["one", "two"] * PARTS)

    again = trials.run([*plans, trials.write("three")], make())
    assert trials.told("began")[len(began) :] == ["three"] * PARTS
    assert [again[name].resumed for name in ("one", "two", "three")] == [
        True,
        True,
        False,
    ]
    assert again["one"].record == first["one"].record


def test_stopping_keeps_what_is_finished(
    trials: Trials,
    make,
) -> None:
    """Who stops after the first unit has it, ends the others, and can go on."""
    slow = "time.sleep(0 if (FOLDER / 'hurry').exists() else 60)"
    plans = [trials.write("quick"), trials.write("slow", slow)]
    outcomes = make().run([unit_of(plan, trials) for plan in plans], silent)
    unit, done = next(outcomes)
    outcomes.close()

    assert unit.title.startswith("quick on ")
    assert done.record is not None
    assert "slow" not in trials.told("ended")
    (trials.folder / "hurry").touch()
    finished = trials.run(plans, make())
    assert finished["quick"].resumed
    assert finished["slow"].record is not None
    assert trials.told("ended").count("quick") == PARTS


def test_a_changed_source_is_noticed(trials: Trials, make) -> None:
    """A method that was edited since the run began is not run under its old name."""
    unit = unit_of(trials.write("edited"), trials)
    trials.write("edited", "pass")
    ((_, done),) = make().run([unit], silent)

    assert "'edited.py' was changed while the run went on" in str(done.error)


@pytest.mark.parametrize("kind", REMOTE, indirect=True)
def test_a_dead_worker_is_replaced(trials: Trials, make) -> None:
    """A process that was killed in the middle costs its unit's part alone."""
    kill = (
        "unrepeated = ctx.prompts.clean.equal(ctx.prompts.control)",
        "if unrepeated and not (FOLDER / 'k').exists():",
        "    (FOLDER / 'k').touch()",
        "    os.kill(os.getpid(), signal.SIGKILL)",
    )
    plans = [trials.write("killed", *kill), trials.write("other")]
    outcomes = trials.run(plans, make())

    assert all(outcome.record is not None for outcome in outcomes.values())
    assert trials.told("began").count("killed") == PARTS + 1
    assert trials.told("ended").count("killed") == PARTS
    assert trials.told("ended").count("other") == PARTS


@pytest.mark.parametrize("kind", REMOTE, indirect=True)
def test_who_kills_every_worker_is_told_of(
    trials: Trials,
    make,
) -> None:
    """After a few tries the unit has failed; the others are done."""
    plans = [
        trials.write("fatal", "os.kill(os.getpid(), signal.SIGKILL)"),
        trials.write("other"),
    ]
    outcomes = trials.run(plans, make())

    assert outcomes["other"].record is not None
    assert "fatal on induction/tiny" in str(outcomes["fatal"].error)
    assert trials.told("began").count("fatal") == TRIES


@pytest.mark.parametrize("kind", REMOTE, indirect=True)
def test_a_time_limit(trials: Trials, make) -> None:
    """What takes too long is stopped and said; no method can catch that."""
    patient = (
        "try:",
        "    time.sleep(60)",
        "except Exception:",
        "    time.sleep(60)",
    )
    plans = [trials.write("patient", *patient), trials.write("other")]
    outcomes = trials.run(plans, make(timeout=4.0))

    assert outcomes["other"].record is not None
    assert "patient on " in str(outcomes["patient"].error)
    assert "took longer than 4 s and was stopped" in str(outcomes["patient"].error)


def test_options_that_do_not_go_together() -> None:
    """What an executor cannot do is refused before anything runs."""
    for wish, named in (
        (Wish("local", workers=2), "--workers"),
        (Wish("local", timeout=1.0), "--timeout"),
        (Wish("process", ray_address="auto"), "--ray-address"),
        (Wish("ray", workers=2, ray_address="auto"), "--workers"),
    ):
        with pytest.raises(UserError, match=f"^{named} cannot be used here"):
            choose_executor(wish)


def test_processes_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many processes as cores, unless threads were asked for."""
    monkeypatch.setattr("bench.cli.executors._cores", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert choose_executor(Wish("process")) == ProcessExecutor(8, 1)
    assert choose_executor(Wish("process", workers=2)) == ProcessExecutor(2, 4)
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert choose_executor(Wish("process")) == ProcessExecutor(4, 2)
    assert choose_executor(Wish("process"), device="cuda") == ProcessExecutor(1, 2)


@pytest.mark.parametrize("device", ["cuda", "cuda:1", "auto", "mps"])
def test_one_process_has_a_gpu_and_all_cores(
    monkeypatch: pytest.MonkeyPatch, device: str
) -> None:
    """Several would share its memory; so they do when they are asked for."""
    monkeypatch.setattr("bench.cli.executors._cores", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    asked = Wish("process", workers=2)

    assert choose_executor(Wish("process"), device=device) == ProcessExecutor(1, 8)
    assert choose_executor(asked, device=device) == ProcessExecutor(2, 4)


def test_a_ray_of_this_machine_has_room_for_its_workers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each worker has its threads; a cluster with fewer processors would wait."""
    monkeypatch.setattr("bench.cli.executors._cores", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    executor = choose_executor(Wish("ray", workers=2))

    assert isinstance(executor, RayExecutor)
    assert executor == RayExecutor(None, 2, 4)
    assert executor.processors == 8


@pytest.mark.parametrize("threads", ["4,2", "0", "-1", "x"])
def test_threads_that_are_no_number(
    monkeypatch: pytest.MonkeyPatch, threads: str
) -> None:
    """What the environment says wrongly is told."""
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    with pytest.raises(UserError, match=f"OMP_NUM_THREADS is '{threads}'; expected a"):
        choose_executor(Wish("process"))


@pytest.mark.parametrize("device", ["auto", "cuda:1"])
def test_ray_chooses_the_gpu(device: str) -> None:
    """A device of one machine means nothing on another."""
    with pytest.raises(UserError, match=f"--device {device} cannot be used with"):
        choose_executor(Wish("ray"), device=device)


def test_a_gpu_unit_has_a_process_of_its_own(
    trials: Trials, cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it held of its GPU is free for the next one."""

    def process(*_: object) -> Packed:
        return pack(Done(None, (), MethodFailedError(str(os.getpid()))))

    monkeypatch.setattr(ray_cluster, "_work", process)
    unit = replace(unit_of(trials.write("one"), trials), device="cuda")
    node = cluster.add_node(num_cpus=2, num_gpus=1)  # as it says; nothing uses it
    try:
        # both processors, so that none runs beside another
        executor = RayExecutor(cluster.address, None, threads=2)
        units = [replace(unit, seed=seed) for seed in range(2)]
        found = {str(done.error) for _, done in executor.run(units, silent)}
    finally:
        cluster.remove_node(node)
    assert all(name.isdecimal() for name in found)
    assert len(found) == len(units)


def test_what_a_cluster_lacks_is_said(trials: Trials, ray_address: str) -> None:
    """Ray would wait for a GPU, or for processors, without end."""
    unit = unit_of(trials.write("one"), trials)
    for needing, threads in ((replace(unit, device="cuda"), 1), (unit, 99)):
        outcomes = RayExecutor(ray_address, None, threads).run([needing], silent)
        with pytest.raises(UserError, match=r"needs \d+ CPU and \d GPU"):
            next(outcomes)
