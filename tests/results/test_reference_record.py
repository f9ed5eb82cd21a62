import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bench.errors import DigestError, FileFormatError, ReferencePendingError
from bench.results.reference_record import read_reference, reference_path
from bench.results.store import arrays_to_bytes, read_arrays
from bench.tasks.digest import sha256_of_bytes
from bench.tasks.registry import find_task
from bench.tasks.spec import Task
from bench.tasks.strict_json import StrictJSONError

EARLY = "induction/early"

Edit = Callable[[Path, Callable[[dict], object]], None]


@pytest.fixture
def task(repository: Path) -> Task:
    """A task with a stored reference."""
    return find_task(EARLY, root=repository)


@pytest.fixture
def path(repository: Path) -> Path:
    """The record of its reference."""
    return reference_path(find_task(EARLY, root=repository), root=repository)


def test_path_of_a_reference(task: Task, repository: Path, tmp_path: Path) -> None:
    """The repository's references have a folder; others lie beside their task."""
    expected = repository / "reference_results" / "induction" / "early.json"
    assert reference_path(task, root=repository) == expected
    assert reference_path(task, root=tmp_path) == task.folder / "reference.json"


def test_reading(task: Task, repository: Path, path: Path) -> None:
    """The record comes with its arrays; profiles use the last point's signature."""
    found = read_reference(task, root=repository)
    arrays = read_arrays(path.with_suffix(".safetensors"))

    assert found.record.task.id == EARLY
    assert found.promptwise.n_sections == task.n_sections
    assert found.promptwise.n_prompts == found.record.prompts
    for key, value in arrays.items():
        np.testing.assert_array_equal(found.arrays[key], value)
    np.testing.assert_array_equal(
        found.promptwise.signature, arrays["signature"][:, -1]
    )
    np.testing.assert_allclose(
        found.promptwise.profile("emergence"), found.record.gain.mean, atol=1e-8
    )
    np.testing.assert_allclose(
        found.promptwise.profile("composition"),
        found.record.composition_mean,
        atol=1e-8,
    )


def test_without_a_reference(task: Task, repository: Path, path: Path) -> None:
    """The message says how to measure one."""
    path.unlink()

    expected = re.escape(
        f"The reference of '{EARLY}' is pending: '{path}' does not exist. Measure it "
        f"with: bench reference compute {EARLY}"
    )
    with pytest.raises(ReferencePendingError, match=f"^{expected}$"):
        read_reference(task, root=repository)


@pytest.mark.parametrize(
    "change", [{"version": 2}, {"digest": "0" * 64}, {"id": "induction/late"}]
)
def test_reference_of_another_version(
    task: Task,
    repository: Path,
    path: Path,
    edit_json: Edit,
    change: dict[str, object],
) -> None:
    """A reference never stands in for one of another task or version."""
    edit_json(path, lambda record: record["task"].update(change))

    version = change.get("version", 1)
    expected = re.escape(f"'{path}' was measured on version {version} of '{EARLY}' (")
    with pytest.raises(DigestError, match=f"^{expected}") as caught:
        read_reference(task, root=repository)
    assert f"the task is now version 1 (digest {task.digest[:12]})" in str(caught.value)


def test_changed_task_makes_the_reference_stale(repository: Path) -> None:
    """A new version of the task needs a new reference."""
    path = repository / "tasks" / EARLY / "task.toml"
    path.write_text(path.read_text().replace("\nversion = 1", "\nversion = 2"))

    with pytest.raises(DigestError, match="the task is now version 2"):
        read_reference(find_task(EARLY, root=repository), root=repository)


def test_altered_arrays(task: Task, repository: Path, path: Path) -> None:
    """Arrays that differ from the recorded digest are refused."""
    arrays = path.with_suffix(".safetensors")
    arrays.write_bytes(arrays.read_bytes() + b" ")

    with pytest.raises(FileFormatError, match="was altered: its SHA-256 differs"):
        read_reference(task, root=repository)


def test_missing_arrays(task: Task, repository: Path, path: Path) -> None:
    """A record without its arrays is refused."""
    path.with_suffix(".safetensors").unlink()

    with pytest.raises(FileFormatError, match="cannot be read: No such file"):
        read_reference(task, root=repository)


def test_malformed_record(
    task: Task, repository: Path, path: Path, edit_json: Edit
) -> None:
    """All departures from the record are named."""

    def change(record: dict) -> None:
        record["protocol"] = "mine"
        record["ceiling"]["more"] = 1.0
        del record["gates"]

    edit_json(path, change)
    with pytest.raises(FileFormatError, match="is not a valid ReferenceRecord") as why:
        read_reference(task, root=repository)
    for place in ("protocol: ", "ceiling/more/", "gates: Field required"):
        assert place in str(why.value)


def test_record_that_is_not_strict(task: Task, repository: Path, path: Path) -> None:
    """A NaN in a reference is refused, with how it was written."""
    path.write_text(path.read_text().replace('"wall_s": 1.0', '"wall_s": NaN'))

    with pytest.raises(StrictJSONError, match="it holds NaN"):
        read_reference(task, root=repository)


def replace_arrays(path: Path, **changes: np.ndarray | None) -> None:
    """Change or remove arrays of a reference, with a digest that fits."""
    file = path.with_suffix(".safetensors")
    arrays = {k: v for k, v in (read_arrays(file) | changes).items() if v is not None}
    data = arrays_to_bytes(arrays)
    file.write_bytes(data)
    document = json.loads(path.read_text())
    document["arrays_sha256"] = sha256_of_bytes(data)
    path.write_text(json.dumps(document))


def refusal(task: Task, repository: Path) -> list[str]:
    """Return the problems that a reference is refused with."""
    with pytest.raises(FileFormatError, match="do not hold together:\n") as caught:
        read_reference(task, root=repository)
    first, *problems, last = str(caught.value).splitlines()
    assert first.endswith("early.json' and its arrays do not hold together:")
    assert last == (
        "Restore them, or measure again with: bench reference compute induction/early"
    )
    return problems


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"norm_growth": [1.0]}, "norm_growth: 1 numbers, expected 12."),
        ({"copy_response": [1.0]}, "copy_response: 1 numbers, expected 13."),
        (
            {"signature": {"mean": [1.0] * 13, "lower": [], "upper": [1.0] * 13}},
            "signature/lower: 0 numbers, expected 13.",
        ),
        (
            {"untrained": {"emergence": [1.0], "composition": [1.0] * 12}},
            "untrained/emergence: 1 numbers, expected 12.",
        ),
        (
            {"untrained": {"emergence": [1.0] * 12}},
            "untrained: expected emergence and composition.",
        ),
        ({"reliability": {}}, "reliability: expected emergence and composition."),
        (
            {"ceiling": {"emergence": 5.0, "composition": 0.9}},
            "ceiling/emergence: 5 is no overlap.",
        ),
    ],
)
def test_numbers_that_do_not_fit_the_task(
    changes: dict, problem: str, task: Task, repository: Path, path: Path
) -> None:
    """Numbers of another length would be broadcast, or stop a command midway."""
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    assert refusal(task, repository) == [f"  {problem}"]


@pytest.mark.parametrize("name", ["gain", "signature", "ablated_mean"])
def test_arrays_that_do_not_fit_the_task(
    name: str, task: Task, repository: Path, path: Path
) -> None:
    """Arrays that scores need are there, whole and finite."""
    array = read_arrays(path.with_suffix(".safetensors"))[name]
    wanted = f"expected shape {array.shape}."
    few, flat = array[:3], array[:, 0]
    replace_arrays(path, **{name: None})
    assert refusal(task, repository) == [f"  array {name}: missing, {wanted}"]

    for wrong in (few, flat):
        replace_arrays(path, **{name: wrong})
        found = f"of shape {wrong.shape}"
        assert refusal(task, repository) == [f"  array {name}: {found}, {wanted}"]
    replace_arrays(path, **{name: np.full_like(array, np.nan)})
    assert refusal(task, repository) == [
        f"  array {name}: holds a value that is not finite."
    ]
    replace_arrays(path, **{name: array})
    assert read_reference(task, root=repository).promptwise.n_prompts == len(array)


@pytest.mark.parametrize("spoilt", ["gain", "ablated_mean", "signature"])
def test_a_profile_without_anything_positive(
    spoilt: str, task: Task, repository: Path, path: Path
) -> None:
    """Every score and null against it would be undefined: it is no reference."""
    arrays = read_arrays(path.with_suffix(".safetensors"))
    change = {
        "gain": -np.abs(arrays["gain"]),
        "ablated_mean": 2.0 * arrays["signature"][:, -1:] + 0.0 * arrays["gain"],
        "signature": 0.0 * arrays["signature"],
    }
    replace_arrays(path, **{spoilt: change[spoilt]})

    name = "emergence" if spoilt == "gain" else "composition"
    assert refusal(task, repository) == [
        f"  {name}: nowhere positive, so nothing can be scored against it."
    ]
