import re

import pytest

from bench import errors
from bench.errors import BenchError, MissingExtraError, UnknownNameError

DRAWN = re.compile(r"^( *(?:\| *)*)(?:\+-- )?(\w+Error)\b", re.MULTILINE)


def all_errors() -> list[type[BenchError]]:
    """Collect every error class of the module."""
    found = (item for item in vars(errors).values() if isinstance(item, type))
    return [item for item in found if issubclass(item, BenchError)]


def drawn_parents() -> dict[str, str]:
    """Read child -> parent off the tree in the module's docstring."""
    parents: dict[str, str] = {}
    above: list[tuple[int, str]] = []
    for match in DRAWN.finditer(errors.__doc__ or ""):
        column, name = len(match.group(1)), match.group(2)
        while above and above[-1][0] >= column:
            above.pop()
        parents[name] = above[-1][1] if above else "Exception"
        above.append((column, name))
    return parents


def test_docstring_draws_the_real_hierarchy() -> None:
    """The tree in the docstring names every class below its real parent."""
    real = {item.__name__: item.__bases__[0].__name__ for item in all_errors()}

    assert drawn_parents() == real


@pytest.mark.parametrize("error", all_errors(), ids=lambda e: e.__name__)
def test_exit_codes_follow_the_branch(error: type[BenchError]) -> None:
    """User errors exit with 2, invalid submissions with 3, the rest with 1."""
    expected = 1
    if issubclass(error, errors.UserError):
        expected = 2
    if issubclass(error, errors.InvalidSubmissionError):
        expected = 3

    assert error.exit_code == expected


def test_unknown_name_suggests_the_nearest() -> None:
    """A misspelt name is answered with the near one and a sorted list."""
    error = UnknownNameError("task", "inductoin", ["planted", "induction"])

    assert str(error) == (
        "No task is called 'inductoin'. Did you mean 'induction'? "
        "Known: induction, planted."
    )


def test_unknown_name_without_a_near_one() -> None:
    """No suggestion is made where nothing is near, and advice comes last."""
    error = UnknownNameError("suite", "zzz", ["core"], advice=" Try: bench list.")

    assert str(error) == "No suite is called 'zzz'. Known: core. Try: bench list."


def test_unknown_name_among_none() -> None:
    """An empty set of names is said to be empty."""
    assert str(UnknownNameError("task", "a", [])) == (
        "No task is called 'a'. Known: none."
    )


def test_missing_extra_says_how_to_install_it() -> None:
    """The message holds the module and a command that can be pasted."""
    assert str(MissingExtraError("datasets", extra="run")) == (
        "'datasets' is not installed, and this command needs it. "
        "Install it with: pip install 'induction-bench[run]'"
    )
