"""The repository's own tasks, suites and references: what is checked against."""

from collections.abc import Mapping
from pathlib import Path

from bench.errors import ReferencePendingError, UnknownNameError
from bench.results.reference_record import Reference, is_measured, read_reference
from bench.results.targets import Targets, find_targets
from bench.tasks.registry import Suite, find_task, read_suites, task_files
from bench.tasks.spec import Task


class Trusted:
    """The repository's own tasks and references, read once for many submissions."""

    def __init__(
        self,
        root: Path,
        *,
        built_in: frozenset[str],
        sources: Mapping[str, str] | None = None,
        oracles: frozenset[str] = frozenset(),
    ) -> None:
        """Read tasks, suites and the references that there are.

        Args:
            root: Folder that holds ``tasks`` and ``reference_results``.
            built_in: Names of built-in and null methods, which nobody else may use.
            sources: Built-in method to the digest of its source file.
            oracles: Names of the built-in methods that are oracles.
        """
        self.built_in = built_in
        self.sources = dict(sources or {})
        self.oracles = oracles
        self.suites = read_suites(root)
        self.tasks: dict[str, Task] = {
            name: find_task(name, root=root) for name in task_files(root)
        }
        self.references: dict[str, Reference] = {
            name: read_reference(task, root=root)
            for name, task in self.tasks.items()
            if is_measured(task, root=root)
        }
        self._targets: dict[tuple[str, str], Targets] = {}

    def suite(self, name: str) -> Suite:
        """Return a suite.

        Raises:
            UnknownNameError: There is no such suite.
        """
        if name not in self.suites:
            raise UnknownNameError("suite", name, self.suites)
        return self.suites[name]

    def reference(self, task_id: str) -> Reference:
        """Return the reference of a task.

        Raises:
            ReferencePendingError: It was not measured yet.
        """
        if task_id not in self.references:
            raise ReferencePendingError(
                f"The reference of '{task_id}' is pending. Measure it with: bench "
                f"reference compute {task_id}"
            )
        return self.references[task_id]

    def pending(self, suite: str) -> list[str]:
        """Return the suite's tasks whose references were not measured yet."""
        return [t for t in self.suite(suite).tasks if t not in self.references]

    def targets(self, task_id: str, suite: str) -> Targets:
        """Return what attributions on a task are scored against, measured once.

        Args:
            task_id: The task.
            suite: Where other circuits may be known from; one that is not there knows
                of none.

        Raises:
            ReferencePendingError: The task's reference was not measured yet.
        """
        # whatever strangers call a suite, nothing is measured or kept for each name
        key = (task_id, suite if suite in self.suites else "")
        if key not in self._targets:
            reference = self.reference(task_id)
            others = self.others(task_id, suite) if suite in self.suites else []
            self._targets[key] = find_targets(reference, others=others)
        return self._targets[key]

    def others(self, task_id: str, suite: str) -> list[Reference]:
        """Return the references of the suite's other tasks."""
        return [
            self.references[name]
            for name in self.suites[suite].tasks
            if name != task_id and name in self.references
        ]
