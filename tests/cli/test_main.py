import json
import resource
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import typer

from bench.cli import list as list_module
from bench.cli.lazy import Command
from bench.cli.main import COMMANDS, app, main
from bench.errors import BenchError, InvalidSubmissionError, NoRoomError, UserError

LIMIT = 0.3
"""Seconds of CPU time that the help may take."""

HELP = """
import os, sys
from bench.cli.main import main
code = main(["--help"])
heavy = {"torch", "numpy", "pydantic", "transformers", "rich.progress"}
print(code, sorted(heavy & set(sys.modules)), file=sys.stderr)
"""


def names() -> list[str]:
    """List the names of all commands."""
    return [command.name for command in COMMANDS]


def fail_with(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Let ``bench list`` raise."""

    def fail(_: Path | None) -> Path:
        raise error

    monkeypatch.setattr(list_module, "resolve_root", fail)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BenchError("went wrong"), 1),
        (NoRoomError("went wrong"), 1),
        (UserError("went wrong"), 2),
        (InvalidSubmissionError("went wrong"), 3),
        (KeyboardInterrupt(), 130),
    ],
    ids=["error", "room", "user", "submission", "interrupt"],
)
def test_errors_become_exit_codes(
    error: BaseException,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Each branch of errors has its code and one line on stderr, no traceback."""
    fail_with(monkeypatch, error)

    assert main(["list", "tasks"]) == code
    out, err = capsys.readouterr()
    expected = (
        "went wrong" if code != 130 else "Interrupted; the same command continues."
    )
    assert out == ""
    assert err.strip() == expected


def test_an_interrupt_outside_a_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An interrupt that Typer does not see ends alike."""

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("bench.cli.main.app", interrupt)
    assert main(["env"]) == 130
    assert capsys.readouterr().err.startswith("Interrupted;")


@pytest.mark.parametrize(("code", "expected"), [(0, 0), (7, 7), ("text", 1)])
def test_exit_codes_of_others(
    code: object, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A number is handed on; a text, which Python prints, is a failure."""

    def leave(*_: object, **__: object) -> None:
        raise SystemExit(code)

    monkeypatch.setattr("bench.cli.main.app", leave)
    assert main(["env"]) == expected


def test_bugs_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was not raised on purpose keeps its traceback."""
    fail_with(monkeypatch, ZeroDivisionError())

    with pytest.raises(ZeroDivisionError):
        main(["list", "tasks"])


def test_unknown_command(capsys: pytest.CaptureFixture[str]) -> None:
    """A misspelt command is answered with the near one."""
    assert main(["evalute"]) == 2
    assert capsys.readouterr().err == (
        "No command is called 'evalute'. Did you mean 'evaluate'? Known: "
        + ", ".join(sorted(names()))
        + ".\n"
    )


@pytest.mark.parametrize(
    "argv", [["list"], ["list", "taks"], ["show"], ["list", "tasks", "--frob"]]
)
def test_usage_errors(argv: Sequence[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Missing or wrong arguments exit with 2 and say so on stderr."""
    assert main(argv) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err


def test_arguments_default_to_the_command_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without arguments given, those of the process count."""
    monkeypatch.setattr(sys, "argv", ["bench", "schema", "submission"])

    assert main() == 0
    assert json.loads(capsys.readouterr().out)["title"] == "Manifest"


def documented(command: Command) -> str:
    """Return the first line of a command's or group's own help."""
    loaded = command.load()
    return (loaded.help or "").splitlines()[0]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_summaries_are_those_of_the_commands(command: Command) -> None:
    """The lazy help says what the command's docstring says."""
    assert command.summary == documented(command)


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    """The help names each command with its summary, in order."""
    assert main(["--help"]) == 0
    lines = capsys.readouterr().out.split("Commands:\n")[1].splitlines()

    assert [line.split(None, 1)[0] for line in lines] == names()
    for line, command in zip(lines, COMMANDS, strict=True):
        assert line.split(None, 1)[1] == command.summary
        assert len(line) <= 80


def test_every_module_of_a_command_is_listed() -> None:
    """No command file is forgotten."""
    shared = {"main", "lazy", "options", "display", "tables", "scored", "trusted"}
    shared |= {"published", "console", "summary", "board_entries"}
    shared |= {"pull_request", "problem_output", "executors"}
    folder = Path(list_module.__file__).parent
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__"}

    assert modules - shared == set(names())


def subcommands() -> list[list[str]]:
    """List every command line that asks for help."""
    lines: list[list[str]] = []
    for command in COMMANDS:
        lines.append([command.name])
        loaded = command.load()
        lines += [[command.name, sub] for sub in getattr(loaded, "commands", {})]
    return lines


@pytest.mark.parametrize("flag", ["--help", "-h"])
@pytest.mark.parametrize("line", subcommands(), ids=" ".join)
def test_help_of_every_command(
    line: list[str], flag: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every command explains itself, each argument with a help text."""
    assert main([*line, flag]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.startswith(f"Usage: bench {' '.join(line)} ")
    assert "None" not in out


def test_groups_have_their_commands() -> None:
    """The groups hold what the help of the project promises."""
    lines = [" ".join(line) for line in subcommands()]

    assert [line for line in lines if " " in line] == [
        "ledger show",
        "ledger check",
        "ledger update",
        "ledger clear",
        "cache ls",
        "cache verify",
        "cache prune",
        "reference compute",
        "reference verify",
        "reference show",
        "task init",
        "task planted",
        "prompts fresh",
    ]


def test_the_application_is_a_typer() -> None:
    """The application can be embedded like any other."""
    assert isinstance(app, typer.Typer)


def spent(start: Callable[[], None]) -> float:
    """Measure the CPU time of a child process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_help_is_light() -> None:
    """The help imports nothing heavy and takes little CPU time.

    This is the one place where a time is asserted: the limit is a stated contract. The
    best of five runs counts, so that a busy machine does not fail it.
    """
    times: list[float] = []

    def run() -> None:
        done = subprocess.run(
            [sys.executable, "-c", HELP], capture_output=True, text=True, check=True
        )
        assert done.stderr.strip() == "0 []"
        assert done.stdout.startswith("Usage: bench ")

    for _ in range(5):
        times.append(spent(run))
        if min(times) < LIMIT:
            break
    assert min(times) < LIMIT


def test_module_is_the_command() -> None:
    """``python -m bench`` is ``bench``, exit code included."""
    done = subprocess.run(
        [sys.executable, "-m", "bench", "frob"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert done.stderr.startswith("No command is called 'frob'.")
