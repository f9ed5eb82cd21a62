"""Find tasks and suites by name or path."""

import json
import tomllib
from collections.abc import Sequence
from pathlib import Path

from bench.errors import FileFormatError, UnknownNameError, UserError
from bench.tasks.frozen import FrozenModel
from bench.tasks.spec import Task, read_task

PACKAGE = Path(__file__).resolve().parent.parent

TASK_FILE = "task.toml"
SUITES_FILE = "suites.toml"
OWN_TASKS = " A task of your own goes by its path: --task path/to/task.toml."


class Suite(FrozenModel):
    """A named and versioned set of tasks."""

    version: str
    """Minor versions add tasks, major versions change or remove them."""
    summary: str
    tasks: tuple[str, ...]


class Suites(FrozenModel):
    """The contents of ``suites.toml``."""

    suites: dict[str, Suite]


def data_root() -> Path:
    """Return the folder that holds ``tasks`` and ``reference_results``.

    In a wheel the data lies inside the package, in a checkout beside it.
    """
    packaged = PACKAGE / "_data"
    return packaged if packaged.is_dir() else PACKAGE.parent


def task_files(root: Path) -> dict[str, Path]:
    """Map every task below ``root/tasks`` to its file, sorted by name."""
    files = (root / "tasks").glob(f"*/*/{TASK_FILE}")
    return {f"{f.parent.parent.name}/{f.parent.name}": f for f in sorted(files)}


def find_task(name: str, *, root: Path) -> Task:
    """Find a task by its name, ``family/name``, or by the path of its file.

    Raises:
        UnknownNameError: There is no such task.
        FileFormatError: The task file cannot be read.
    """
    if name.endswith(".toml"):
        if Path(name).name != TASK_FILE:
            raise FileFormatError(
                f"'{name}' is not called {TASK_FILE}: a task has a folder of its own, "
                "with its prompts and its reference. Rename the file."
            )
        return read_task(Path(name))
    files = task_files(root)
    if name not in files:
        raise UnknownNameError("task", name, files, advice=OWN_TASKS)
    task = read_task(files[name])
    if task.id != name:
        raise FileFormatError(
            f"'{files[name]}' calls itself '{task.id}', but its folder says '{name}'. "
            "Rename one of them."
        )
    return task


def find_tasks(names: Sequence[str], *, root: Path) -> tuple[Task, ...]:
    """Find several tasks; what is stored about a task goes by its id alone.

    Raises:
        UnknownNameError: There is no such task.
        FileFormatError: A task file cannot be read.
        UserError: Two of the tasks have one id.
    """
    found: dict[str, Task] = {}
    for task in (find_task(name, root=root) for name in names):
        first = found.setdefault(task.id, task)
        if first is not task:
            raise UserError(
                f"'{first.file}' and '{task.file}' are both called '{task.id}', and "
                "results are stored by this name. Give each task once, and another "
                "name or another --out to a second one."
            )
    return tuple(found.values())


def read_suites(root: Path) -> dict[str, Suite]:
    """Read all suites.

    Raises:
        FileFormatError: ``suites.toml`` is missing or malformed.
    """
    path = root / "tasks" / SUITES_FILE
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FileFormatError(
            f"The suites in '{path}' cannot be read: {error}"
        ) from None
    text = json.dumps({"suites": document}, default=str)
    return Suites.parse(text, file=path).suites


def find_suite(name: str, *, root: Path) -> Suite:
    """Find a suite by its name.

    Raises:
        UnknownNameError: There is no such suite.
    """
    suites = read_suites(root)
    if name not in suites:
        raise UnknownNameError("suite", name, suites)
    return suites[name]


def suite_tasks(name: str, *, root: Path) -> tuple[Task, ...]:
    """Read the tasks of a suite, in the suite's order."""
    suite = find_suite(name, root=root)
    return tuple(find_task(task, root=root) for task in suite.tasks)
