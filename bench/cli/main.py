"""The command ``bench``: name the commands, turn errors into exit codes."""

import sys
from collections.abc import Sequence
from io import TextIOWrapper

from bench.cli.lazy import Command, lazy_group, plain_typer
from bench.errors import BenchError

INTERRUPTED = 130
INTERRUPTION = "Interrupted; the same command continues."

COMMANDS = (
    Command("list", "list_things", "List tasks, built-in methods or suites."),
    Command(
        "show", "show", "Show what a task consists of, or what a built-in method does."
    ),
    Command("init", "init", "Write a method file that runs as it is."),
    Command("doctor", "doctor", "Check a method in seconds."),
    Command(
        "evaluate", "evaluate", "Run methods, score them, and draw their profiles."
    ),
    Command("score", "score", "Score stored attributions again; runs no model."),
    Command("compare", "compare", "Say where two methods differ, and how surely."),
    Command("submit", "submit", "Pack results, check them, show the pull request."),
    Command("withdraw", "withdraw", "Take a submission back, and say why."),
    Command(
        "validate",
        "validate",
        "Check submissions, and compute the scores of a single one.",
    ),
    Command("reproduce", "reproduce", "Run a method again, where it cannot know."),
    Command(
        "review", "review", "Check that a branch is one submission, and show its row."
    ),
    Command(
        "leaderboard",
        "leaderboard",
        "Write leaderboard.md, leaderboard.json and leaderboard.csv.",
    ),
    Command("ledger", "ledger", "What happened to submissions, line by line."),
    Command("findings", "findings", "Write docs/findings.md from stored results."),
    Command("cache", "cache", "See, check and clear what runs have kept."),
    Command("reference", "reference", "Measure, verify and show references."),
    Command("task", "task", "Make a task of your own."),
    Command("prompts", "prompts", "Draw prompts."),
    Command("schema", "schema", "Print a JSON Schema, or write all of them."),
    Command("env", "env", "Print versions and platform, for a bug report."),
)

app = plain_typer(cls=lazy_group(COMMANDS))


@app.callback()
def _bench() -> None:
    """Benchmark circuit-analysis methods on language models."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line.

    Args:
        argv: Arguments without the program's name; ``sys.argv`` by default.

    Returns:
        0 done, 1 something ran and failed, 2 usage or input error, 3 a submission has
        problems, 130 interrupted.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a terminal may know ASCII alone
            stream.reconfigure(errors="replace")
    try:
        app(None if argv is None else list(argv), prog_name="bench")
    except BenchError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print(INTERRUPTION, file=sys.stderr)
        return INTERRUPTED
    except SystemExit as done:
        if done.code == INTERRUPTED:  # Typer catches the interrupt itself
            print(INTERRUPTION, file=sys.stderr)
        return done.code if isinstance(done.code, int) else 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
