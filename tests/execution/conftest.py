"""Real methods on a real small task, that tell how often they ran."""

import logging
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import ray
from ray.cluster_utils import Cluster

from bench.cache.cache import Cache
from bench.cache.entry import Entry
from bench.evaluation.contexts import Progress
from bench.evaluation.run import Outcome, Plan, Settings, run_methods
from bench.evaluation.units import Executor
from bench.methods.discovery import find_method
from bench.tasks.spec import Task, read_task

SOURCE = '''\
"""A method for a test."""

import os
import signal
import time
from pathlib import Path

from bench.api import LayerAttribution, TaskContext, method

FOLDER = Path({folder!r})


def told(what: str) -> None:
    handle = os.open(FOLDER / "told", os.O_APPEND | os.O_CREAT | os.O_WRONLY)
    os.write(handle, f"{name} {{what}} {{os.getpid()}}\\n".encode())
    os.close(handle)


@method("{name}", kind="write")
def trial(ctx: TaskContext) -> LayerAttribution:
    told("began")
{body}
    writes = ctx.trace(ctx.prompts.clean).writes
    told("ended")
    return ctx.answer({weight} * sum_of(writes))


def sum_of(writes):
    import torch

    return torch.stack([write.norm(dim=-1).mean(dim=1) for write in writes], dim=1)
'''


def silent(_title: str) -> Callable[[str], Progress]:
    """Show nothing."""
    return lambda _name: lambda _done, _total: None


@dataclass
class Trials:
    """A folder with methods, a task, results and a cache."""

    folder: Path
    task: Task
    weights: dict[str, float] = field(default_factory=dict)

    def write(self, name: str, *body: str) -> Plan:
        """Write a method; its answers differ from those of the others."""
        weight = self.weights.setdefault(name, 1.0 + len(self.weights))
        path = self.folder / f"{name.replace('-', '_')}.py"
        lines = "\n".join(f"    {line}" for line in body)
        source = SOURCE.format(
            folder=str(self.folder), name=name, body=lines, weight=weight
        )
        path.write_text(source)
        return self.found(name)

    def found(self, name: str) -> Plan:
        """Return a method that was written."""
        path = self.folder / f"{name.replace('-', '_')}.py"
        return Plan(find_method(str(path)), self.folder / "results" / name)

    def settings(self, cache: str = "cache") -> Settings:
        """Run on the CPU."""
        return Settings(device="cpu", seed=0, cache=Cache(self.folder / cache))

    def run(
        self, plans: Sequence[Plan], executor: Executor, cache: str = "cache"
    ) -> dict[str, Outcome]:
        """Evaluate methods on the task."""
        found = run_methods(
            plans,
            [self.task],
            self.settings(cache),
            executor=executor,
            announce=silent,
        )
        return {name: outcomes[0] for name, outcomes in found.items()}

    def entries(self, cache: str = "cache") -> dict[str, Entry]:
        """Return the sound entries of a cache by the digests of their keys."""
        found = (stored.entry for stored in Cache(self.folder / cache).stored())
        return {entry.key.digest: entry for entry in found if entry is not None}

    def processes(self) -> set[int]:
        """Return the processes in which methods began."""
        lines = (self.folder / "told").read_text().splitlines()
        return {int(line.split()[2]) for line in lines}

    def told(self, what: str) -> list[str]:
        """Return the methods that began, or ended, as often as they did."""
        path = self.folder / "told"
        lines = path.read_text().splitlines() if path.exists() else []
        return [line.split()[0] for line in lines if line.split()[1] == what]


@contextmanager
def two_nodes() -> Generator[tuple[Any, Any], None, None]:
    """Start a cluster of two nodes of one processor, and connect to it.

    Yields:
        The cluster and its second node, which have no types.
    """
    cluster: Any = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    second: Any = cluster.add_node(num_cpus=1)
    ray.init(cluster.address, log_to_driver=False, logging_level=logging.ERROR)
    try:
        yield cluster, second
    finally:
        ray.shutdown()
        cluster.shutdown()


@pytest.fixture
def trials(task_file: Path, tmp_path: Path) -> Trials:
    """No methods yet."""
    task = read_task(task_file)
    return Trials(tmp_path, replace(task, file=task.file.resolve()))
