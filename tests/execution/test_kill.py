"""Kills, crowds and full disks: the same command goes on and ends the same."""

import errno
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Thread

import psutil
import pytest

from bench.cache.cache import Cache
from bench.errors import NoRoomError
from bench.evaluation.run import Plan
from bench.evaluation.units import Executor
from bench.execution.local import LocalExecutor
from bench.execution.processes import ProcessExecutor
from bench.execution.ray_cluster import RayExecutor
from tests.execution.conftest import Trials, two_nodes

PARTS = 3

DRIVER = """
import sys
from pathlib import Path

from bench.cli.executors import Wish, choose_executor
from bench.tasks.spec import read_task
from tests.execution.conftest import Trials

if __name__ == "__main__":
    folder, executor, *names = sys.argv[1:]
    trials = Trials(Path(folder), read_task(Path(folder) / "task.toml"))
    wish = Wish(executor, workers=2)
    trials.run([trials.found(name) for name in names], choose_executor(wish))
"""


def forked(work: Callable[[], object]) -> int:
    """Begin work in a fork of this process; it ends with code 0 if all went well."""
    child = os.fork()
    if child:
        return child
    try:
        work()
    except BaseException:
        os._exit(1)
    os._exit(0)


def ended(child: int) -> int:
    """Wait for a child and return its code, negative for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def payloads(trials: Trials, cache: str = "cache") -> dict[str, bytes]:
    """Return what a cache holds."""
    return {key: entry.payload for key, entry in trials.entries(cache).items()}


def write_three(trials: Trials) -> list[Plan]:
    """Write three methods, each part of which takes a moment."""
    return [trials.write(name, "time.sleep(0.02)") for name in ("one", "two", "three")]


@pytest.mark.parametrize("seed", range(3))
def test_killed_at_any_point(trials: Trials, seed: int) -> None:
    """Killed again and again, a run ends with the bytes of one that never was.

    What was finished before a kill is not computed again: at most the part that was
    under way is.
    """
    plans = write_three(trials)
    trials.run(plans, LocalExecutor(), cache="whole")
    whole, begun = payloads(trials, "whole"), len(trials.told("ended"))
    draw = random.Random(seed)  # noqa: S311  (of a test)
    kills, code = 0, None
    while code != 0:
        child = forked(lambda: trials.run(plans, LocalExecutor()))
        time.sleep(draw.uniform(0.0, 0.25) * (1 + kills / 4))
        os.kill(child, signal.SIGKILL)
        code = ended(child)
        kills += code != 0
        assert code in (0, -signal.SIGKILL)

    assert kills > 0
    assert payloads(trials) == whole
    assert len(trials.told("ended")) - begun <= len(plans) * PARTS + kills
    outcomes = trials.run(plans, LocalExecutor())
    assert all(outcome.resumed for outcome in outcomes.values())


def test_two_at_once(trials: Trials) -> None:
    """Runs that share a cache both end, and leave what one alone leaves."""
    plans = write_three(trials)
    trials.run(plans, LocalExecutor(), cache="whole")
    children = [forked(lambda: trials.run(plans, LocalExecutor())) for _ in range(2)]

    assert [ended(child) for child in children] == [0, 0]
    assert payloads(trials) == payloads(trials, "whole")
    assert all(stored.problem is None for stored in cache(trials).stored())
    assert list(cache(trials).folder.rglob("*.partial")) == []


def cache(trials: Trials) -> Cache:
    """Return the cache of the runs."""
    return trials.settings().cache


def test_a_full_disk(trials: Trials, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said, nothing half is left, and the same command goes on later."""
    plans = write_three(trials)
    replace, left = os.replace, [4]

    def full(old: str, new: Path) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace(old, new)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(NoRoomError, match=r"could not be written: No space left"):
        trials.run(plans, LocalExecutor())
    monkeypatch.undo()

    kept = len(trials.entries())
    assert kept > 0
    assert list(cache(trials).folder.rglob("*.partial")) == []
    ran = len(trials.told("began"))
    trials.run(plans, LocalExecutor())
    # the part that found no room has to be computed again
    assert len(trials.told("began")) - ran == len(plans) * PARTS - kept


@pytest.mark.parametrize(
    "executor", ["process", pytest.param("ray", marks=pytest.mark.slow)]
)
def test_a_killed_driver(trials: Trials, tmp_path: Path, executor: str) -> None:
    """Nothing that its workers finished is computed again."""
    wait = "time.sleep(0 if (FOLDER / 'hurry').exists() or '{}' == 'one' else 60)"
    names = ("one", "two", "three")
    plans = [trials.write(name, wait.format(name)) for name in names]
    script = tmp_path / "driver.py"
    script.write_text(DRIVER)
    driver = subprocess.Popen(
        [sys.executable, script, tmp_path, executor, *names],
        env=os.environ | {"PYTHONPATH": str(Path.cwd())},
        start_new_session=True,
    )
    wait_for(lambda: len(trials.entries()) == PARTS)
    driver.kill()
    driver.wait()
    (tmp_path / "hurry").touch()
    time.sleep(1)  # workers that go on for a moment end what they are at

    before = trials.told("began").count("one")
    outcomes = trials.run(plans, ProcessExecutor(workers=2, threads=1))
    assert all(outcome.record is not None for outcome in outcomes.values())
    assert outcomes["one"].resumed
    assert before == PARTS == trials.told("began").count("one")


def gone(process: int) -> bool:
    """Whether a process has ended, waited for or not."""
    try:
        return psutil.Process(process).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Wait until something holds."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.1)


@pytest.mark.slow
def test_a_lost_machine(trials: Trials) -> None:
    """Units of a node that was removed are done by another one."""
    with two_nodes() as (cluster, second):
        executor = RayExecutor(cluster.address, None, 1)
        outcomes = with_lost_node(
            trials,
            executor,
            lambda: cluster.remove_node(second, allow_graceful=False),
        )
    assert outcomes == ["one", "two"]


def with_lost_node(
    trials: Trials, executor: Executor, lose: Callable[[], None]
) -> Sequence[str]:
    """Lose the node once a unit runs on each; return the methods with a record."""
    wait = "while not (FOLDER / 'go').exists(): time.sleep(0.1)"
    plans = [trials.write(name, wait) for name in ("one", "two")]

    def lose_one() -> None:
        wait_for(lambda: len(trials.told("began")) == len(plans))
        begun = trials.processes()
        lose()
        # its worker lives on for a moment, and could finish
        wait_for(lambda: any(gone(process) for process in begun))
        (trials.folder / "go").touch()

    loser = Thread(target=lose_one)
    loser.start()
    outcomes = trials.run(plans, executor)
    loser.join()
    assert len(trials.told("began")) > len(plans) * PARTS
    return sorted(name for name, outcome in outcomes.items() if outcome.record)
