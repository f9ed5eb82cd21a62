import re
from pathlib import Path

import numpy as np
import pytest

from bench.errors import DigestError, ReferencePendingError, UnknownNameError
from bench.results.reference_record import read_reference
from bench.results.trusted import Trusted
from bench.tasks.registry import find_task

EARLY, LATE = "induction/early", "induction/late"


def read(root: Path) -> Trusted:
    """Read what a repository trusts."""
    return Trusted(root, built_in=frozenset({"eap-ig"}))


@pytest.fixture
def half_measured(repository: Path) -> Trusted:
    """A repository with one reference of two."""
    (repository / "reference_results" / f"{LATE}.json").unlink()
    return read(repository)


def test_tasks_and_references_are_read(repository: Path) -> None:
    """Every task is there, with its reference and the arrays behind it."""
    trusted = read(repository)

    assert set(trusted.tasks) == set(trusted.references) == {EARLY, LATE}
    assert set(trusted.suites) == {"core", "half"}
    for name, task in trusted.tasks.items():
        found, stored = trusted.reference(name), read_reference(task, root=repository)
        assert task == find_task(name, root=repository)
        assert found.record == stored.record
        np.testing.assert_array_equal(found.arrays["gain"], stored.arrays["gain"])


def test_built_in_methods_and_their_sources(repository: Path) -> None:
    """Names are kept, and digests where there are any, in a copy."""
    assert read(repository).built_in == {"eap-ig"}
    assert read(repository).sources == {}

    given = {"eap-ig": "0" * 64}
    trusted = Trusted(repository, built_in=frozenset(), sources=given)
    assert trusted.sources == given
    assert trusted.sources is not given


def test_a_task_without_a_reference_is_read(half_measured: Trusted) -> None:
    """A task is known before its reference is measured."""
    assert set(half_measured.tasks) == {EARLY, LATE}
    assert set(half_measured.references) == {EARLY}
    assert half_measured.reference(EARLY).record.task.id == EARLY


@pytest.mark.parametrize("name", [LATE, "induction/none"])
def test_asking_for_a_pending_reference(name: str, half_measured: Trusted) -> None:
    """A reference that is not there is said to be pending, with how to measure it."""
    expected = (
        f"The reference of '{name}' is pending. Measure it with: bench reference "
        f"compute {name}"
    )
    with pytest.raises(ReferencePendingError, match=f"^{re.escape(expected)}$"):
        half_measured.reference(name)


def test_pending_tasks_of_a_suite(repository: Path, half_measured: Trusted) -> None:
    """What was not measured of a suite is listed in the suite's order."""
    assert half_measured.pending("core") == [LATE]
    assert half_measured.pending("half") == []

    (repository / "reference_results" / f"{EARLY}.json").unlink()
    assert read(repository).pending("core") == [EARLY, LATE]
    assert read(repository).pending("half") == [EARLY]


def test_pending_tasks_of_an_unknown_suite(half_measured: Trusted) -> None:
    """A suite that is not there is answered with the near one."""
    with pytest.raises(UnknownNameError, match=r"'cor'\. Did you mean 'core'\?"):
        half_measured.pending("cor")


def test_others_leave_pending_ones_out(half_measured: Trusted) -> None:
    """The null that knows other tasks knows those that were measured."""
    assert half_measured.others(EARLY, "core") == []
    assert half_measured.others(LATE, "core") == [half_measured.reference(EARLY)]
    assert half_measured.others(LATE, "half") == [half_measured.reference(EARLY)]


def test_a_reference_of_another_version_is_not_trusted(repository: Path) -> None:
    """A reference that is there, and wrong, is an error and not pending."""
    path = repository / "tasks" / EARLY / "task.toml"
    path.write_text(path.read_text().replace("\nversion = 1\n", "\nversion = 2\n"))

    with pytest.raises(DigestError, match="was measured on version 1"):
        read(repository)
