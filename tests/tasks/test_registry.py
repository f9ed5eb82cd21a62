import re
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.errors import FileFormatError, UnknownNameError, UserError
from bench.tasks import registry
from bench.tasks.registry import (
    data_root,
    find_suite,
    find_task,
    find_tasks,
    read_suites,
    suite_tasks,
    task_files,
)

MakeTask = Callable[..., Path]

SUITES = """\
[core]
version = "1.0"
summary = "Small ones."
tasks = ["induction/tiny", "induction/also"]

[paper]
version = "0.1"
summary = "Large ones."
tasks = ["induction/none"]
"""


@pytest.fixture
def root(tmp_path: Path, make_task: MakeTask) -> Path:
    """Make a data folder with two tasks and two suites."""
    make_task("tiny")
    make_task("also")
    (tmp_path / "tasks" / "suites.toml").write_text(SUITES)
    return tmp_path


def test_tasks_are_found_by_their_folders(root: Path) -> None:
    """Every task file is listed by family and name, sorted; models are none."""
    folder = root / "tasks" / "induction"

    assert list(task_files(root).items()) == [
        ("induction/also", folder / "also" / "task.toml"),
        ("induction/tiny", folder / "tiny" / "task.toml"),
    ]


def test_no_tasks_are_found_in_an_empty_folder(tmp_path: Path) -> None:
    """A folder without tasks has none."""
    assert task_files(tmp_path) == {}


def test_task_by_name(root: Path) -> None:
    """A task is found by its full name."""
    assert find_task("induction/tiny", root=root).id == "induction/tiny"


def test_task_by_path(root: Path, tmp_path: Path) -> None:
    """A path works like a name, wherever the file is."""
    path = root / "tasks" / "induction" / "tiny" / "task.toml"
    elsewhere = tmp_path / "elsewhere" / "task.toml"
    elsewhere.parent.mkdir()
    elsewhere.write_bytes(path.read_bytes())

    assert find_task(str(path), root=root).id == "induction/tiny"
    assert find_task(str(elsewhere), root=root).folder == elsewhere.parent


def test_a_task_has_a_folder_of_its_own(root: Path) -> None:
    """Two tasks in one folder would share one reference."""
    expected = (
        "'a/other.toml' is not called task.toml: a task has a folder of its own, with "
        "its prompts and its reference. Rename the file."
    )
    with pytest.raises(FileFormatError, match=f"^{re.escape(expected)}$"):
        find_task("a/other.toml", root=root)


def test_tasks_of_one_id_are_refused(root: Path, tmp_path: Path) -> None:
    """Results go by the id, so that of two tasks one would be lost."""
    path = root / "tasks" / "induction" / "tiny" / "task.toml"
    again = tmp_path / "again" / "task.toml"
    again.parent.mkdir()
    again.write_bytes(path.read_bytes())
    names = ("induction/tiny", "induction/also")

    assert [task.id for task in find_tasks(names, root=root)] == list(names)
    for second in (str(again), "induction/tiny"):
        with pytest.raises(UserError, match=r"are both called 'induction/tiny', and"):
            find_tasks([*names, second], root=root)


def test_path_that_is_not_there(root: Path) -> None:
    """A path to nothing is an unreadable file, not an unknown name."""
    with pytest.raises(FileFormatError, match=r"'none/task\.toml' cannot be read"):
        find_task("none/task.toml", root=root)


def test_unknown_task_suggests_the_nearest(root: Path) -> None:
    """A misspelt task is answered with the near one and the list."""
    expected = re.escape(
        "No task is called 'induction/tyni'. Did you mean 'induction/tiny'? "
        "Known: induction/also, induction/tiny. A task of your own goes by its path: "
        "--task path/to/task.toml."
    )
    with pytest.raises(UnknownNameError, match=f"^{expected}$"):
        find_task("induction/tyni", root=root)


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ('name = "tiny"', 'name = "other"', "induction/other"),
        ('family = "induction"', 'family = "other"', "other/tiny"),
    ],
)
def test_task_in_another_folder(
    root: Path, make_task: MakeTask, old: str, new: str, found: str
) -> None:
    """A task whose file and folder disagree is refused with both names."""
    path = make_task("tiny", edits={old: new})

    expected = re.escape(
        f"'{path}' calls itself '{found}', but its folder says 'induction/tiny'. "
        "Rename one of them."
    )
    with pytest.raises(FileFormatError, match=f"^{expected}$"):
        find_task("induction/tiny", root=root)


def test_suites_are_read(root: Path) -> None:
    """All suites come with version, summary and tasks."""
    suites = read_suites(root)

    assert list(suites) == ["core", "paper"]
    assert suites["core"].version == "1.0"
    assert suites["paper"].tasks == ("induction/none",)
    assert find_suite("core", root=root) == suites["core"]


def test_unknown_suite_suggests_the_nearest(root: Path) -> None:
    """A misspelt suite is answered with the near one and the list."""
    expected = re.escape(
        "No suite is called 'cor'. Did you mean 'core'? Known: core, paper."
    )
    with pytest.raises(UnknownNameError, match=f"^{expected}$"):
        find_suite("cor", root=root)


def test_tasks_of_a_suite_keep_its_order(root: Path) -> None:
    """The suite says in which order its tasks come."""
    found = [task.id for task in suite_tasks("core", root=root)]

    assert found == ["induction/tiny", "induction/also"]


def test_suite_with_an_unknown_task(root: Path) -> None:
    """A suite that names no task of the folder is refused."""
    with pytest.raises(UnknownNameError, match="No task is called 'induction/none'"):
        suite_tasks("paper", root=root)


def test_missing_suites(tmp_path: Path) -> None:
    """Where there is no file of suites, it is named."""
    path = re.escape(str(tmp_path / "tasks" / "suites.toml"))

    with pytest.raises(FileFormatError, match=f"suites in '{path}' cannot be read: "):
        read_suites(tmp_path)


@pytest.mark.parametrize(
    "content", [b"[core", b"[a]\n[a]", b'a = "\xff"'], ids=["cut", "twice", "bytes"]
)
def test_suites_that_are_not_toml(root: Path, content: bytes) -> None:
    """Cut files, tables that occur twice and other encodings are no TOML."""
    (root / "tasks" / "suites.toml").write_bytes(content)

    with pytest.raises(FileFormatError, match=r"The suites in .* cannot be read: "):
        read_suites(root)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('"1.0"', "1.0", "suites/core/version: Input should be a valid string"),
        ("summary =", "sumary =", "suites/core/sumary: Extra inputs are not permitted"),
        ('"Small ones."', "nan", "suites/core/summary: Input should be a valid string"),
        ('["induction/none"]', "[1979-05-27, 1]", "suites/paper/tasks/1: Input should"),
    ],
)
def test_bad_suites_are_refused(root: Path, old: str, new: str, problem: str) -> None:
    """Each field that does not fit is named."""
    assert old in SUITES
    (root / "tasks" / "suites.toml").write_text(SUITES.replace(old, new))

    with pytest.raises(FileFormatError, match=f"\n  {re.escape(problem)}"):
        read_suites(root)


def test_data_lies_beside_the_package_in_a_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Packaged data come first; without them the checkout's folder is used."""
    package = tmp_path / "bench"
    package.mkdir()
    monkeypatch.setattr(registry, "PACKAGE", package)
    assert data_root() == tmp_path

    (package / "_data").mkdir()
    assert data_root() == package / "_data"
